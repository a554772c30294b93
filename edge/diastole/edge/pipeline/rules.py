"""How the stages decide: their settings in one place, each with its reason.

What a beat's verdict and the gate rest on stands with the rule that was measured
(:mod:`diastole.edge.pipeline.rule`, ``gate``) and has a version of its own.
"""

import msgspec

from diastole.edge.schema import UNCERTAIN


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of observe and judge; they are stored with the state."""

    # choice of beats
    min_coverage: float = 0.30
    """Share of a window that a source must cover to be chosen; below, too few beats."""
    pulse_coverage: float = 0.50
    """Pulses that we found give way to our track of the rate where they cover less: with movement
    mixed into a clean pulse they are 2 bpm off there and too fast, the track 1 bpm and neither."""
    track_coverage: float = 0.50
    """A track must have a value for so much of a window to decide, or to teach the normal; below it
    is a rough one, by which exertion is told."""
    max_coverage: float = 1.02
    """More beat time than wall time: beats are doubled."""

    average_mg: float = 15.0
    """The device's own average tells nothing over this activity. At rest in Stress-Predict it lies
    3 to 7 bpm over the people's still beats at 15-35 mg (median; quartiles 12 to 19 apart), under
    1 below that (8 to 12 apart). Few people carry this, and the AUC was seen when it was set."""

    # movement
    moving_mg: float = 35.0
    """Activity over this is movement, under it the wearer is still."""
    strenuous_mg: float = 55.0
    """Activity over this is sustained movement at once."""
    moving_span_s: int = 120
    """Moving in over half of this span is sustained movement."""
    rhythm_per_min: float = 60.0
    """A cadence from here on, where slow walking begins, ... Fewer steps a minute are a day about
    the house: with 40 it takes 5 % of MMASH's waking time, and the heart rate tells what of it is
    work."""
    rhythm_share: float = 0.10
    """... in so much of a window's seconds, is exertion by itself: it shows by fits, and seated
    people show it in under 1 % of the time."""
    asleep_mg: float = 8.0
    """A mean activity under this, over ``asleep_min``, is sleep."""
    awake_mg: float = 18.0
    """The mean that ends it: with one threshold sleep flickers 1 to 16 times a night."""
    asleep_min: int = 30

    # exertion
    exertion_hr: float = 1.20
    """Sustained movement counts as exertion where the heart rate is over this times the normal:
    standing and handiwork raise it by 10 to 15 %, and so does talking with one's hands."""
    tail_hr: float = 1.20
    """Recovery lasts until the heart rate is under this times the normal, ..."""
    tail_min: float = 5.0
    """... at most so long: what stays up beyond is no recovery from a minute's movement, and while
    a tail may last ten minutes, a task's first gestures silence the task."""
    level_without_motion: float = 1.40
    """Without acceleration: a heart rate over this times the normal is exertion, ..."""
    rise_without_motion: float = 1.20
    """... and so is one that rose by this factor within two minutes."""

    # the wearer's normal
    normal_need: int = 12
    """Quiet observations, a minute of them, until a normal is given."""
    normal_share: float = 0.60
    """The normal is that of this share of the quiet ones, those with the lowest heart rate."""
    hr_spread_floor: float = 0.05
    """ln: a calmer minute's spread would make every stir an alarm."""
    rmssd_spread_floor: float = 0.15
    normal_gap_h: float = 2.0
    """A session, and its normal, ends after so long without records."""
    normal_without_motion_h: float = 18.0
    """Without acceleration sleep is not seen; the normal then ends after so long."""

    # the own last minutes
    hour_min: int = 60
    hour_need: int = 36
    """Hops of the own last hour that the rise over its mean needs: three minutes."""
    context_s: int = 180

    # judge
    uncertain_low: float = UNCERTAIN[0]
    uncertain_high: float = UNCERTAIN[1]
    """A probability between these decides nothing. 0.45 to 0.55 silences a twelfth more of a waking
    day, and adds about 0.01 to the balanced accuracy."""
    still_min: float = 5.0
    """An episode may begin only after so many still minutes."""

    # episodes
    episode_above: float = 0.75
    """Only readings of stress with the heart rate so far above both the normal (in its spreads) and
    the own last hour (in the least spread) begin an episode; it goes on by any. A high plateau of
    an ordinary day, and a quiet hour's small stir, are one of them only."""
    episode_of: int = 12
    """An episode begins by the last so many decided readings (a minute of them), ..."""
    episode_stress: int = 10
    """... where so many say stress, so strongly: by any stress it fires 2.6 times as often, ..."""
    episode_span_s: int = 120
    """... and all lie within so long: further apart they are not one stir."""
    episode_end_s: int = 90
    """An episode ends so long after its last reading of stress: a cough does not cut it in two."""
    recovery_max_min: float = 60.0
    """A heart rate that takes longer to come back has other reasons."""
    driver_spreads: float = 1.0
    """An input drives where it lies out of the normal's range, which is a spread to either side."""
    driver_rise: float = 0.05
    """ln: ... or the heart rate so far over its own last hour, the least spread of a normal."""


class Notices(msgspec.Struct, frozen=True, kw_only=True):
    """When an episode may be told to the wearer; it is recorded all the same.

    The wearer's own settings: changing them harms no state.
    """

    seated: bool = False
    """The wearer sits, as in a laboratory: without acceleration episodes may be told all the same,
    which else fire some forty times a day."""
    refractory_min: float = 15.0
    """After a notice none for so long: it tells nothing new."""
    a_day: int = 6
    """Notices a local day: more are switched off by their wearer."""
    quiet_hours: tuple[int, int] | None = None
    """Minutes of the local day, from and to, maybe over midnight: no notices. Nobody's unless set:
    a recording rarely knows the wearer's night."""
