"""The words and colours of every view: they describe the body, not the mind.

Colours are those of Okabe and Ito (told apart also by the colour-blind), never red and green, and
each is doubled by a word, a place or a shape.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from numpy.typing import NDArray

from diastole.edge.chunks import Bools
from diastole.edge.records import Decision, Driver, Reason, Unnotified, Verdict

Columns = Mapping[str, NDArray[Any]]

NOT_A_DIAGNOSIS: Final = (
    "An estimate from heart beats, not a diagnosis; not a medical device. "
    "How the wearer feels counts more."
)

DECISION_WORDS: Final = {
    Decision.CALM: "calm",
    Decision.UNDECIDED: "undecided",
    Decision.STRESS: "stress-like",
}
REASON_WORDS: Final = {
    Reason.ASLEEP: "asleep",
    Reason.EXERTION: "body at work or recovering",
    Reason.POOR_SIGNAL: "signal too poor",
    Reason.TOO_FEW_BEATS: "too few usable beats",
    Reason.CALIBRATING: "learning the normal",
    Reason.NO_MODEL: "no model",
    Reason.MODEL_REFUSED: "model does not fit",
    Reason.UNLIKE_TRAINING: "unlike what the model knows",
    Reason.UNCERTAIN: "between calm and stress-like",
}
UNNOTIFIED_WORDS: Final = {
    Unnotified.NO_MOTION: "stillness is unknown",
    Unnotified.QUIET_HOURS: "quiet hours",
    Unnotified.REFRACTORY: "the last notice is too recent",
    Unnotified.DAILY_LIMIT: "enough notices for a day",
}
_WHY_NOT: Final = {str(why): words for why, words in UNNOTIFIED_WORDS.items()}
_DRIVER_WORDS: Final = {
    "hr_above_normal": ("heart rate", "bpm", "your normal"),
    "hr_above_normal_3min": ("heart rate of 3 min", "bpm", "your normal"),
    "hr_rise_1h": ("heart rate", "bpm", "its own last hour"),
    "rmssd_above_normal": ("RMSSD", "ms", "your normal"),
}
SOURCE_WORDS: Final = {
    "rr": "beat intervals of an ECG",
    "ppi": "pulse intervals by the device",
    "ppg": "pulse peaks found in the raw signal",
    "spectral": "heart rate from the raw signal's rhythm",
    "device": "heart rate averaged by the device",
    "none": "no heart signal",
}
VERDICT_WORDS: Final = {
    Verdict.NO_CONTACT: "no skin contact",
    Verdict.MOVING: "spoilt by movement",
    Verdict.IMPRECISE: "imprecise",
    Verdict.LOW_QUALITY: "unclear pulse",
    Verdict.ACROSS_BREAK: "across a break",
    Verdict.OUT_OF_RANGE: "out of range",
    Verdict.ARTEFACT: "off its neighbours",
    Verdict.BESIDE_ARTEFACT: "beside such a beat",
}

BLUE: Final = "#0072B2"
SKY: Final = "#56B4E9"
ORANGE: Final = "#E69F00"
GREY: Final = "#8A8A8A"
PURPLE: Final = "#CC79A7"
PLUM: Final = "#9C4277"
VERMILLION: Final = "#D55E00"
INK: Final = "#1A1A1A"
DECISION_COLOURS: Final = {
    Decision.CALM: SKY,
    Decision.UNDECIDED: GREY,
    Decision.STRESS: ORANGE,
}


def said(decision: str, reason: str) -> str:
    """Return what a reading says, in words."""
    if decision == Decision.UNDECIDED and reason:
        return f"undecided: {REASON_WORDS[Reason(reason)]}"
    return DECISION_WORDS[Decision(decision)]


def driven_by(drivers: Sequence[Driver], notify_reason: str | None) -> str:
    """Return what drove an episode, in words."""
    still = "" if notify_reason == Unnotified.NO_MOTION else " while still"
    return "; ".join(_driver(driver) + (still if not k else "") for k, driver in enumerate(drivers))


def _driver(driver: Driver) -> str:
    what, unit, than = _DRIVER_WORDS.get(driver.input, (driver.input, "", "your normal"))
    if driver.normal is None:
        return f"{what} {driver.value:.0f} {unit}"
    away = driver.value - driver.normal
    return f"{what} {abs(away):.0f} {unit} {'above' if away > 0 else 'below'} {than}"


def notice(notify: bool, notify_reason: str) -> str:
    """Return whether the wearer is told of an episode, and why not."""
    return "told" if notify else f"not told: {_WHY_NOT.get(notify_reason, notify_reason)}"


def percent(rows: Bools) -> str:
    """Return the share of rows that are so; what is not quite nothing is not called 0."""
    share = float(rows.mean()) if len(rows) else 0.0
    return "<1%" if 0 < share < 0.005 else f"{share:.0%}"


def clock(t_s: float) -> str:
    """Return seconds from the start as h:mm:ss."""
    minutes, seconds = divmod(round(t_s), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
