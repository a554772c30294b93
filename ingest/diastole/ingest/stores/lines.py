"""Rows as lines of InfluxDB's protocol: every number a float, every time explicit milliseconds."""

from collections.abc import Iterable

from diastole.ingest.stores import Row, Value
from diastole.ingest.stores.checking import TAGS, check


def lines(rows: Iterable[Row]) -> bytes:
    """Return a line a row; raise RowsRefused for a row that no store takes."""
    return "\n".join(map(_line, rows)).encode()


def _line(row: Row) -> str:
    check(row)  # tags and names need no escape then
    tags = ",".join(f"{tag}={row.tags[tag]}" for tag in TAGS)
    fields = ",".join(f"{name}={_value(value)}" for name, value in row.fields.items())
    return f"{row.measurement},{tags} {fields} {row.time_ms}"


def _value(value: Value) -> str:
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(float(value))
