"""Empatica E4 exports, folder or zip: BVP, ACC, IBI, HR and tags.

Raw samples are read in step, five minutes at once; IBI, HR and tags are small and read whole. IBI
counts from the first BVP sample whatever its own header says. EDA and TEMP are not read.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np

from diastole.edge.chunks import (
    HEART_RATE,
    HEART_RATE_KINDS,
    Chunk,
    Floats,
    Rows,
    rows_of,
)
from diastole.edge.errors import BadFile
from diastole.edge.formats import Format, Recording
from diastole.edge.formats.blocks import ended, first_ns
from diastole.edge.formats.e4_raw import RawFile, moment_ns, raw_files, start_of
from diastole.edge.formats.intervals import beats_at, note, note_order, s_to_ms
from diastole.edge.formats.place import Place, fits, quoted, the_place
from diastole.edge.records import MINUTE_NS, SECOND_NS, BeatKind, HeartRateKind, Mark

BLOCK_NS: Final = 5 * MINUTE_NS
DEVICES: Final = ("e4",)
FILES: Final = frozenset(
    {"bvp.csv", "acc.csv", "ibi.csv", "hr.csv", "eda.csv", "temp.csv", "tags.csv"}
)
HEARTS: Final = ("bvp.csv", "ibi.csv", "hr.csv")
OFF_NS: Final = MINUTE_NS
"""The files of one export start within this of each other."""
HR_LATE_NS: Final = 10 * SECOND_NS
"""HR starts so much after the other files, where its own start cannot be true."""
FAR_S: Final = 1e8
"""IBI counts seconds of a session: a larger number is a header's epoch."""
REMEDY: Final = "correct or remove the line"


def is_export(place: Place) -> bool:
    """Whether a folder holds at least two files of an E4, one of them of the heart."""
    return len(FILES & place.members.keys()) > 1 and any(name in place for name in HEARTS)


class E4:
    """The format ``e4``."""

    name = "e4"

    def recognises(self, path: Path) -> bool:
        """Whether the folder or the zip holds the files of an export."""
        return fits(path, is_export)

    def open(self, path: Path) -> Recording:
        """Read the start times; t_s counts from the first BVP sample (ACC, else the earliest)."""
        place = the_place(path, is_export, "Empatica E4 export")
        starts = {name: start_of(place, name) for name in ("bvp.csv", "acc.csv", "hr.csv")}
        starts["ibi.csv"] = _ibi_start(place)
        known = [time_ns for time_ns in starts.values() if time_ns is not None]
        if all(starts[name] is None for name in HEARTS):
            raise BadFile(path, "its BVP, IBI and HR are empty", "there is nothing to read in it")
        first = starts["bvp.csv"] if starts["bvp.csv"] is not None else starts["acc.csv"]
        start_ns = min(known) if first is None else first
        notes: Counter[str] = Counter()
        chunks = partial(_chunks, place, start_ns, notes)
        return Recording(path, self.name, start_ns, chunks, notes=notes)


def _ibi_start(place: Place) -> int | None:
    """Time in IBI's header; a file that begins with an interval starts at 0."""
    fields = place.first_line("ibi.csv").split(",")
    if not fields[0]:
        return None
    return moment_ns(fields[0]) if _is_header(fields) else 0


def _chunks(place: Place, start_ns: int, notes: Counter[str]) -> Iterator[Chunk]:
    notes.clear()
    raws = list(raw_files(place, notes))
    for raw in raws:
        far = raw.next_ns is not None and abs(raw.start_ns - start_ns) > OFF_NS
        note(notes, f"start of {raw.signal.file} is over a minute off the recording's", far)
    beats, rates = _beats(place, start_ns, notes), _heart_rates(place, start_ns, notes)
    marks = _marks(place)
    rest = Chunk(start_ns, DEVICES, beats=beats, heart_rates=rates)
    chunk: Chunk | None = None
    while True:
        nexts = [time for raw in raws if (time := raw.next_ns) is not None]
        nexts += [] if (time := first_ns(rest)) is None else [time]
        if not nexts:
            break
        if chunk is not None:
            yield chunk
        until_ns = start_ns + ((min(nexts) - start_ns) // BLOCK_NS + 1) * BLOCK_NS
        now, rest = rest.split(until_ns)
        runs = tuple(run for raw in raws if (run := raw.take(until_ns)) is not None)
        due = tuple(mark for mark in marks if start_ns <= mark.time_ns < until_ns)
        marks = [mark for mark in marks if mark not in due]
        chunk = replace(now, until_ns=until_ns, samples=runs, marks=due)
    if chunk is None:
        raise BadFile(place.path, "holds no samples and no beats", "there is nothing to read in it")
    _note_outside(beats, start_ns, raws, notes)
    yield _closed(chunk, raws, len(marks), notes)


def _note_outside(beats: Rows, start_ns: int, raws: list[RawFile], notes: Counter[str]) -> None:
    """Count the intervals that lie before or behind all that was sampled; they are kept."""
    ends = [time_ns for raw in raws if (time_ns := raw.last_ns) is not None]
    if ends:
        outside = (beats["time_ns"] < start_ns) | (beats["time_ns"] > max(ends) + SECOND_NS)
        note(notes, "beat interval outside the time of the raw signals", outside)


def _closed(chunk: Chunk, raws: list[RawFile], stray: int, notes: Counter[str]) -> Chunk:
    """Return the last chunk with the recording's end; tags beyond it are counted."""
    unmarked = replace(chunk, marks=())
    times = [raw.last_ns for raw in raws] + [unmarked.last_ns()]
    last_ns = max(time for time in times if time is not None)
    inside = tuple(mark for mark in chunk.marks if mark.time_ns <= last_ns)
    stray += len(chunk.marks) - len(inside)
    note(notes, "tag outside the recording, left out", stray)
    return replace(chunk, until_ns=last_ns + 1, breaks=ended(last_ns, 1), marks=inside)


def _beats(place: Place, start_ns: int, notes: Counter[str]) -> Rows:
    """Intervals of IBI.csv in time order; rows of equal end and interval are one beat."""
    rows = _ibi_rows(place, notes)
    known = np.abs(rows[:, 0]) < FAR_S
    note(notes, "row without a time, left out", ~known)
    rows = rows[known]
    note_order(notes, rows[:, 0])
    single = np.unique(rows, axis=0, equal_nan=False)
    note(notes, "repeated beat, left out", len(rows) - len(single))
    time_ns = start_ns + np.rint(single[:, 0] * 1e9).astype(np.int64)
    return beats_at(time_ns, s_to_ms(single[:, 1]), BeatKind.PPI, notes)


def _ibi_rows(place: Place, notes: Counter[str]) -> Floats:
    """End in s and interval in s of each row, without the headers."""
    rows: list[tuple[float, float]] = []
    name = "ibi.csv"
    lines = place.lines(name) if name in place else iter(())
    number = 0
    for number, line in enumerate(lines, 1):
        fields = line.strip().split(",")
        if not any(fields):
            continue
        if _is_header(fields):
            note(notes, "second header within IBI.csv", number > 1)
            continue
        try:
            end_s, ibi_s = map(float, fields)
        except ValueError:
            what = f"{quoted(line)} in place of a time and an interval"
            raise BadFile(place.where(name), what, REMEDY, number) from None
        rows.append((end_s, ibi_s))
    note(notes, "IBI.csv is empty", name in place and number == 0)
    return np.array(rows, float).reshape(-1, 2)


def _is_header(fields: list[str]) -> bool:
    """Whether a row of IBI states a start: ISO, named IBI, or an epoch too large for a session."""
    if moment_ns(fields[0]) is None:
        return False
    try:
        return fields[-1].strip().lower() == "ibi" or abs(float(fields[0])) >= FAR_S
    except ValueError:
        return True


def _heart_rates(place: Place, start_ns: int, notes: Counter[str]) -> Rows:
    """Device's averages, one a second from HR.csv's own start if that can be true."""
    name = "hr.csv"
    own_ns = start_of(place, name)
    if own_ns is None:
        note(notes, "HR.csv is empty", name in place)
        return rows_of(HEART_RATE, 0)
    if abs(own_ns - start_ns) > OFF_NS:
        note(notes, "start of HR.csv is off, taken as 10 s after the recording's", 1)
        own_ns = start_ns + HR_LATE_NS
    values: list[float] = []
    for number, line in enumerate(islice(place.lines(name), 2, None), 3):
        if not line.strip():
            continue
        try:
            values.append(float(line))
        except ValueError:
            what = f"{quoted(line)} in place of a number"
            raise BadFile(place.where(name), what, REMEDY, number) from None
    hr_bpm = np.array(values, float)
    known = np.isfinite(hr_bpm) & (hr_bpm > 0)
    note(notes, "heart rate that is no number, zero or negative", ~known)
    return rows_of(
        HEART_RATE,
        len(hr_bpm),
        time_ns=own_ns + np.arange(len(hr_bpm)) * SECOND_NS,
        kind=HEART_RATE_KINDS.index(HeartRateKind.DEVICE),
        hr_bpm=np.where(known, hr_bpm, np.nan),
    )


def _marks(place: Place) -> list[Mark]:
    """Presses of the button."""
    name = "tags.csv"
    marks: list[Mark] = []
    for number, line in enumerate(place.lines(name) if name in place else (), 1):
        if not line.strip():
            continue
        time_ns = moment_ns(line)
        if time_ns is None:
            what = f"{quoted(line)} in place of a time"
            raise BadFile(place.where(name), what, REMEDY, number)
        marks.append(Mark(device="-", time_ns=time_ns, text="tag", by="e4"))
    return sorted(marks, key=lambda mark: mark.time_ns)


FORMAT: Final[Format] = E4()
