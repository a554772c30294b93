"""What an agent sends of a wearer and of itself, in words."""

from typing import Any

from diastole.edge.records import Decision, Event, Mark, Reading, Reason, Status
from diastole.edge.views.live import Row
from diastole.edge.views.words import driven_by, notice, said


def row(reading: Reading) -> Row:
    """Return a reading by the names of its columns in a table, NaN where nothing is known."""
    known: dict[str, Any] = {
        "hr_mean_bpm": reading.features.get("hr_mean_bpm"),
        "rmssd_ms": reading.features.get("rmssd_ms"),
        "p_stress": reading.p_stress,
        "normal_hr_low_bpm": reading.normal_hr_low_bpm,
        "normal_hr_high_bpm": reading.normal_hr_high_bpm,
        "normal_rmssd_low_ms": reading.normal_rmssd_low_ms,
        "normal_rmssd_high_ms": reading.normal_rmssd_high_ms,
    }
    return {
        **{name: float("nan") if value is None else value for name, value in known.items()},
        "decision": reading.decision,
        "reason": reading.reason or "",
        "normal_status": reading.normal_status,
    }


def episode(event: Event) -> str:
    """Return how an episode began, in words."""
    drivers = driven_by(event.drivers, event.notify_reason)
    why = f": {clean(drivers)}" if drivers else ""
    told = notice(event.notify, event.notify_reason or "")
    return f"an episode of strain{why}, peak p {event.peak_p:.2f} ({clean(told)})"


def health(status: Status) -> str:
    """Return what an agent says of its outbox, in words."""
    rows = status.values.get("outbox_rows")
    return "outbox unknown" if rows is None else f"outbox {rows:.0f} rows"


def device_health(status: Status, since_s: float = 0.0) -> str:
    """Return what is told of a device, in words; ``since_s`` after it was."""
    values, text = status.values, status.text
    known = [clean(text.get("link", "")) or "link unknown"]
    if (battery := values.get("battery_pct")) is not None:
        known.append(f"battery {battery:.0f} %")
    if (rssi := values.get("rssi_dbm")) is not None:
        known.append(f"{rssi:.0f} dBm")
    if (beat_s := values.get("beat_age_s")) is not None:
        known.append(f"last beat {age(beat_s + since_s)} ago")
    if text.get("rr") == "none":
        known.append("heart rate only: no variability, ever")
    dropped = sum(n for name, n in values.items() if name.startswith("dropped_"))
    return ", ".join(known) + (f", {dropped:.0f} dropped" if dropped else "")


def clean(text: str) -> str:
    """Return text of others as it can be printed: on one line, no control characters in it."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def saying(reading: Reading) -> str:
    """Return what a reading says, and how far the normal is learned."""
    words = said(reading.decision, reading.reason or "")
    if reading.decision == Decision.UNDECIDED and reading.reason == Reason.CALIBRATING:
        if reading.normal_have >= reading.normal_need:
            return "undecided: learning the last minutes"
        return f"{words}, {reading.normal_have} of {reading.normal_need}"
    return words


def marked(mark: Mark) -> str:
    """Return a mark in words."""
    return f"mark by {clean(mark.by)}: {clean(mark.text)}"


def age(seconds: float) -> str:
    """Return a time that has passed, in its unit."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.0f} h"
