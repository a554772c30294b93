"""The chunk: one subject's records as columns, sorted by time, and how far time has come.

Every stage takes and gives chunks, and cutting them elsewhere changes nothing. A kind of record is
one structured array whose ``device`` column counts into ``Chunk.devices``. Rows may lie beyond
``until_ns`` (they came early); what has ``time_ns < until_ns`` has all been delivered, here or in a
chunk before.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from diastole.edge.records import (
    BeatKind,
    BreakReason,
    HeartRateKind,
    Mark,
    SampleKind,
    Verdict,
)

Rows = NDArray[np.void]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# A kind, verdict or reason is a column of its place in these.
BEAT_KINDS: Final = tuple(BeatKind)
HEART_RATE_KINDS: Final = tuple(HeartRateKind)
BREAK_REASONS: Final = tuple(BreakReason)
VERDICTS: Final = tuple(Verdict)
UNKNOWN: Final = -1  # of a flag (contact, moving) that the device does not give

BEAT: Final = np.dtype(
    [
        ("time_ns", "i8"),
        ("device", "u2"),
        ("kind", "u1"),
        ("rr_ms", "f8"),  # finite; 0 where the source gave no number
        ("error_ms", "f8"),  # NaN: not given
        ("contact", "i1"),
        ("moving", "i1"),
        ("quality", "f8"),  # NaN: not given
    ]
)
HEART_RATE: Final = np.dtype(
    [
        ("time_ns", "i8"),
        ("device", "u2"),
        ("kind", "u1"),
        ("hr_bpm", "f8"),  # NaN: the track says nothing here
        ("contact", "i1"),
    ]
)
MOTION: Final = np.dtype(
    [
        ("time_ns", "i8"),  # END of the second
        ("device", "u2"),
        ("activity_mg", "f8"),
        ("cadence_per_min", "f8"),  # NaN: not given
    ]
)
BREAK: Final = np.dtype([("time_ns", "i8"), ("device", "u2"), ("reason", "u1")])


@dataclass(frozen=True, slots=True, eq=False)
class SampleRun:
    """Consecutive samples of one raw signal.

    Sample ``i`` of ``values`` was taken at ``start_ns + (index + i) / rate_hz`` seconds, where
    ``start_ns`` is the first sample of the whole run and ``index`` counts those before this piece:
    cutting a run keeps ``start_ns``, so no cut rounds a time. ``values`` is (n,) in ``unit`` for
    ppg and ecg, (n, 3) in mg for acc.
    """

    device: int
    kind: SampleKind
    unit: str
    rate_hz: float
    start_ns: int
    index: int
    values: Floats

    def times_ns(self) -> Ints:
        """Time of each sample."""
        index = np.arange(self.index, self.index + len(self.values))
        times: Ints = self.start_ns + sample_offsets_ns(index, self.rate_hz)
        return times

    def time_of(self, index: int) -> int:
        """Time of the sample that the whole run counts as ``index``."""
        return self.start_ns + int(sample_offsets_ns(np.array([index]), self.rate_hz)[0])

    def cut(self, time_ns: int) -> tuple["SampleRun", "SampleRun"]:
        """Return the samples before ``time_ns``, and those from it on."""
        k = int(np.searchsorted(self.times_ns(), time_ns, "left"))
        return (
            replace(self, values=self.values[:k]),
            replace(self, index=self.index + k, values=self.values[k:]),
        )

    def follows(self, other: "SampleRun") -> bool:
        """Whether this piece goes on where ``other`` ends."""
        return (self.device, self.kind, self.unit, self.rate_hz, self.start_ns) == (
            other.device,
            other.kind,
            other.unit,
            other.rate_hz,
            other.start_ns,
        ) and self.index == other.index + len(other.values)


def sample_offsets_ns(index: Ints, rate_hz: float) -> Ints:
    """Nanoseconds from a run's first sample to the samples numbered ``index``."""
    offsets: Ints = np.rint(index * (1e9 / rate_hz)).astype(np.int64)
    return offsets


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """One subject's records of a stretch of time. ``until_ns``: nothing older will come."""

    until_ns: int
    devices: tuple[str, ...] = ()
    beats: Rows = field(default_factory=lambda: rows_of(BEAT, 0))
    heart_rates: Rows = field(default_factory=lambda: rows_of(HEART_RATE, 0))
    motions: Rows = field(default_factory=lambda: rows_of(MOTION, 0))
    breaks: Rows = field(default_factory=lambda: rows_of(BREAK, 0))
    samples: tuple[SampleRun, ...] = ()
    marks: tuple[Mark, ...] = ()

    def __post_init__(self) -> None:
        """Hold the contract: known devices, columns of the right type, sorted by time."""
        for name, dtype in COLUMNS.items():
            rows = getattr(self, name)
            if rows.dtype != dtype:
                text = f"{name} of a chunk has columns {rows.dtype.names}"
                raise TypeError(text)
            if len(rows) and (np.diff(rows["time_ns"]) < 0).any():
                text = f"{name} of a chunk run backwards"
                raise ValueError(text)
            if len(rows) and int(rows["device"].max()) >= len(self.devices):
                text = f"{name} of a chunk name a device that it does not list"
                raise ValueError(text)
        if any(run.device >= len(self.devices) for run in self.samples):
            text = "samples of a chunk name a device that it does not list"
            raise ValueError(text)

    def split(self, time_ns: int) -> tuple["Chunk", "Chunk"]:
        """Return the records before ``time_ns`` and those from it on, whose join is this one."""
        before: dict[str, Rows] = {}
        after: dict[str, Rows] = {}
        for name in COLUMNS:
            rows = getattr(self, name)
            k = int(np.searchsorted(rows["time_ns"], time_ns, "left"))
            before[name], after[name] = rows[:k], rows[k:]
        runs = [run.cut(time_ns) for run in self.samples]
        return (
            Chunk(
                min(time_ns, self.until_ns),
                self.devices,
                **before,
                samples=tuple(a for a, _ in runs if len(a.values)),
                marks=tuple(m for m in self.marks if m.time_ns < time_ns),
            ),
            Chunk(
                self.until_ns,
                self.devices,
                **after,
                samples=tuple(b for _, b in runs if len(b.values)),
                marks=tuple(m for m in self.marks if m.time_ns >= time_ns),
            ),
        )

    def first_ns(self) -> int | None:
        """Time of the oldest record, None where there is none."""
        tables = [getattr(self, name) for name in COLUMNS]
        times = [int(rows["time_ns"][0]) for rows in tables if len(rows)]
        times += [run.time_of(run.index) for run in self.samples]
        times += [mark.time_ns for mark in self.marks]
        return min(times, default=None)

    def last_ns(self) -> int | None:
        """Time of the newest record, None where there is none."""
        times = [
            int(getattr(self, name)["time_ns"][-1]) for name in COLUMNS if len(getattr(self, name))
        ]
        times += [run.time_of(run.index + len(run.values) - 1) for run in self.samples]
        times += [mark.time_ns for mark in self.marks]
        return max(times, default=None)


COLUMNS: Final = {"beats": BEAT, "heart_rates": HEART_RATE, "motions": MOTION, "breaks": BREAK}


def by_time(rows: Rows) -> Rows:
    """Rows sorted by time; rows of equal time keep their order."""
    times = rows["time_ns"]
    if (np.diff(times) >= 0).all():
        return rows
    return rows[np.argsort(times, kind="stable")]


def join(chunks: Sequence[Chunk]) -> Chunk:
    """One chunk that holds the records of all, in time order; ``until_ns`` of the furthest."""
    names = tuple(dict.fromkeys(name for chunk in chunks for name in chunk.devices))
    columns: dict[str, Rows] = {}
    for column, dtype in COLUMNS.items():
        parts = [_renumbered(getattr(chunk, column), chunk.devices, names) for chunk in chunks]
        columns[column] = by_time(np.concatenate([np.empty(0, dtype), *parts]))
    runs = (
        replace(run, device=names.index(chunk.devices[run.device]))
        for chunk in chunks
        for run in chunk.samples
    )
    return Chunk(
        max(chunk.until_ns for chunk in chunks),
        names,
        **columns,
        samples=join_runs(runs),
        marks=tuple(sorted((m for chunk in chunks for m in chunk.marks), key=lambda m: m.time_ns)),
    )


def join_runs(runs: Iterable[SampleRun]) -> tuple[SampleRun, ...]:
    """Return the runs, with pieces that follow one another made one."""
    joined: list[list[SampleRun]] = []
    for run in runs:
        for pieces in joined:
            if run.follows(pieces[-1]):
                pieces.append(run)
                break
        else:
            joined.append([run])
    return tuple(
        pieces[0]
        if len(pieces) == 1
        else replace(pieces[0], values=np.concatenate([piece.values for piece in pieces]))
        for pieces in joined
    )


def _renumbered(rows: Rows, old: tuple[str, ...], new: tuple[str, ...]) -> Rows:
    if old == new[: len(old)] or not len(rows):
        return rows
    places = np.array([new.index(name) for name in old], np.uint16)
    rows = rows.copy()
    rows["device"] = places[rows["device"]]
    return rows


def rows_of(dtype: np.dtype[np.void], n: int, **columns: object) -> Rows:
    """``n`` rows of ``dtype``; a column that is not given is unknown (NaN, -1 or 0)."""
    rows = np.zeros(n, dtype)
    for name in dtype.names or ():
        kind = dtype[name].kind
        unknown: float = (
            np.nan if kind == "f" else UNKNOWN if kind == "i" and name != "time_ns" else 0
        )
        rows[name] = columns.pop(name, unknown)
    if columns:
        text = f"no such columns: {', '.join(columns)}"
        raise TypeError(text)
    return rows


def rr_ns(rr_ms: Floats) -> Ints:
    """Intervals in whole nanoseconds: what meets a threshold is summed in integers."""
    whole: Ints = np.rint(np.clip(rr_ms, -1e9, 1e9) * 1e6).astype(np.int64)
    return whole


def words(known: Sequence[str], places: NDArray[Any]) -> NDArray[np.str_]:
    """Return a column of places as the words they stand for."""
    column: NDArray[np.str_] = np.array([str(word) for word in known] or [""])[places]
    return column
