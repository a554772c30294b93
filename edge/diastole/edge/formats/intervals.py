"""Bare beat intervals: their unit, whether they are intervals at all, and where they end."""

from collections import Counter
from typing import Final

import numpy as np

from diastole.edge.chunks import (
    BEAT,
    BEAT_KINDS,
    Bools,
    Floats,
    Ints,
    Rows,
    by_time,
    rows_of,
    rr_ns,
)
from diastole.edge.records import SECOND_NS, BeatKind
from diastole.edge.schema import LONGEST_RR_MS, SHORTEST_RR_MS

HOUR_MS: Final = 3_600_000.0
RANGE_MS: Final = (SHORTEST_RR_MS, LONGEST_RR_MS)
SHARE: Final = 0.9
"""So much of a series must lie in the range of heartbeats."""
FEW: Final = 5
"""So many bad rows do not make a short series a waveform."""
LONGEST_RUN: Final = 5.0
"""Mean run of rises or falls: heartbeats 1.5-2.8, a sampled waveform some 20."""
LATEST_S: Final = 4e9
"""A time beyond this is no time in seconds."""


def in_ms(values: Floats) -> Floats:
    """Return intervals in ms: a median of up to 10 says that they are in seconds."""
    known = values[np.isfinite(values) & (values > 0)]
    return s_to_ms(values) if len(known) and np.median(known) <= 10 else values


def s_to_ms(values: Floats) -> Floats:
    """Return seconds as ms, without the dust of the scaling."""
    with np.errstate(all="ignore"):
        scaled: Floats = np.round(values * 1000.0, 6)
    return scaled


def like_heartbeats(rr_ms: Floats) -> bool:
    """Whether the numbers lie where intervals lie, and rise and fall as they do."""
    within = (rr_ms >= RANGE_MS[0]) & (rr_ms <= RANGE_MS[1])
    inside = int(within.sum())
    outside = len(rr_ms) - inside
    if inside == 0 or (inside < SHARE * len(rr_ms) and (inside < 3 or outside > FEW)):
        return False
    return _mean_run(rr_ms[within]) <= LONGEST_RUN


def _mean_run(values: Floats) -> float:
    """Mean number of successive differences of one sign; 0 where there are too few to tell."""
    signs = np.sign(np.diff(values))
    signs = signs[signs != 0]
    if len(signs) < 20:
        return 0.0
    return len(signs) / (1 + np.count_nonzero(np.diff(signs)))


def usable(rr_ms: Floats) -> Bools:
    """Whether an interval has a length: a number over 0, and at most an hour."""
    with np.errstate(invalid="ignore"):
        known: Bools = (rr_ms > 0) & (rr_ms <= HOUR_MS)
    return known


def ends_ns(rr_ms: Floats) -> Ints:
    """Return the ends of intervals that follow one another, the first of which begins at 0.

    A row without a usable length is of unknown length: the clock goes on by 1 s, and the
    intervals on either side of it do not touch.
    """
    steps = np.where(usable(rr_ms), rr_ns(np.where(usable(rr_ms), rr_ms, 0.0)), SECOND_NS)
    ends: Ints = np.cumsum(steps)
    return ends


def beats_at(
    time_ns: Ints, rr_ms: Floats, kind: BeatKind, notes: Counter[str], device: int = 0
) -> Rows:
    """Rows of beats in time order; what is odd about them is counted in ``notes``.

    A number that is not finite becomes 0, which no verdict accepts.
    """
    rows = rows_of(
        BEAT,
        len(rr_ms),
        time_ns=time_ns,
        device=device,
        kind=BEAT_KINDS.index(kind),
        rr_ms=np.where(np.isfinite(rr_ms), rr_ms, 0.0),
    )
    rows = by_time(rows)
    note_beats(notes, rows)
    return rows


def note_beats(notes: Counter[str], rows: Rows) -> None:
    """Count what is odd about beats in time order; all of them are kept."""
    note(notes, "beat interval that is no number, zero or negative", rows["rr_ms"] <= 0)
    note(notes, "beat interval over 2 s", rows["rr_ms"] > RANGE_MS[1])
    single = rows[np.argsort(rows["device"], kind="stable")]
    doubled = (np.diff(single["time_ns"]) == 0) & (np.diff(single["device"]) == 0)
    note(notes, "beat at the same time as the one before it", doubled)


def note_order(notes: Counter[str], times: Floats | Ints) -> None:
    """Count the rows of a file that lie before the row above them; they are sorted."""
    note(notes, "row earlier than the row before it, sorted", np.diff(times) < 0)


def note(notes: Counter[str], sentence: str, where: Bools | int) -> None:
    """Count a defect that was survived, where there is any."""
    count = int(np.sum(where))
    if count:
        notes[sentence] += count
