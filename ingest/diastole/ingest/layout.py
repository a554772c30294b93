"""The store's layout: which rows a record becomes, and how long each kind of them is kept."""

from collections.abc import Mapping
from functools import lru_cache
from math import isfinite
from typing import Final

from diastole.edge.records import Beat, Decision, Event, EventPhase, Mark, Reading, Status
from diastole.edge.views.words import driven_by, notice
from diastole.edge.wire import BadRecord, Noun
from diastole.edge.wire.topics import Stream, Topic
from diastole.ingest.stores import Row, Value
from diastole.ingest.stores.checking import KEY, TAGS, is_name

MS_NS: Final = 1_000_000
MINUTE_MS: Final = 60_000
POLICIES: Final[Mapping[str, int | None]] = {"raw": 400, "kept": None, "beats": 30}
"""Days that each retention policy keeps (None: for ever); the first is the default one."""
POLICY_OF: Final[Mapping[str, str]] = {
    "reading": "raw",
    "status": "raw",
    "event": "kept",
    "mark": "kept",
    "beat": "beats",
}
ALWAYS: Final[Mapping[str, str]] = {
    "reading": "decision_code",
    "event": "rev",
    "mark": "text",
    "beat": "rr_ms",
}
"""A field that every row of a measurement has."""
TEXT_PREFIX: Final = "text_"
"""Begins the names of a status's texts."""
FIELD_TYPES: Final[Mapping[str, Mapping[str, type[float] | type[str]]]] = {
    "reading": {
        **dict.fromkeys(("decision", "reason", "said", "source", "grade"), str),
        **dict.fromkeys(("normal_status", "model", "feature_schema", "input_schema"), str),
    },
    "event": dict.fromkeys(
        ("id", "phase", "end_reason", "text", "drivers", "notify_reason"),
        str,
    ),
    "status": {},
    "mark": dict.fromkeys(("text", "by"), str),
    "beat": {"kind": str},
}
"""For ever: a field is a float unless it stands here (or is a status's text)."""
DECISION_CODES: Final = {decision: float(code) for code, decision in enumerate(Decision)}


@lru_cache(4096)  # the same fields come with every record
def type_of(measurement: str, field: str) -> type[float] | type[str]:
    """Return what a field holds in every store, for ever; raise BadRecord where it can be none."""
    if not is_name(field) or field in KEY:
        what = f"{field[:40]!r} cannot be the name of a field"
        raise BadRecord(what)
    if measurement == "status" and field.startswith(TEXT_PREFIX):
        return str
    return FIELD_TYPES[measurement].get(field, float)


def rows_of(topic: Topic, record: Noun) -> list[Row]:
    """Return the rows that a record becomes, none with a number that is not finite.

    Raises BadRecord for a record that its stream does not carry, and for a name of a feature, an
    input or a value that the store cannot have as a field.
    """
    match topic.stream, record:
        case Stream.READING, Reading():
            fields = _reading(record)
        case Stream.EVENT, Event():
            fields = _event(record)
        case Stream.STATUS, Status():
            fields = record.values | {TEXT_PREFIX + k: v for k, v in record.text.items()}
        case Stream.MARK, Mark():
            fields = {"text": record.text, "by": record.by}
        case Stream.BEAT, Beat():
            fields = _beat(record)
        case _:
            what = f"a {type(record).__name__} on a topic of {topic.stream}"
            raise BadRecord(what)
    tags = dict(zip(TAGS, (topic.site, topic.agent, topic.subject, record.device), strict=True))
    time_ns = record.start_ns if isinstance(record, Event) else record.time_ns
    known = _known(topic.stream, fields)
    return [Row(topic.stream.value, tags, time_ns // MS_NS, known)] if known else []


def _known(measurement: str, fields: Mapping[str, Value | bool | None]) -> dict[str, Value]:
    """Return the fields that have a value, each in its type."""
    known: dict[str, Value] = {}
    for name, value in fields.items():
        is_text = type_of(measurement, name) is str
        if value is None:
            continue
        if isinstance(value, str) != is_text:
            what = f"{name} is {'a number' if is_text else 'text'}, and must not be"
            raise BadRecord(what)
        if isinstance(value, str):
            known[name] = value
        elif isfinite(number := _number(name, value)):
            known[name] = number
    return known


def _number(name: str, value: float | bool) -> float:
    try:
        return float(value)
    except OverflowError:  # JSON's whole numbers have no end
        what = f"{name} is too large a number"
        raise BadRecord(what) from None


def _reading(reading: Reading) -> dict[str, Value | bool | None]:
    inputs = {f"input_{name}": value for name, value in reading.inputs.items()}
    return {
        **reading.features,
        **inputs,
        "p_stress": reading.p_stress,
        "decision_code": DECISION_CODES[reading.decision],
        "decision": reading.decision.value,
        "reason": reading.reason and reading.reason.value,
        "said": (reading.reason or reading.decision).value,
        "able": reading.able,
        "coverage": reading.coverage,
        "beats": reading.beats,
        "window_s": reading.window_s,
        "source": reading.source,
        "grade": reading.grade.value,
        "activity_mg": reading.activity_mg,
        "still_min": reading.still_min,
        "exertion": reading.exertion,
        "asleep": reading.asleep,
        "normal_status": reading.normal_status.value,
        "normal_have": reading.normal_have,
        "normal_need": reading.normal_need,
        "normal_hr_low_bpm": reading.normal_hr_low_bpm,
        "normal_hr_high_bpm": reading.normal_hr_high_bpm,
        "normal_rmssd_low_ms": reading.normal_rmssd_low_ms,
        "normal_rmssd_high_ms": reading.normal_rmssd_high_ms,
        "utc_offset_min": reading.utc_offset_min,
        "simulated": reading.simulated,
        "model": reading.model,
        "feature_schema": reading.feature_schema,
        "input_schema": reading.input_schema,
    }


def _event(event: Event) -> dict[str, Value | bool | None]:
    """Return an episode's fields; a text is there even where empty, so that no older one stays."""
    return {
        "id": event.id,
        "rev": event.rev,
        "phase": event.phase.value,
        "end_ms": None if event.end_ns is None else event.end_ns // MS_NS,
        "end_reason": event.end_reason or "",
        "text": _sentence(event),
        "drivers": driven_by(event.drivers, event.notify_reason),
        "peak_p": event.peak_p,
        "mean_p": event.mean_p,
        "recovery_s": event.recovery_s,
        "notify": event.notify,
        "notify_reason": event.notify_reason or "",
        "simulated": event.simulated,
    }


def _sentence(event: Event) -> str:
    """Return what a view says of an episode."""
    lasted = "running"
    if event.phase is EventPhase.END and event.end_ns is not None:
        lasted = f"{(event.end_ns - event.start_ns) / (MINUTE_MS * MS_NS):.0f} min"
    told = [f"Episode of strain ({lasted})", driven_by(event.drivers, event.notify_reason)]
    if event.notify or event.notify_reason:
        told.append(notice(event.notify, event.notify_reason or ""))
    return "; ".join(filter(None, told))


def _beat(beat: Beat) -> dict[str, Value | bool | None]:
    return {
        "rr_ms": beat.rr_ms,
        "kind": beat.kind.value,
        "error_ms": beat.error_ms,
        "contact": beat.contact,
        "moving": beat.moving,
        "quality": beat.quality,
    }
