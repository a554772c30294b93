"""The outbox's file: its tables, how it is opened, and who may hold it."""

import os
import sqlite3
import struct
import zlib
from pathlib import Path
from typing import Final

from diastole.edge.delivery.limits import RECORD_COST, Depth
from diastole.edge.errors import BadFile
from diastole.edge.locks import Lock
from diastole.edge.outputs import make_folder

VERSION: Final = 1
APPLICATION: Final = 0x64696173
PAGE: Final = 4096
CHECKPOINT_PAGES: Final = 512
"""2 MB: what changes each hop is copied back once in a hundred, and the log stays small."""
TOKEN: Final = 16
SEQ_BITS: Final = 40
"""A record's key is its line's number above its place in it: one tree, appended to at few ends."""
BELOW: Final = (1 << SEQ_BITS) - 1

_HEAD: Final = struct.Struct("<II")
_PAD: Final = 512

_TABLES: Final = f"""
PRAGMA application_id = {APPLICATION};
BEGIN;
CREATE TABLE line(
    id INTEGER PRIMARY KEY, sid TEXT NOT NULL UNIQUE, subject TEXT NOT NULL, stream TEXT NOT NULL,
    next INTEGER NOT NULL, upto INTEGER NOT NULL);
CREATE TABLE record(
    id INTEGER PRIMARY KEY, at_ns INTEGER NOT NULL, crc INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE gone(
    line INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, reason TEXT,
    PRIMARY KEY(line, first)) WITHOUT ROWID;
CREATE TABLE kept(
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, body BLOB NOT NULL,
    UNIQUE(kind, name));
CREATE TABLE dropped(reason TEXT PRIMARY KEY, records INTEGER NOT NULL) WITHOUT ROWID;
PRAGMA user_version = {VERSION};
COMMIT;
"""


class Damaged(Exception):
    """The file is not what was written; says how."""


def key(line: int, seq: int) -> int:
    """Return the key of a record."""
    return line << SEQ_BITS | seq


def checksum(body: bytes, place: int) -> int:
    """Return the checksum of bytes that belong in one place."""
    return zlib.crc32(body, (place ^ place >> 32) & 0xFFFF_FFFF)


def padded(body: bytes, place: int) -> bytes:
    """Return bytes as they are kept: a row that keeps its length is overwritten where it lies."""
    head = _HEAD.pack(len(body), checksum(body, place))
    return head + body + bytes(-(len(head) + len(body)) % _PAD)


def unpadded(kept: bytes, place: int) -> bytes | None:
    """Return what was padded; None where it is damaged."""
    if len(kept) < _HEAD.size:
        return None
    size, crc = _HEAD.unpack_from(kept)
    body = kept[_HEAD.size : _HEAD.size + size]
    return body if len(body) == size and checksum(body, place) == crc else None


class Guard:
    """The file beside the outbox: who locks it owns the outbox; its content says which was there.

    At each opening both are given a new token: an outbox with another one is a copy of earlier.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(path.name + ".held")
        try:
            self._lock = Lock(self.path)
        except BlockingIOError:
            what = "another agent holds this outbox"
            raise BadFile(path, what, "stop that one, or give this one another folder") from None

    @property
    def token(self) -> bytes:
        """What was written at the last opening; empty where no file was begun here."""
        self._lock.file.seek(0)
        return self._lock.file.read(TOKEN)

    def renew(self, token: bytes) -> None:
        """Remember a token."""
        self._lock.file.seek(0)
        self._lock.file.write(token)
        os.fsync(self._lock.file.fileno())

    def close(self) -> None:
        """Let another have the outbox."""
        self._lock.close()


def folder_of(path: Path) -> None:
    """Make the folder of the outbox, for its owner alone."""
    if not path.parent.is_dir():
        make_folder(path.parent, 0o700)


def opened(path: Path, *, had_data: bool) -> sqlite3.Connection:
    """Return the file, checked, with its tables.

    Raise Damaged where it is not what was written, BadFile where it is another's or newer.
    """
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        _prepare(database, path, had_data=had_data)
    except BaseException:
        database.close()
        raise
    path.chmod(0o600)
    return database


def _prepare(database: sqlite3.Connection, path: Path, *, had_data: bool) -> None:
    database.execute(f"PRAGMA page_size = {PAGE}")
    (version,) = database.execute("PRAGMA user_version").fetchone()
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and application != APPLICATION:
        raise BadFile(path, "is another program's database", "give the agent another folder")
    if version > VERSION:
        what = f"was written by a newer version (outbox {version}, this one reads {VERSION})"
        raise BadFile(path, what, "update diastole, or move the file away to begin a new one")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("PRAGMA secure_delete = OFF")
    database.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    database.execute(f"PRAGMA journal_size_limit = {2 * CHECKPOINT_PAGES * PAGE}")
    if tables:
        (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise Damaged(str(found).splitlines()[-1])
    elif had_data:
        text = "it is empty, and was not"
        raise Damaged(text)
    else:
        database.executescript(_TABLES)


def depth_at(path: Path) -> Depth:
    """Return what an outbox holds that another process may own; raise BadFile for no outbox."""
    try:
        database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            rows, size, oldest = database.execute(
                "SELECT count(*), coalesce(sum(length(body)), 0), min(at_ns) FROM record"
            ).fetchone()
            dropped = dict(database.execute("SELECT reason, records FROM dropped"))
        finally:
            database.close()
    except sqlite3.Error as error:
        raise BadFile(path, f"is no outbox ({error})", "start the agent once") from None
    return Depth(rows, size + rows * RECORD_COST, oldest, dropped)
