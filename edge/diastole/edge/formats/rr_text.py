"""Bare beat intervals as text: one a line or many, ms or s, alone or beside a growing time.

The numbers are read whole: a day of them is some 100,000. A file without times of its own starts
at the beginning of its first interval; a row without a usable length moves the clock by 1 s.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from diastole.edge.chunks import Chunk, Floats, Ints
from diastole.edge.errors import BadFile
from diastole.edge.formats import Format, Recording
from diastole.edge.formats.blocks import in_blocks
from diastole.edge.formats.intervals import (
    LATEST_S,
    beats_at,
    ends_ns,
    in_ms,
    like_heartbeats,
    note,
    note_order,
)
from diastole.edge.formats.place import quoted, reading, text_lines
from diastole.edge.records import BeatKind

DEVICE: Final = "rr"
HEAD_LINES: Final = 5000
HEAD_CHARS: Final = 65_536
_SEPARATORS: Final = re.compile(r"[\s,;]+")
_MEASURES: Final = re.compile(r"rmssd|sdnn|pnn50|(^|[,; ])hrv([,; ]|$)")
REMEDY: Final = "give beat intervals in ms or s"


class Numbers(NamedTuple):
    """Rows of numbers of a text, and the line each came from."""

    rows: list[list[str]]
    lines: list[int]


class Intervals(NamedTuple):
    """What a file holds."""

    rr_ms: Floats
    times_s: Floats | None
    """Ends of the intervals, where the file has them."""
    headers: int
    """How often the header stands again between the rows."""


def head(path: Path) -> list[str]:
    """Return the first lines of a text file, the last of them whole; empty for anything else."""
    with reading(path), path.open("rb") as raw:
        start = raw.read(HEAD_CHARS)
    if not start or b"\0" in start:
        return []
    text = start.decode("utf-8-sig", "replace")
    if len(start) == HEAD_CHARS:
        text = text[: max(text.rfind(mark) for mark in "\n\r ,;") + 1]
    return text.splitlines()[:HEAD_LINES]


def rows_in(lines: Iterable[str]) -> Numbers:
    """Fields of each line that is neither blank nor a ``#`` comment."""
    rows: list[list[str]] = []
    numbers: list[int] = []
    for number, line in enumerate(lines, 1):
        if line.startswith("#"):
            continue
        if fields := [field for field in _SEPARATORS.split(line) if field]:
            rows.append(fields)
            numbers.append(number)
    return Numbers(rows, numbers)


def is_number(text: str) -> bool:
    """Whether a field is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def without_header(numbers: Numbers) -> Numbers:
    """Leave out the first row where none of it is a number, and wherever it stands again."""
    if not numbers.rows or any(map(is_number, numbers.rows[0])):
        return numbers
    header = numbers.rows[0]
    kept = [k for k, row in enumerate(numbers.rows) if row != header]
    return Numbers([numbers.rows[k] for k in kept], [numbers.lines[k] for k in kept])


def split_columns(rows: Sequence[Sequence[float]]) -> tuple[Floats, Floats | None]:
    """Return intervals, and the column beside them where rows are pairs and one side grows."""
    if len(rows) > 2 and all(len(row) == 2 for row in rows):
        table = np.array(rows, float)
        with np.errstate(invalid="ignore"):
            grows = (np.diff(table, axis=0) > 0).mean(axis=0)
        k = int(np.argmax(grows))
        if grows[k] > 0.8:
            return table[:, 1 - k], table[:, k]
    return np.array([value for row in rows for value in row], float), None


def time_scale(times: Floats, rr_ms: Floats) -> float | None:
    """Seconds in a unit of ``times`` if they step by the intervals (1 or 0.001), else None."""
    if len(times) < 2:
        return None
    with np.errstate(all="ignore"):
        for scale in (1.0, 0.001):
            off_ms = np.abs(np.diff(times) * scale * 1000 - rr_ms[1:])
            if np.nanmedian(np.append(off_ms, np.inf)) <= 20:
                return scale
    return None


class RrText:
    """The format ``rr-text``."""

    name = "rr-text"

    def recognises(self, path: Path) -> bool:
        """Whether the file begins with numbers that behave as heartbeats do."""
        try:
            return not path.is_dir() and refusal(head(path)) is None
        except BadFile:
            return False

    def open(self, path: Path) -> Recording:
        """Read all numbers; BadFile names the line where text stands in place of one."""
        whole = rows_in(text_lines(path))
        numbers = without_header(whole)
        headers = len(whole.rows) - len(numbers.rows)
        if not numbers.rows:
            raise BadFile(path, "holds no beat intervals", REMEDY)
        values = _floats(path, numbers)
        rr, beside = split_columns(values)
        rr_ms = in_ms(rr)
        scale = None if beside is None else time_scale(beside, rr_ms)
        times_s = None if beside is None or scale is None else beside * scale
        start_s = begins_s(rr_ms, times_s)
        return recording(path, self.name, Intervals(rr_ms, times_s, headers - 1), start_s)


def _floats(path: Path, numbers: Numbers) -> list[list[float]]:
    try:
        return [list(map(float, row)) for row in numbers.rows]
    except ValueError:
        pass
    for row, line in zip(*numbers, strict=True):
        for text in row:
            if not is_number(text):
                what = f"{quoted(text)} in place of a number"
                raise BadFile(path, what, "correct or remove the line", line)
    raise AssertionError


def begins_s(rr_ms: Floats, times_s: Floats | None) -> float:
    """Return the beginning of the first interval, whose end is in s."""
    known = np.isfinite(rr_ms) & np.isfinite(0.0 if times_s is None else times_s)
    if times_s is None or not known.any():
        return 0.0
    first = int(np.argmin(np.where(known, times_s, np.inf)))
    return float(times_s[first] - rr_ms[first] / 1000)


def recording(path: Path, name: str, read: Intervals, start_s: float) -> Recording:
    """Return what a file holds as a recording."""
    notes: Counter[str] = Counter()
    chunks = partial(_chunks, path, read, notes)
    return Recording(path, name, round(start_s * 1e9), chunks, clock="relative", notes=notes)


def _chunks(path: Path, read: Intervals, notes: Counter[str]) -> Iterator[Chunk]:
    notes.clear()
    rr_ms, times_s = read.rr_ms, read.times_s
    note(notes, "second header within the file", max(read.headers, 0))
    if times_s is None:
        time_ns = ends_ns(rr_ms)
    else:
        known = np.abs(times_s) < LATEST_S
        note(notes, "row without a time, left out", ~known)
        note_order(notes, times_s[known])
        time_ns, rr_ms = _whole_ns(times_s[known]), rr_ms[known]
    if not len(rr_ms):
        raise BadFile(path, "no row has a time in seconds", "give times in s, or none")
    yield from in_blocks((DEVICE,), beats=beats_at(time_ns, rr_ms, BeatKind.RR, notes))


def _whole_ns(seconds: Floats) -> Ints:
    whole: Ints = np.rint(seconds * 1e9).astype(np.int64)
    return whole


def refusal(lines: Sequence[str]) -> str | None:
    """Say why a text that begins so is no list of beat intervals; None where it is one."""
    numbers = rows_in(lines)
    rows = without_header(numbers).rows
    if not rows:
        return "holds a header and no beats" if numbers.rows else "holds no text"
    if _MEASURES.search(lines[0].lower()):
        return "holds measures a day or a session, and no beats"
    if len(rows) < len(numbers.rows) and len(numbers.rows[0]) > 1:
        return "has a header that names no beat intervals"
    read = [[float(text) for text in row if is_number(text)] for row in rows]
    text = [len(row) - len(some) for row, some in zip(rows, read, strict=True)]
    if sum(text[:50]) > 2 or sum(text) > len(rows) / 2:
        return "holds no list of numbers"
    rr, _ = split_columns([row for row in read if row])
    likely = like_heartbeats(in_ms(rr))
    return None if likely else "looks like a waveform, or other numbers than beat intervals"


FORMAT: Final[Format] = RrText()
