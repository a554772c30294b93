"""Readings and beats as files: Parquet, CSV and JSON lines that carry units and provenance.

A table is columns by name: text as unicode arrays, flags as bool, counts as int64, numbers as
float64. NaN and the empty string mean absent: null in Parquet and JSON, an empty field in CSV.

- Parquet: ``time`` is a timestamp, ``unit`` stands in a field's metadata, provenance in the
  schema's.
- CSV is plain, so that every reader takes it. Types, units and provenance stand beside it in
  ``NAME.csv-metadata.json``, as the W3C's "CSV on the Web" has it.
- JSON lines: the first line holds ``provenance``, ``units`` and ``types``, each other one a row.
"""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from diastole.edge.errors import BadFile, InputError, MissingExtra
from diastole.edge.outputs import refuse_existing, whole_file
from diastole.edge.schema import FEATURES, INPUTS

if TYPE_CHECKING:
    import pyarrow as pa

Columns = Mapping[str, NDArray[Any]]
Provenance = Mapping[str, str]

READING_UNITS: Final[dict[str, str]] = {
    **dict.fromkeys(("session", "subject", "device", "time"), ""),
    "t_s": "s",
    "window_s": "s",
    **{feature.name: feature.unit for feature in FEATURES},
    **{item.name: item.unit for item in INPUTS},
    "beats": "1",
    "coverage": "1",
    "source": "",
    "grade": "",
    "p_stress": "1",
    **dict.fromkeys(("decision", "reason", "able", "normal_status"), ""),
    "normal_have": "1",
    "normal_need": "1",
    "normal_hr_low_bpm": "bpm",
    "normal_hr_high_bpm": "bpm",
    "normal_rmssd_low_ms": "ms",
    "normal_rmssd_high_ms": "ms",
    "activity_mg": "mg",
    "still_min": "min",
    **dict.fromkeys(("exertion", "asleep", "model", "simulated", "label"), ""),
}
"""Columns of a table of readings, in order (``label`` where there are labels); "" has no unit."""

BEAT_UNITS: Final[dict[str, str]] = {
    "t_s": "s",
    "rr_ms": "ms",
    **dict.fromkeys(("kind", "device", "accepted", "reason"), ""),
}
"""Columns of a table of beats, in order."""

EPISODE_UNITS: Final[dict[str, str]] = {
    "session": "",
    "t_start_s": "s",
    "t_end_s": "s",
    "peak_p": "1",
    **dict.fromkeys(("notify", "drivers", "notify_reason"), ""),
    "t_told_s": "s",
    "mean_p": "1",
    "end_reason": "",
    "recovery_s": "s",
    **dict.fromkeys(("device", "simulated"), ""),
}
"""Columns of a table of episodes, in order."""

_UNITS: Final = READING_UNITS | BEAT_UNITS | EPISODE_UNITS
METADATA: Final = "-metadata.json"
_TYPES: Final = {"f": "number", "i": "integer", "u": "integer", "b": "boolean", "U": "string"}
_DTYPES: Final = {
    "number": np.float64,
    "integer": np.int64,
    "boolean": np.bool_,
    "string": np.str_,
    "datetime": np.str_,
}


def default_suffix() -> str:
    """Return ``.parquet`` where pyarrow is installed, else ``.csv``."""
    return ".parquet" if find_spec("pyarrow") else ".csv"


def check_suffix(path: Path) -> None:
    """Raise InputError where no table is written under this name: worth asking early."""
    suffix = path.suffix.lower()
    if suffix not in _WRITERS:
        what = f"{path}: no table is written as {suffix or 'a file without a suffix'}"
        raise InputError(what, f"end the name in {', '.join(_WRITERS)}")
    if suffix == ".parquet":
        _pyarrow("a Parquet table")


def write(columns: Columns, path: Path, provenance: Provenance, *, force: bool = False) -> None:
    """Write a table by the suffix of ``path``, whole or not at all.

    Raise InputError for another suffix, OutputError where ``path`` exists (unless ``force``) or
    cannot be written.
    """
    check_suffix(path)
    writer = _WRITERS[path.suffix.lower()]
    beside_path = metadata_path(path)
    for wanted in (path, beside_path):
        if wanted is not None:
            refuse_existing(wanted, force=force)
    with whole_file(path, force=force) as stream:
        writer(columns, provenance, stream)
        if beside_path is not None:
            stream.flush()  # a full disk shows before anything stands beside the table
            with whole_file(beside_path, force=force) as beside:
                beside.write(_csv_metadata(columns, provenance, path.name))


def to_arrow(columns: Columns, provenance: Provenance) -> "pa.Table":
    """Return the table as Arrow has it: units in the fields, provenance in the schema."""
    arrow = _pyarrow("an Arrow table")
    arrays = [_arrow_array(name, column) for name, column in columns.items()]
    fields = [
        arrow.field(name, array.type, metadata={"unit": _UNITS[name]} if _UNITS.get(name) else None)
        for name, array in zip(columns, arrays, strict=True)
    ]
    return arrow.table(arrays, schema=arrow.schema(fields, metadata=dict(provenance)))


def columns_of(rows: Sequence[Mapping[str, object]]) -> Columns:
    """Turn rows of one and the same keys into columns."""
    names = rows[0] if rows else ()
    return {name: np.array([row[name] for row in rows]) for name in names}


def read_columns(path: Path) -> dict[str, NDArray[Any]]:
    """Read back a table that :func:`write` wrote."""
    return _read(path)[0]


def read_provenance(path: Path) -> dict[str, str]:
    """Read back what a table that :func:`write` wrote came from."""
    return _read(path)[1]


def _pyarrow(purpose: str) -> Any:
    try:
        import pyarrow
    except ImportError as error:
        library = "pyarrow"
        raise MissingExtra(library, "tables", purpose) from error
    return pyarrow


def _arrow_array(name: str, column: NDArray[Any]) -> Any:
    import pyarrow as arrow

    if name == "time":
        present = column != ""
        times = np.where(present, column.astype("U23"), "NaT").astype("datetime64[ms]")
        return arrow.array(times, arrow.timestamp("ms", tz="UTC"), mask=~present)
    if column.dtype.kind == "U":
        return arrow.array(column.astype(object), arrow.string(), mask=column == "")
    return arrow.array(column, from_pandas=True)


def _write_parquet(columns: Columns, provenance: Provenance, stream: BinaryIO) -> None:
    table = to_arrow(columns, provenance)
    from pyarrow import parquet

    parquet.write_table(table, stream, compression="zstd")


def _write_csv(columns: Columns, _: Provenance, stream: BinaryIO) -> None:
    text = io.TextIOWrapper(stream, "utf-8", newline="")
    lists = [
        np.where(column, "true", "false").tolist() if column.dtype.kind == "b" else _cells(column)
        for column in columns.values()
    ]
    writer = csv.writer(text, lineterminator="\n")  # floats by repr: the shortest that round-trips
    writer.writerow(columns)
    writer.writerows(zip(*lists, strict=True))
    text.flush()
    text.detach()


def _write_jsonl(columns: Columns, provenance: Provenance, stream: BinaryIO) -> None:
    head = {"provenance": dict(provenance), "units": _units(columns), "types": _types(columns)}
    rows = zip(*map(_cells, columns.values()), strict=True)
    encoder = msgspec.json.Encoder()
    stream.write(encoder.encode(head) + b"\n")
    stream.writelines(encoder.encode(dict(zip(columns, row, strict=True))) + b"\n" for row in rows)


_WRITERS: Final[dict[str, Callable[[Columns, Provenance, BinaryIO], None]]] = {
    ".parquet": _write_parquet,
    ".csv": _write_csv,
    ".jsonl": _write_jsonl,
}


def _cells(column: NDArray[Any]) -> list[Any]:
    """Values as Python has them, None where absent."""
    cells: NDArray[Any] = column.astype(object)
    if column.dtype.kind == "f":
        cells[np.isnan(column)] = None
    elif column.dtype.kind == "U":
        cells[column == ""] = None
    listed: list[Any] = cells.tolist()
    return listed


def _units(columns: Iterable[str]) -> dict[str, str]:
    return {name: _UNITS[name] for name in columns if _UNITS.get(name)}


def _types(columns: Columns) -> dict[str, str]:
    return {
        name: "datetime" if name == "time" else _TYPES[column.dtype.kind]
        for name, column in columns.items()
    }


def metadata_path(path: Path) -> Path | None:
    """Return where the metadata of a table stand that cannot carry them itself: a CSV."""
    if path.suffix.lower() != ".csv":
        return None
    return path.with_name(f"{path.name}{METADATA}")


def _csv_metadata(columns: Columns, provenance: Provenance, url: str) -> bytes:
    described = [
        {"name": name, "datatype": kind}
        | ({"schema:unitText": _UNITS[name]} if _UNITS.get(name) else {})
        for name, kind in _types(columns).items()
    ]
    metadata = {
        "@context": "http://www.w3.org/ns/csvw",
        "url": url,
        "notes": {"provenance": dict(provenance)},
        "tableSchema": {"columns": described},
    }
    return msgspec.json.format(msgspec.json.encode(metadata)) + b"\n"


def _read(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    readers = {".parquet": _read_parquet, ".csv": _read_csv, ".jsonl": _read_jsonl}
    try:
        return readers[path.suffix.lower()](path)
    except (OSError, KeyError, StopIteration, ValueError) as error:
        beside = metadata_path(path)
        remedy = "write it anew" if beside is None else f"keep {beside.name}"
        raise BadFile(path, f"is no whole table of diastole ({error})", remedy) from error


def _read_parquet(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    _pyarrow("reading Parquet")
    from pyarrow import parquet

    table = parquet.read_table(path)
    columns: dict[str, NDArray[Any]] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        kind = str(column.type)
        if kind == "string":
            columns[name] = np.array(column.fill_null("").to_pylist(), np.str_)
        elif name == "time":
            times = column.to_numpy().astype("datetime64[ms]")
            stamped = np.strings.add(np.datetime_as_string(times, "ms"), "+00:00")
            columns[name] = np.where(np.isnat(times), "", stamped)
        else:
            columns[name] = column.to_numpy()
    metadata = table.schema.metadata or {}
    return columns, {key.decode(): value.decode() for key, value in metadata.items()}


def _read_csv(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    metadata = msgspec.json.decode(path.with_name(f"{path.name}{METADATA}").read_bytes())
    types = {column["name"]: column["datatype"] for column in metadata["tableSchema"]["columns"]}
    with path.open(encoding="utf-8", newline="") as stream:
        lines = csv.reader(stream)
        names = next(lines)
        columns = list(zip(*lines, strict=True)) or [()] * len(names)
    return {
        name: _typed([_parsed(cell, types[name]) for cell in column], types[name])
        for name, column in zip(names, columns, strict=True)
    }, metadata["notes"]["provenance"]


def _read_jsonl(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    with path.open("rb") as stream:
        head = msgspec.json.decode(next(stream))
        rows = [msgspec.json.decode(line) for line in stream]
    types = head["types"]
    columns = {name: _typed([row[name] for row in rows], types[name]) for name in types}
    return columns, head["provenance"]


def _parsed(cell: str, kind: str) -> object:
    if kind == "boolean":
        return cell == "true"
    return cell or None


def _typed(cells: Sequence[object], kind: str) -> NDArray[Any]:
    absent = np.nan if kind == "number" else ""
    return np.array([absent if cell is None else cell for cell in cells], _DTYPES[kind])
