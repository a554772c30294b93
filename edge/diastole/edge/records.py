"""The nouns: what flows through the house, with units and meaning, as objects.

Records as objects live at the doors only: on the wire, in a recording, in a test. Inside the
pipeline they travel as columns (:mod:`diastole.edge.chunks`). Times are ``time_ns``: UTC
nanoseconds since the epoch, negative before 1970; counted from 0 where a recording has no date.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import msgspec

SECOND_NS: Final = 1_000_000_000
MINUTE_NS: Final = 60 * SECOND_NS


class BeatKind(StrEnum):
    """How a beat interval came about; intervals of different kinds are never mixed in a window."""

    RR = "rr"
    """Between R peaks of an ECG, by the device."""
    PPI = "ppi"
    """Between pulses seen optically, by the device."""
    PPG = "ppg"
    """Between pulse peaks that we found in the raw signal."""


class HeartRateKind(StrEnum):
    """How a heart rate came about."""

    SPECTRAL = "spectral"
    """Our own track of the raw signal's rhythm."""
    DEVICE = "device"
    """The device's own average."""


class SampleKind(StrEnum):
    """What a raw signal is."""

    PPG = "ppg"
    ECG = "ecg"
    ACC = "acc"


class BreakReason(StrEnum):
    """Why the wearing is in doubt from here on."""

    LINK_LOST = "link_lost"
    OFF_WRIST = "off_wrist"
    PAUSED = "paused"
    CLOCK_STEPPED = "clock_stepped"
    ENDED = "ended"
    """The recording, or the agent, stopped here."""


class Verdict(StrEnum):
    """What became of a beat interval: accepted, or why not."""

    ACCEPTED = "accepted"
    NO_CONTACT = "no_contact"
    """The device felt no skin."""
    MOVING = "moving"
    """The device says that movement spoilt it."""
    IMPRECISE = "imprecise"
    """The device's own error estimate is over 30 ms."""
    LOW_QUALITY = "low_quality"
    """The pulse does not look like its neighbours (quality under 0.4)."""
    ACROSS_BREAK = "across_break"
    """It began before a Break, or where the Break is."""
    OUT_OF_RANGE = "out_of_range"
    """Under 300 or over 2000 ms."""
    ARTEFACT = "artefact"
    """Too far from the level and from both neighbours: ectopic, missed, extra or displaced."""
    BESIDE_ARTEFACT = "beside_artefact"
    """Next to an artefact, and itself off the level."""


class Grade(StrEnum):
    """What a window's numbers rest on."""

    BEATS = "beats"
    """Beat intervals: heart rate and variability."""
    HEART_RATE = "heart_rate"
    """A heart rate that can be trusted, and no variability."""


class NormalStatus(StrEnum):
    """How far the wearer's own normal is known."""

    CALIBRATING = "calibrating"
    PROVISIONAL = "provisional"
    """Learned in this session."""
    TRUSTED = "trusted"
    """Learned over earlier days."""


class Decision(StrEnum):
    """What a reading says; in this order their codes in a store are 0, 1, 2."""

    CALM = "calm"
    UNDECIDED = "undecided"
    STRESS = "stress"


class Reason(StrEnum):
    """Why a reading decides nothing; the first that holds, in this order."""

    ASLEEP = "asleep"
    """The wearer sleeps."""
    EXERTION = "exertion"
    """The body is at work, or still recovering from it."""
    POOR_SIGNAL = "poor_signal"
    """Beats are doubled (more beat time than wall time), or the heart rate is the device's own
    average of a moving wearer."""
    TOO_FEW_BEATS = "too_few_beats"
    """Under 0.30 of the window is covered."""
    CALIBRATING = "calibrating"
    """The wearer's own normal, or the own last minutes, are not known yet."""
    NO_MODEL = "no_model"
    """The pipeline runs without a model."""
    MODEL_REFUSED = "model_refused"
    """The model file does not fit this version."""
    UNLIKE_TRAINING = "unlike_training"
    """The inputs lie outside what the model has seen."""
    UNCERTAIN = "uncertain"
    """The probability is too near to one half."""


class Record(msgspec.Struct, frozen=True, kw_only=True, tag_field="record", omit_defaults=True):
    """Anything that a device or a person hands in; ``device`` is a pseudonym of ``[a-z0-9-]``."""

    device: str
    time_ns: int


class Samples(Record, frozen=True, tag="samples"):
    """A stretch of raw signal: ``values[i]`` was taken at ``time_ns + i / rate_hz``.

    ppg and ecg hold numbers in ``unit``, acc triples of x, y, z in ``unit`` (``mg``). ``index``
    counts the samples of the run before this stretch, and ``time_ns`` is the run's first sample's,
    so that no cut rounds a time.
    """

    kind: SampleKind
    unit: str
    rate_hz: float
    values: Sequence[float | tuple[float, float, float]]
    index: int = 0


class Beat(Record, frozen=True, tag="beat"):
    """A beat interval at its END, at the device's own resolution (n/1024 s exactly)."""

    rr_ms: float
    kind: BeatKind
    error_ms: float | None = None
    contact: bool | None = None
    moving: bool | None = None
    quality: float | None = None
    """0 to 1, likeness of both its pulses to their neighbours."""


class HeartRate(Record, frozen=True, tag="heart_rate"):
    """A heart rate; never turned into beats. ``hr_bpm`` is None where the track says nothing."""

    hr_bpm: float | None
    kind: HeartRateKind
    contact: bool | None = None


class Motion(Record, frozen=True, tag="motion"):
    """Movement in the second that ends at ``time_ns``.

    ``activity_mg`` is the root of the summed variances of x, y and z over that second.
    """

    activity_mg: float
    cadence_per_min: float | None = None
    """Steps or turns a minute, where movement is rhythmic."""


class Break(Record, frozen=True, tag="break"):
    """From here the wearing is in doubt, for all of a device. Never bridged."""

    reason: BreakReason


class Mark(Record, frozen=True, tag="mark"):
    """An annotation or a self-report; ``device`` is ``-``, passed through to the store."""

    text: str
    by: str


class Observation(msgspec.Struct, frozen=True, kw_only=True, tag_field="record", tag="observation"):
    """What the last minute shows, one for each hop of 5 s and device that it touches."""

    device: str
    time_ns: int
    """The window's end."""
    window_s: float
    source: str
    """Kind of the beats or of the heart rate chosen; ``none`` where neither exists."""
    grade: Grade
    beats: int
    """Accepted intervals in the window."""
    coverage: float
    """Share of the window inside accepted intervals (grade heart_rate: of seconds with a value)."""
    features: dict[str, float | None]
    activity_mg: float | None
    """Median of the window's seconds; None without motion."""
    still_min: float
    """Minutes since the last movement, 0 where motion is unknown."""
    exertion: bool
    asleep: bool
    inputs: dict[str, float | None]
    normal_status: NormalStatus
    normal_have: int
    normal_need: int
    normal_hr_low_bpm: float | None
    normal_hr_high_bpm: float | None
    normal_rmssd_low_ms: float | None
    normal_rmssd_high_ms: float | None
    utc_offset_min: int = 0
    simulated: bool = False


class Reading(Observation, frozen=True, tag="reading"):
    """An observation and what it says about strain."""

    p_stress: float | None
    """Probability of stress at a prevalence of one half."""
    decision: Decision
    reason: Reason | None
    able: bool
    """Decided, and an episode may begin here."""
    model: str | None
    """Hash of the model file."""
    feature_schema: str
    input_schema: str


class EventPhase(StrEnum):
    """Where an episode stands."""

    BEGIN = "begin"
    UPDATE = "update"
    END = "end"


class Unnotified(StrEnum):
    """Why the wearer is not told of an episode; the first that holds, in this order."""

    NO_MOTION = "no_motion"
    """Stillness is unknown, and the wearer is not known to be seated."""
    QUIET_HOURS = "quiet_hours"
    REFRACTORY = "refractory"
    """The last notice is too recent."""
    DAILY_LIMIT = "daily_limit"


class Driver(msgspec.Struct, frozen=True, kw_only=True):
    """What drove an episode: a model input, what it measures, and what is usual.

    ``value`` and ``normal`` are in bpm (heart rate) or ms (RMSSD), medians over the readings of
    stress by which the episode began. What is usual for ``hr_rise_1h`` is the own last hour's mean.
    """

    input: str
    value: float
    normal: float | None = None


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="record", tag="event"):
    """An episode of strain; a higher ``rev`` replaces a lower one of the same ``id``."""

    id: str
    rev: int
    phase: EventPhase
    device: str
    start_ns: int
    end_ns: int | None
    """Its last reading of stress; None while it runs."""
    end_reason: str | None
    """What was said instead: ``calm``, a Reason, or ``silence``."""
    peak_p: float
    mean_p: float
    """Of its decided readings."""
    drivers: list[Driver]
    recovery_s: float | None
    """From its end until the heart rate is within its normal again; None: not (yet) known."""
    notify: bool
    notify_reason: str | None
    """An Unnotified where the wearer is not told."""
    simulated: bool = False


class Status(msgspec.Struct, frozen=True, kw_only=True, tag_field="record", tag="status"):
    """Health of the agent (``device`` ``-``) or of a device, once a minute and at a change."""

    device: str
    time_ns: int
    values: dict[str, float]
    text: dict[str, str] = {}
