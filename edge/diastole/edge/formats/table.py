"""A small table of text: columns by name, numbers with the line of what is none."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from diastole.edge.chunks import Floats
from diastole.edge.errors import BadFile
from diastole.edge.formats.place import quoted


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of one file as text, and the line that each row came from."""

    where: Path | str
    names: tuple[str, ...]
    columns: tuple[tuple[str, ...], ...]
    lines: list[int]
    headers: int = 0
    """How often the header stands again between the rows."""

    def text(self, name: str) -> tuple[str, ...]:
        """Return the column ``name``; BadFile where there is none."""
        if name not in self.names:
            raise BadFile(self.where, f"has no column {name}", "give the file as it was published")
        return self.columns[self.names.index(name)]

    def numbers(self, column: str | int) -> Floats:
        """Return a column as numbers, an empty cell as NaN; BadFile names the line of text."""
        cells = self.text(column) if isinstance(column, str) else self.columns[column]
        try:
            return np.array(list(map(float, cells)))
        except ValueError:
            pass
        values = np.full(len(cells), np.nan)
        for k, cell in enumerate(cells):
            try:
                values[k] = float(cell.replace(",", ".") or "nan")
            except ValueError:
                what = f"{quoted(cell)} in place of a number"
                raise BadFile(
                    self.where, what, "correct or remove the line", self.lines[k]
                ) from None
        return values

    def once(self) -> "Table":
        """Return the table without the rows that equal one before in every column."""
        first: dict[tuple[str, ...], int] = {}
        for k, row in enumerate(zip(*self.columns, strict=True)):
            first.setdefault(row, k)
        if len(first) == len(self.lines):
            return self
        columns = tuple(zip(*first, strict=True))
        return replace(self, columns=columns, lines=[self.lines[k] for k in first.values()])


def read_table(
    where: Path | str, lines: Iterable[str], delimiter: str = ",", first_line: int = 1
) -> Table:
    """Return the table under a header line; BadFile where a row has other fields than it.

    A header that stands again between the rows is no row.
    """
    reader = csv.reader(lines, delimiter=delimiter)
    rows: list[list[str]] = []
    numbers: list[int] = []
    headers = 0
    try:
        header = next(reader, [])
        names = tuple(name.strip() for name in header)
        for row in reader:
            if not any(map(str.strip, row)):
                continue
            if row == header:
                headers += 1
                continue
            line = reader.line_num + first_line - 1
            if len(row) != len(names):
                what = f"{len(row)} fields where the header has {len(names)}"
                raise BadFile(where, what, "correct or remove the line", line)
            rows.append(row)
            numbers.append(line)
    except csv.Error as error:
        line = reader.line_num + first_line - 1
        raise BadFile(where, f"no table ({error})", "correct the line", line) from None
    columns = tuple(zip(*rows, strict=True)) if rows else tuple(() for _ in names)
    return Table(where, names, columns, numbers, headers)
