"""Records as objects to columns and back: for doors, where a record is written or read singly."""

from collections.abc import Callable, Iterator, Sequence
from math import isnan
from typing import Any, Final

import numpy as np

from diastole.edge.chunks import (
    BEAT,
    BEAT_KINDS,
    BREAK,
    BREAK_REASONS,
    HEART_RATE,
    HEART_RATE_KINDS,
    MOTION,
    UNKNOWN,
    Chunk,
    Rows,
    SampleRun,
    by_time,
    join_runs,
)
from diastole.edge.records import (
    SECOND_NS,
    Beat,
    Break,
    HeartRate,
    Mark,
    Motion,
    Record,
    SampleKind,
    Samples,
)
from diastole.edge.wire import LATEST_NS, BadRecord

RATES_HZ: Final = (0.01, 5_000.0)


def records_of(chunk: Chunk) -> list[Record]:
    """Return a chunk's records in time order; raw samples stand where their first sample does."""
    records: list[Record] = [*chunk.marks]
    records += _objects(chunk, chunk.beats, _beat)
    records += _objects(chunk, chunk.heart_rates, _heart_rate)
    records += _objects(chunk, chunk.motions, _motion)
    records += _objects(chunk, chunk.breaks, _break)
    records += [_samples(chunk.devices[run.device], run) for run in chunk.samples]
    return sorted(records, key=starts_ns)


def starts_ns(record: Record) -> int:
    """Time of a record, of raw samples that of their first one."""
    if isinstance(record, Samples):
        return run_of(record, 0).time_of(record.index)
    return record.time_ns


def chunk_of(records: Sequence[Record], until_ns: int) -> Chunk:
    """Return records as a chunk, whatever their order; BadRecord for samples that are none."""
    devices = tuple(dict.fromkeys(r.device for r in records if not isinstance(r, Mark)))
    place = {device: k for k, device in enumerate(devices)}
    rows: dict[type[Record], list[tuple[Any, ...]]] = {kind: [] for kind in _ROWS}
    runs: list[SampleRun] = []
    marks: list[Mark] = []
    for record in records:
        if row := _ROWS.get(type(record)):
            rows[type(record)].append((record.time_ns, place[record.device], *row(record)))
        elif isinstance(record, Samples):
            runs.append(run_of(record, place[record.device]))
        elif isinstance(record, Mark):
            marks.append(record)
    runs.sort(key=lambda run: run.time_of(run.index))
    return Chunk(
        until_ns,
        devices,
        beats=by_time(np.array(rows[Beat], BEAT)),
        heart_rates=by_time(np.array(rows[HeartRate], HEART_RATE)),
        motions=by_time(np.array(rows[Motion], MOTION)),
        breaks=by_time(np.array(rows[Break], BREAK)),
        samples=join_runs(runs),
        marks=tuple(sorted(marks, key=starts_ns)),
    )


def run_of(record: Samples, device: int) -> SampleRun:
    """Return raw samples as a run; BadRecord where they have no rate, order or shape."""
    low, high = RATES_HZ
    if not low <= record.rate_hz <= high or record.index < 0:
        text = f"samples of {record.rate_hz} Hz from sample {record.index} on"
        raise BadRecord(text)
    seconds = (record.index + len(record.values)) / record.rate_hz
    if abs(record.time_ns) + seconds * SECOND_NS > LATEST_NS:
        text = f"samples that last {seconds:.3g} s"
        raise BadRecord(text)
    acc = record.kind is SampleKind.ACC
    if acc and record.unit != "mg":
        text = f"acceleration in {record.unit[:20]!r}, not in mg"
        raise BadRecord(text)
    try:
        values = np.array(record.values, float).reshape((-1, 3) if acc else (-1,))
    except ValueError:
        values = np.empty(0)
    if len(values) != len(record.values):
        text = f"samples of {record.kind} that are not {'triples' if acc else 'single numbers'}"
        raise BadRecord(text)
    return SampleRun(
        device, record.kind, record.unit, record.rate_hz, record.time_ns, record.index, values
    )


def _objects(
    chunk: Chunk, rows: Rows, make: Callable[[str, tuple[Any, ...]], Record]
) -> Iterator[Record]:
    for row in rows.tolist():
        yield make(chunk.devices[row[1]], row)


def _samples(device: str, run: SampleRun) -> Samples:
    values = run.values.tolist()
    return Samples(
        device=device,
        time_ns=run.start_ns,
        kind=run.kind,
        unit=run.unit,
        rate_hz=run.rate_hz,
        values=[tuple(triple) for triple in values] if run.values.ndim == 2 else values,
        index=run.index,
    )


def _beat(device: str, row: tuple[Any, ...]) -> Beat:
    time_ns, _, kind, rr_ms, error_ms, contact, moving, quality = row
    return Beat(
        device=device,
        time_ns=time_ns,
        rr_ms=rr_ms,
        kind=BEAT_KINDS[kind],
        error_ms=_given(error_ms),
        contact=_flag(contact),
        moving=_flag(moving),
        quality=_given(quality),
    )


def _heart_rate(device: str, row: tuple[Any, ...]) -> HeartRate:
    time_ns, _, kind, hr_bpm, contact = row
    return HeartRate(
        device=device,
        time_ns=time_ns,
        hr_bpm=_given(hr_bpm),
        kind=HEART_RATE_KINDS[kind],
        contact=_flag(contact),
    )


def _motion(device: str, row: tuple[Any, ...]) -> Motion:
    time_ns, _, activity_mg, cadence = row
    return Motion(
        device=device, time_ns=time_ns, activity_mg=activity_mg, cadence_per_min=_given(cadence)
    )


def _break(device: str, row: tuple[Any, ...]) -> Break:
    return Break(device=device, time_ns=row[0], reason=BREAK_REASONS[row[2]])


def _given(value: float) -> float | None:
    return None if isnan(value) else value


def _flag(value: int) -> bool | None:
    return None if value == UNKNOWN else bool(value)


_NAN: Final = float("nan")
_CODE: Final = {
    kind: code
    for kinds in (BEAT_KINDS, HEART_RATE_KINDS, BREAK_REASONS)
    for code, kind in enumerate(kinds)
}


def _or_nan(value: float | None) -> float:
    return _NAN if value is None else value


def _or_unknown(value: bool | None) -> int:
    return UNKNOWN if value is None else value


# What follows time and device in a row of each kind.
_ROWS: Final[dict[type[Record], Callable[[Any], tuple[Any, ...]]]] = {
    Beat: lambda r: (
        _CODE[r.kind],
        r.rr_ms,
        _or_nan(r.error_ms),
        _or_unknown(r.contact),
        _or_unknown(r.moving),
        _or_nan(r.quality),
    ),
    HeartRate: lambda r: (_CODE[r.kind], _or_nan(r.hr_bpm), _or_unknown(r.contact)),
    Motion: lambda r: (r.activity_mg, _or_nan(r.cadence_per_min)),
    Break: lambda r: (_CODE[r.reason],),
}
