"""A file that is not what was written: put aside, and what can still be read taken over."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from diastole.edge.delivery.file import BELOW, SEQ_BITS, checksum, unpadded

_DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_SHORT: Final = frozenset({sqlite3.SQLITE_IOERR_SHORT_READ})
_FULL: Final = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE}
)
_LOST_TABLE: Final = "no such table"


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether an error says that the file is not what was written."""
    code = _code(error)
    return code & 0xFF in _DAMAGE or code in _SHORT or _LOST_TABLE in str(error)


def is_full(error: sqlite3.Error) -> bool:
    """Return whether an error says that there is no room: a quota and a size limit are IOERR."""
    code = _code(error)
    return code & 0xFF == sqlite3.SQLITE_FULL or code in _FULL


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", None) or 0


def put_aside(path: Path, wall_ns: int) -> Path:
    """Rename a file with its log; return where it is."""
    stamp = datetime.fromtimestamp(wall_ns // 1_000_000_000, UTC).strftime("%Y%m%dT%H%M%SZ")
    aside, n = path.with_name(f"{path.name}.corrupt-{stamp}"), 1
    while aside.exists():
        n += 1
        aside = path.with_name(f"{path.name}.corrupt-{stamp}-{n}")
    for tail in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + tail).replace(aside.with_name(aside.name + tail))
    return aside


def salvage(aside: Path, database: sqlite3.Connection) -> int:
    """Copy what is sound of a file put aside into a new one; return how many records.

    Lines come whole or not at all; of records those before and behind a damaged page; pipeline
    state and cursors all together, as they belong to one moment.
    """
    with closing(sqlite3.connect(f"{aside.absolute().as_uri()}?mode=ro", uri=True)) as old:
        try:
            lines = old.execute("SELECT * FROM line").fetchall()
            gone = old.execute("SELECT * FROM gone").fetchall()
            counts = old.execute("SELECT * FROM dropped").fetchall()
        except (sqlite3.Error, ValueError):
            return 0
        kept = _kept(old)
        try:
            database.execute("BEGIN IMMEDIATE")
            database.executemany("INSERT INTO line VALUES(?, ?, ?, ?, ?, ?)", lines)
            database.executemany("INSERT INTO gone VALUES(?, ?, ?, ?)", gone)
            database.executemany("INSERT INTO dropped VALUES(?, ?)", counts)
            database.executemany("INSERT INTO kept VALUES(?, ?, ?, ?)", kept)
            sound = _records(old, {line[0] for line in lines})
            count = database.executemany("INSERT INTO record VALUES(?, ?, ?, ?)", sound).rowcount
            database.execute("COMMIT")
        except sqlite3.Error:
            with suppress(sqlite3.Error):
                database.execute("ROLLBACK")
            return 0
    return max(count, 0)


def _records(old: sqlite3.Connection, lines: set[int]) -> Iterator[tuple[Any, ...]]:
    """Yield the sound records from both ends, as far as they can be read."""
    seen: set[int] = set()
    for order in ("ASC", "DESC"):
        for row in _until_error(old, f"SELECT * FROM record ORDER BY id {order}"):
            place, _, crc, body = row
            if place in seen:
                break
            seen.add(place)
            sound = isinstance(body, bytes) and checksum(body, place) == crc
            if sound and place >> SEQ_BITS in lines and place & BELOW:
                yield row


def _kept(old: sqlite3.Connection) -> list[tuple[Any, ...]]:
    try:
        rows = old.execute("SELECT * FROM kept").fetchall()
        sound = all(unpadded(row[3], row[0]) is not None for row in rows)
    except (sqlite3.Error, TypeError, ValueError):
        return []
    return rows if sound else []


def _until_error(old: sqlite3.Connection, query: str) -> Iterator[tuple[Any, ...]]:
    with suppress(sqlite3.Error, ValueError), closing(old.execute(query)) as rows:
        yield from rows
