"""MMASH days, folder or zip: RR of a chest strap, activity counts of a wrist.

Both files are read whole: a day is some 100,000 rows. Their clock has no date: 0 is midnight of
the first day. The strap's stamps are the floor of an interval's END in whole seconds: within a run
of stamps that step as the intervals do, the ends lie where all of them agree. The strap's heart
rate in the actigraph's file is not read. Rossi et al. 2020, Data 5:91, doi:10.3390/data5040091.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from diastole.edge.chunks import MOTION, Chunk, Floats, Ints, Rows, by_time, rows_of, rr_ns
from diastole.edge.errors import BadFile
from diastole.edge.formats import Format, Recording
from diastole.edge.formats.blocks import in_blocks
from diastole.edge.formats.intervals import beats_at, note, note_order, s_to_ms, usable
from diastole.edge.formats.place import Place, fits, quoted, the_place
from diastole.edge.formats.table import Table, read_table
from diastole.edge.records import SECOND_NS, BeatKind

DEVICES: Final = ("h7", "actigraph")
RR, ACTIGRAPH = "rr.csv", "actigraph.csv"
COUNT: Final = ""
"""What the set calls the column that counts the rows."""
AGREE_NS: Final = 1_020_000_000
"""Stamps in whole seconds may step by this much more or less than the interval."""
DAY_S: Final = 86_400
COUNTS_PER_S: Final = (0.0, 2.0, 30.0, 60.0)
ACTIVITY_MG: Final = (0.0, 8.0, 35.0, 55.0)
LARGEST: Final = 1e9
CADENCE_S: Final = 60
CADENCE_ROWS: Final = 30
"""So many seconds of the last minute must be there for a cadence."""


def is_day(place: Place) -> bool:
    """Whether a folder holds RR with the header of this set."""
    return "ibi_s" in place.first_line(RR)


class Mmash:
    """The format ``mmash``."""

    name = "mmash"

    def recognises(self, path: Path) -> bool:
        """Whether the folder or the zip holds a day of the set."""
        return fits(path, is_day)

    def open(self, path: Path) -> Recording:
        """Read the first stamp; t_s counts from the first RR row's."""
        place = the_place(path, is_day, "MMASH day")
        first = [line for line, _ in zip(place.lines(RR), range(2), strict=False)]
        start = _stamps_s(read_table(place.where(RR), first), Counter())
        if not len(start):
            raise BadFile(place.where(RR), "holds a header and no beats", "give another day")
        notes: Counter[str] = Counter()
        chunks = partial(_chunks, place, notes)
        start_ns = int(start[0]) * SECOND_NS
        return Recording(path, self.name, start_ns, chunks, clock="relative", notes=notes)


def _chunks(place: Place, notes: Counter[str]) -> Iterator[Chunk]:
    notes.clear()
    beats = _beats(_read(place, RR, notes), notes)
    if not place.first_line(ACTIGRAPH):
        notes["no actigraph: motion is unknown"] += 1
        yield from in_blocks(DEVICES[:1], beats)
        return
    motions = _motions(_read(place, ACTIGRAPH, notes), notes)
    notes["activity mapped from counts, not measured in mg"] += 1
    yield from in_blocks(DEVICES, beats, motions)


def _read(place: Place, name: str, notes: Counter[str]) -> Table:
    """Return a table; its rows are counted, so that equal ones are one row twice."""
    table = read_table(place.where(name), place.lines(name))
    note(notes, f"second header within {name}", table.headers)
    if COUNT not in table.names:
        return table
    once = table.once()
    note(notes, f"repeated row of {name}, left out", len(table.lines) - len(once.lines))
    return once


def _stamps_s(table: Table, notes: Counter[str]) -> Ints:
    """Seconds since midnight of the first day; a day before the first is the month turned over."""
    day = table.numbers("day")
    turned = day < 1
    note(notes, "row of a day before the first, taken as the second", turned)
    day = np.where(turned, 2, day)
    if len(strange := np.flatnonzero(~((day >= 1) & (day <= 366)))):
        raise _bad(table, "day", int(strange[0]))
    clock = [_second_of_day(text) for text in table.text("time")]
    if -1 in clock:
        raise _bad(table, "time", clock.index(-1))
    stamps: Ints = (day.astype(np.int64) - 1) * DAY_S + np.array(clock, np.int64)
    return stamps


def _bad(table: Table, name: str, row: int) -> BadFile:
    what = f"{quoted(table.text(name)[row])} in place of a {name}"
    return BadFile(table.where, what, "correct or remove the line", table.lines[row])


def _second_of_day(text: str) -> int:
    """Second of HH:MM:SS, -1 where it is none."""
    try:
        hour, minute, second = map(int, text.split(":"))
    except ValueError:
        return -1
    known = 0 <= hour <= 24 and 0 <= minute < 60 and 0 <= second < 60
    return hour * 3600 + minute * 60 + second if known else -1


def _beats(table: Table, notes: Counter[str]) -> Rows:
    rr_ms = s_to_ms(table.numbers("ibi_s"))
    stamps_s = _stamps_s(table, notes)
    note_order(notes, stamps_s)
    return beats_at(run_ends_ns(stamps_s, rr_ms), rr_ms, BeatKind.RR, notes)


def run_ends_ns(stamp_s: Sequence[int] | Ints, rr_ms: Floats) -> Ints:
    """Return the ends of intervals whose stamps are their ends' whole seconds.

    A run breaks where stamps and interval disagree by over 1.02 s and at either side of a row
    without a usable length. Its phase is the middle of what all its stamps allow.
    """
    if not len(rr_ms):
        return np.empty(0, np.int64)
    stamp_ns = np.asarray(stamp_s, np.int64) * SECOND_NS
    known = usable(rr_ms)
    length_ns = rr_ns(np.where(known, rr_ms, 0.0))
    off = np.abs(np.diff(stamp_ns) - length_ns[1:]) > AGREE_NS
    breaks = off | ~known[1:] | ~known[:-1]
    first = np.flatnonzero(np.append(True, breaks))
    run = np.cumsum(np.append(True, breaks)) - 1
    total = np.cumsum(length_ns)
    total -= total[first][run]
    phase = stamp_ns - total
    low = np.maximum.reduceat(phase, first)
    high = np.minimum.reduceat(phase, first) + SECOND_NS
    ends: Ints = total + ((low + high) // 2)[run]
    return ends


def _motions(table: Table, notes: Counter[str]) -> Rows:
    """Seconds of the wrist; its counts and steps brought to our units."""
    counts, steps = table.numbers("Vector Magnitude"), table.numbers("Steps")
    known = (counts >= 0) & (counts < LARGEST) & (steps >= 0) & (steps < LARGEST)
    note(notes, "second of the actigraph without a number, left out", ~known)
    stamps = _stamps_s(table, notes)[known]
    note_order(notes, stamps)
    order = np.argsort(stamps, kind="stable")
    stamps, counts, steps = stamps[order], counts[known][order], steps[known][order]
    rows = rows_of(
        MOTION,
        len(stamps),
        time_ns=(stamps + 1) * SECOND_NS,
        device=1,
        activity_mg=activity_mg(counts),
        cadence_per_min=cadence_per_min(stamps, steps),
    )
    return by_time(rows)


def activity_mg(counts_per_s: Floats) -> Floats:
    """Movement that activity counts stand for; beyond the last point the last slope goes on."""
    slope = (ACTIVITY_MG[-1] - ACTIVITY_MG[-2]) / (COUNTS_PER_S[-1] - COUNTS_PER_S[-2])
    beyond = np.maximum(counts_per_s - COUNTS_PER_S[-1], 0.0) * slope
    mapped: Floats = np.interp(counts_per_s, COUNTS_PER_S, ACTIVITY_MG) + beyond
    return mapped


def cadence_per_min(stamp_s: Ints, steps: Floats) -> Floats:
    """Return steps a minute over the seconds there of the last 60; NaN under 30 of them."""
    first = np.searchsorted(stamp_s, stamp_s - CADENCE_S, "right")
    total = np.concatenate([[0.0], np.cumsum(steps)])
    here = np.arange(1, len(steps) + 1)
    rows = here - first
    rate: Floats = (total[here] - total[first]) * CADENCE_S / rows
    return np.where(rows >= CADENCE_ROWS, rate, np.nan)


FORMAT: Final[Format] = Mmash()
