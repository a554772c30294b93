"""Columns to the nouns that are sent: a number that is none becomes null, never NaN."""

from collections.abc import Iterable
from math import isfinite
from typing import Any

import numpy as np

from diastole.edge.chunks import BEAT, Chunk
from diastole.edge.formats.objects import records_of
from diastole.edge.pipeline.observations import (
    DECISIONS,
    GRADES,
    NO_REASON,
    REASONS,
    SOURCES,
    STATUSES,
    Readings,
)
from diastole.edge.pipeline.verdicts import Judged
from diastole.edge.records import Beat, Reading
from diastole.edge.schema import (
    FEATURE_NAMES,
    FEATURE_SCHEMA,
    INPUT_NAMES,
    INPUT_SCHEMA,
    WINDOW_S,
)

RANGE = (
    "normal_hr_low_bpm",
    "normal_hr_high_bpm",
    "normal_rmssd_low_ms",
    "normal_rmssd_high_ms",
)


def readings_of(readings: Readings, *, model: str | None, simulated: bool) -> list[Reading]:
    """Return each row as a Reading; ``model`` is the hash of the model's file."""
    observed = readings.observations
    names = observed.rows.dtype.names or ()
    return [
        Reading(
            device=observed.devices[row["device"]],
            time_ns=row["time_ns"],
            window_s=float(WINDOW_S),
            source=str(SOURCES[row["source"]]),
            grade=GRADES[row["grade"]],
            beats=row["beats"],
            coverage=row["coverage"],
            features=_named(FEATURE_NAMES, features),
            activity_mg=_given(row["activity_mg"]),
            still_min=row["still_min"],
            exertion=row["exertion"],
            asleep=row["asleep"],
            inputs=_named(INPUT_NAMES, inputs),
            normal_status=STATUSES[row["normal_status"]],
            normal_have=row["normal_have"],
            normal_need=row["normal_need"],
            **{name: _given(row[name]) for name in RANGE},
            utc_offset_min=row["utc_offset_min"],
            simulated=simulated,
            p_stress=_given(p_stress),
            decision=DECISIONS[decision],
            reason=None if reason == NO_REASON else REASONS[reason],
            able=able,
            model=model,
            feature_schema=FEATURE_SCHEMA,
            input_schema=INPUT_SCHEMA,
        )
        for row, features, inputs, p_stress, decision, reason, able in zip(
            (dict(zip(names, values, strict=True)) for values in observed.rows.tolist()),
            observed.features.tolist(),
            observed.inputs.tolist(),
            readings.p_stress.tolist(),
            readings.decision.tolist(),
            readings.reason.tolist(),
            readings.able.tolist(),
            strict=True,
        )
    ]


def beats_of(judged: Judged) -> list[Beat]:
    """Return the beats whose verdict is final, as they came or were found."""
    rows = np.empty(len(judged.rows), BEAT)
    for name in BEAT.names or ():
        rows[name] = judged.rows[name]
    chunk = Chunk(judged.until_ns, judged.devices, beats=rows)
    return [record for record in records_of(chunk) if isinstance(record, Beat)]


def _named(names: Iterable[str], values: Iterable[Any]) -> dict[str, float | None]:
    return {name: _given(value) for name, value in zip(names, values, strict=True)}


def _given(value: float) -> float | None:
    return value if isfinite(value) else None
