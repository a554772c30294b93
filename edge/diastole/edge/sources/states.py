"""What each activity does to heart, breath and body, settled: the numbers of the simulation.

They are this project's own, chosen to lie within what healthy adults show, and fitted to nobody.
Heart rates stand as a share of the heart rate reserve, as in Karvonen 1957 (Ann Med Exp Biol Fenn
35:307-315), so that they scale with the wearer.
"""

from typing import Final, NamedTuple

from diastole.edge.sources.scenario import Activity, Wearer


class State(NamedTuple):
    """An activity, settled."""

    label: str
    """What the truth calls it."""
    reserve: float
    """Share of the way from resting to highest heart rate."""
    rmssd: float
    """Times the RMSSD at rest."""
    breaths_per_min: float
    unsteady: float
    """Spread of the breathing rate, ln: speech and effort break its rhythm."""
    mayer_ms: float
    """Amplitude of the Mayer wave in the interval."""
    rise_s: float
    """Time constant of a heart rate that climbs to it, ..."""
    recovery_s: float
    """... and of one that comes down after it: slow after work."""
    activity_mg: float
    fidgets_per_min: float
    cadence_per_min: float = 0.0
    """Steps a minute; 0 where movement has no rhythm."""

    def hr_bpm(self, wearer: Wearer) -> float:
        """Heart rate of this wearer; the mean of a settled hour lies within 2 % of it."""
        return wearer.hr_rest_bpm + self.reserve * (wearer.hr_max_bpm - wearer.hr_rest_bpm)

    def rmssd_ms(self, wearer: Wearer) -> float:
        """RMSSD of this wearer; the median of a settled hour's minutes lies within 10 % of it."""
        return wearer.rmssd_rest_ms * self.rmssd


STATES: Final = {
    #                label       reserve rmssd breaths unsteady mayer rise recovery mg fidgets steps
    Activity.REST: State("rest", 0.0, 1.0, 14, 0.06, 22, 20, 45, 9, 0.6),
    Activity.DESK: State("screen", 0.03, 0.8, 15, 0.08, 20, 20, 45, 12, 1.5),
    Activity.STRESS: State("stress", 0.12, 0.45, 17, 0.14, 16, 15, 50, 11, 1.5),
    Activity.MEAL: State("eating", 0.07, 0.75, 15, 0.12, 20, 150, 300, 18, 4),
    Activity.WALK: State("exercise_light", 0.24, 0.35, 20, 0.06, 10, 25, 60, 170, 0, 106),
    Activity.STAIRS: State("exercise", 0.48, 0.15, 27, 0.05, 4, 30, 75, 260, 0, 92),
    Activity.SLEEP: State("sleep", -0.07, 1.35, 13, 0.03, 20, 120, 300, 2, 0.1),
}
