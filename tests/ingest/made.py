"""Readings, events and rows as tests need them."""

from collections.abc import Mapping
from typing import Any

from diastole.edge.records import (
    SECOND_NS,
    Decision,
    Driver,
    Event,
    EventPhase,
    Grade,
    NormalStatus,
    Reading,
)
from diastole.edge.schema import FEATURE_NAMES, FEATURE_SCHEMA, INPUT_NAMES, INPUT_SCHEMA
from diastole.ingest.stores import Row, Value

TAGS = {"site": "home", "agent": "pi", "subject": "s1", "device": "strap"}


def row(
    time_ms: int, fields: Mapping[str, Value], measurement: str = "reading", **tags: str
) -> Row:
    """Give a row."""
    return Row(measurement, TAGS | tags, time_ms, dict(fields))


def reading(time_ns: int, **other: Any) -> Reading:
    """Give a reading whose every number is there."""
    plain: dict[str, Any] = {
        "device": "strap",
        "time_ns": time_ns,
        "window_s": 60.0,
        "source": "rr",
        "grade": Grade.BEATS,
        "beats": 70,
        "coverage": 0.98,
        "features": {name: 10.5 + place for place, name in enumerate(FEATURE_NAMES)},
        "activity_mg": 4.0,
        "still_min": 7.0,
        "exertion": False,
        "asleep": False,
        "inputs": dict.fromkeys(INPUT_NAMES, 0.25),
        "normal_status": NormalStatus.PROVISIONAL,
        "normal_have": 12,
        "normal_need": 12,
        "normal_hr_low_bpm": 60.0,
        "normal_hr_high_bpm": 68.0,
        "normal_rmssd_low_ms": 30.0,
        "normal_rmssd_high_ms": 45.0,
        "utc_offset_min": 120,
        "p_stress": 0.25,
        "decision": Decision.CALM,
        "reason": None,
        "able": True,
        "model": "abc",
        "feature_schema": FEATURE_SCHEMA,
        "input_schema": INPUT_SCHEMA,
    }
    return Reading(**plain | other)


def event(start_ns: int, **other: Any) -> Event:
    """Give an episode as it begins."""
    plain: dict[str, Any] = {
        "id": f"strap-{start_ns // SECOND_NS}",
        "rev": 1,
        "phase": EventPhase.BEGIN,
        "device": "strap",
        "start_ns": start_ns,
        "end_ns": None,
        "end_reason": None,
        "peak_p": 0.9,
        "mean_p": 0.8,
        "drivers": [Driver(input="hr_above_normal", value=82.0, normal=68.0)],
        "recovery_s": None,
        "notify": True,
        "notify_reason": None,
    }
    return Event(**plain | other)
