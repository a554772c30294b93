"""Rows in one file, for whoever has no database: a table a measurement, a column a field.

Its schema may be read by others: the tags and ``time_ms`` are the key of every table, the fields
are columns of REAL or TEXT that appear when first written.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Final

from diastole.edge.errors import BadFile, OutputError
from diastole.edge.outputs import make_folder
from diastole.ingest.stores import Row, RowsRefused, StoreAway
from diastole.ingest.stores.checking import TAGS, check, name_checked

SCHEMA: Final = 1
BUSY_S: Final = 5.0
"""Another writer is waited for so long."""
_KEY: Final = ("time_ms", "subject", "device", "agent", "site")
"""Time first: a span is read in its order, and what is new comes last."""
_PASSES: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


class SqliteStore:
    """A Store in a file that is made when first used."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open: sqlite3.Connection | None = None
        self._columns: dict[str, dict[str, str]] = {}
        """Of each table, its fields and their types."""

    def init(self) -> None:
        """Make the file; raise OutputError where it cannot be, BadFile where it is another."""
        self._connect()

    def write(self, rows: Sequence[Row]) -> None:
        """Keep the rows, all of them or none; a field that is written again is replaced."""
        for row in rows:
            check(row)
        connection, by_table = self._usable(), sorted(rows, key=lambda row: row.measurement)
        with self._told(), connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                for measurement, some in groupby(by_table, lambda row: row.measurement):
                    self._put(connection, measurement, list(some))
            except BaseException:
                self._columns.clear()  # what was added is taken back
                raise

    def read(
        self,
        measurement: str,
        tags: Mapping[str, str],
        fields: Sequence[str],
        start_ms: int,
        end_ms: int,
    ) -> Iterator[Row]:
        """Yield the rows with these tags and one of the fields (none named: all), by time."""
        connection = self._usable()
        columns = self._fields(connection, measurement)
        wanted = [name for name in fields or columns if name in columns]
        if not wanted:
            return
        given = [name_checked(tag) for tag in tags]
        query = (
            f"SELECT time_ms, {', '.join((*TAGS, *wanted))} FROM {measurement}"
            f" WHERE time_ms >= ? AND time_ms < ? {''.join(f'AND {tag} = ? ' for tag in given)}"
            f"ORDER BY {', '.join(_KEY)}"
        )
        with self._told():
            for time_ms, *values in connection.execute(query, (start_ms, end_ms, *tags.values())):
                found = dict(zip(wanted, values[len(TAGS) :], strict=True))
                known = {name: value for name, value in found.items() if value is not None}
                if known:
                    yield Row(measurement, dict(zip(TAGS, values, strict=False)), time_ms, known)

    def count(self) -> dict[str, int]:
        """Return how many rows each measurement has."""
        connection = self._usable()
        with self._told():
            tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
            return {
                name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
                for (name,) in sorted(tables.fetchall())
            }

    def close(self) -> None:
        """Close the file."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _connect(self) -> sqlite3.Connection:
        if self._open is None:
            make_folder(self.path.parent, 0o700)
            self._open = _opened(self.path)
        return self._open

    def _usable(self) -> sqlite3.Connection:
        try:
            return self._connect()
        except (BadFile, OutputError) as error:
            raise StoreAway(str(error), alarm=True) from error

    def _put(self, connection: sqlite3.Connection, table: str, rows: list[Row]) -> None:
        columns = self._made(connection, table, rows)
        names = (*TAGS, "time_ms", *columns)
        renewed = ", ".join(f"{name} = coalesce(excluded.{name}, {name})" for name in columns)
        connection.executemany(
            f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
            f" ON CONFLICT DO UPDATE SET {renewed}",
            (
                (*(row.tags[t] for t in TAGS), row.time_ms, *(row.fields.get(c) for c in columns))
                for row in rows
            ),
        )

    def _made(
        self, connection: sqlite3.Connection, table: str, rows: list[Row]
    ) -> Mapping[str, str]:
        """Return the table's columns, those among them that these rows are the first to need."""
        columns = self._columns.get(table) or self._fields(connection, table)
        self._columns[table] = columns
        if not columns:
            connection.execute(
                f"CREATE TABLE IF NOT EXISTS {table} (time_ms INTEGER NOT NULL,"
                f" {' '.join(f'{tag} TEXT NOT NULL,' for tag in TAGS)}"
                f" PRIMARY KEY ({', '.join(_KEY)})) WITHOUT ROWID"
            )
        for row in rows:
            for name, value in row.fields.items():
                kind = "TEXT" if isinstance(value, str) else "REAL"
                if name not in columns:
                    connection.execute(f"ALTER TABLE {table} ADD COLUMN {name} {kind}")
                    columns[name] = kind
                elif columns[name] != kind:
                    what = f"field {name} of {table} is {columns[name]}, this row has a {kind}"
                    raise RowsRefused(what)
        return columns

    def _fields(self, connection: sqlite3.Connection, table: str) -> dict[str, str]:
        """Return the fields of a table and their types; none where it does not exist."""
        with self._told():
            found = connection.execute(f"PRAGMA table_info({name_checked(table)})").fetchall()
        return {name: kind for _, name, kind, *_ in found if name not in _KEY}

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Tell what SQLite cannot do now as StoreAway."""
        try:
            yield
        except sqlite3.Error as error:
            passes = getattr(error, "sqlite_errorcode", 0) & 0xFF in _PASSES
            what = f"{self.path}: {error}"
            raise StoreAway(what, alarm=not passes) from error


def _opened(path: Path) -> sqlite3.Connection:
    """Return the file, made where it is not there."""
    try:
        path.touch(mode=0o600)  # what a body did is for its owner's eyes
        connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, timeout=BUSY_S
        )
    except (OSError, sqlite3.Error) as error:
        raise OutputError(path, f"cannot be opened ({error})", "choose another place") from error
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version not in (0, SCHEMA):
            remedy = "use the version of diastole that wrote it, or another file"
            raise BadFile(path, f"is a store of schema {version}, this reads {SCHEMA}", remedy)
        if not version:
            connection.execute(f"PRAGMA user_version = {SCHEMA}")
    except sqlite3.Error as error:
        connection.close()
        raise BadFile(path, f"is no store ({error})", "name another file") from error
    except BadFile:
        connection.close()
        raise
    return connection
