"""Beat intervals in a column of a CSV: ``t_s,rr_ms``, ``rr_ms`` or a header that says as much.

Comma, semicolon or tab; other columns are not read. ``t_s`` is the END of an interval and the
recording starts at its 0. Another column that steps by the intervals gives their ends, too; then it
starts with the first interval. Rows that run
backwards are sorted and counted, doubled rows are kept: coverage shows them. The table is read
whole: a day of it is some 100,000 rows.
"""

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from diastole.edge.chunks import Floats
from diastole.edge.errors import BadFile
from diastole.edge.formats import Format, Recording
from diastole.edge.formats.intervals import in_ms, s_to_ms
from diastole.edge.formats.place import reading, text_lines
from diastole.edge.formats.rr_text import (
    REMEDY,
    Intervals,
    begins_s,
    head,
    is_number,
    recording,
    time_scale,
)
from diastole.edge.formats.table import Table, read_table

_INTERVALS: Final = re.compile(r"(rri?|nni?|ibi)(interval)?s?(ms|msec|s|sec|seconds)?")
_UNIT: Final = re.compile(r"[ _(\[](ms|msec|s|sec|seconds)[)\]]?$")


def delimiter_of(header: str) -> str:
    """Return what parts the columns of a header."""
    return max(";\t,", key=header.count)


def interval_column(names: Sequence[str]) -> int | None:
    """Place of the column that a header calls beat intervals, None where there is none."""
    for place, name in enumerate(names):
        if _INTERVALS.fullmatch(re.sub(r"[^a-z0-9]", "", name.lower())):
            return place
    return None


class RrCsv:
    """The format ``rr-csv``."""

    name = "rr-csv"

    def recognises(self, path: Path) -> bool:
        """Whether the first line that is no comment names a column of beat intervals."""
        try:
            lines = [] if path.is_dir() else head(path)
            header = next((line for line in lines if line.strip() and line[0] != "#"), "")
            names = next(csv.reader([header], delimiter=delimiter_of(header)), [])
        except (BadFile, csv.Error):
            return False
        return interval_column(names) is not None

    def open(self, path: Path) -> Recording:
        """Read the table; BadFile names the line where text stands in place of a number."""
        table = _table(path)
        place = interval_column(table.names)
        if place is None:
            raise BadFile(path, "its header names no beat intervals", f"{REMEDY} as rr_ms", 1)
        rr_ms = _rr_ms(table, place)
        if not len(rr_ms):
            raise BadFile(path, "holds a header and no beats", REMEDY)
        times_s = _times_s(table, place, rr_ms)
        start_s = 0.0 if "t_s" in table.names else begins_s(rr_ms, times_s)
        return recording(path, self.name, Intervals(rr_ms, times_s, table.headers), start_s)


def _table(path: Path) -> Table:
    with reading(path):
        lines = list(text_lines(path))
    skipped = next((k for k, line in enumerate(lines) if line.strip() and line[0] != "#"), 0)
    header = lines[skipped] if lines else ""
    return read_table(path, lines[skipped:], delimiter_of(header), skipped + 1)


def _rr_ms(table: Table, place: int) -> Floats:
    """Return the intervals in the unit that the header states; BadFile where it cannot be."""
    rr, name = table.numbers(place), table.names[place]
    unit, likely = _UNIT.search(name.lower()), in_ms(rr)
    if unit is None:
        return likely
    stated = rr if unit[1].startswith("m") else s_to_ms(rr)
    if not np.array_equal(stated, likely, equal_nan=True):
        what = f"the intervals in {name} are not in {unit[1]}"
        raise BadFile(table.where, what, "name the column by its unit, rr_ms or rr_s")
    return stated


def _times_s(table: Table, place: int, rr_ms: Floats) -> Floats | None:
    """Return the ends of the intervals in s: ``t_s``, else a column that steps by the intervals."""
    if "t_s" in table.names:
        times_s = table.numbers(table.names.index("t_s"))
        if time_scale(times_s, rr_ms) == 0.001:
            raise BadFile(table.where, "the times in t_s are not in s", "call the column t_ms")
        return times_s
    for other in range(len(table.names)):
        if other == place or not all(map(is_number, table.columns[other])):
            continue
        times = np.array(table.columns[other], float)
        if (scale := time_scale(times, rr_ms)) is not None:
            return times * scale
    return None


FORMAT: Final[Format] = RrCsv()
