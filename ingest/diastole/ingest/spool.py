"""What ingest has taken and the store has not: one SQLite file, each commit on the disk.

Each thread opens a :class:`Spool` of its own on it; the file is made or mended before, by
:func:`prepared`. Once it is in here, a message may be acknowledged.
"""

import shutil
import sqlite3
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from diastole.edge.errors import BadFile, OutputError
from diastole.edge.outputs import make_folder
from diastole.ingest.decoding import Why
from diastole.ingest.ranges import Range, Ranges

SCHEMA: Final = 1
_TABLES: Final = """
CREATE TABLE message (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    received_ms INTEGER NOT NULL, topic TEXT NOT NULL, payload BLOB NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0, live INTEGER NOT NULL
);
CREATE INDEX in_turn ON message (live DESC, id);
CREATE TABLE stream (
    site TEXT NOT NULL, agent TEXT NOT NULL, sid TEXT NOT NULL, held TEXT NOT NULL,
    PRIMARY KEY (site, agent, sid)
) WITHOUT ROWID;
CREATE TABLE dead_letter (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    received_ms INTEGER NOT NULL, topic TEXT NOT NULL, payload BLOB NOT NULL,
    reason TEXT NOT NULL, detail TEXT NOT NULL, tries INTEGER NOT NULL
);
"""
_SLOTS: Final = 1024
"""Pages that a checkpoint waits for: 4 MB of log."""
_PASSES: Final = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
)
_RUINED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_RANGES: Final = msgspec.json.Decoder(list[Range])
_MOST_TEXT: Final = 500


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much the spool may take of the disk."""

    most_bytes: int
    free_bytes: int
    """What must stay free beside it, or within its file."""


class NoRoom(Exception):
    """Nothing more can be kept now, and nothing is lost: what is not kept is not acknowledged."""


class StreamKey(NamedTuple):
    """A stream, within what an agent may write: no agent can fill another one's places."""

    site: str
    agent: str
    sid: str


class Letter(NamedTuple):
    """A message that is kept as it came; ``tries``: how often it has been a dead letter.

    What is ``live`` was said just now, and goes into the store before what waited.
    """

    received_ms: int
    topic: str
    payload: bytes
    tries: int = 0
    live: bool = False


class Dead(NamedTuple):
    """A message that cannot be stored, and why."""

    letter: Letter
    why: Why
    detail: str

    @property
    def about(self) -> str:
        """Return of whom it is and why, in few words."""
        return f"{'/'.join(self.letter.topic.split('/')[2:4])} {self.why.value}"


def prepared(path: Path, wall_ns: int) -> list[str]:
    """Make the spool, or put a ruined one aside; return sentences on what was done.

    Raises OutputError where the place cannot be written, BadFile for the spool of a newer version.
    """
    make_folder(path.parent, 0o700)
    try:
        return _mended(path, wall_ns)
    except (OSError, sqlite3.Error) as error:
        remedy = "free some space, or name another place as [spool] path"
        raise OutputError(path, f"the spool cannot be opened ({error})", remedy) from error


def opened(path: Path) -> "Spool":
    """Open a spool that is there; raise BadFile where there is none, or a ruined one."""
    if not path.is_file():
        raise BadFile(path, "there is no spool", "has ingest run with these settings?")
    try:
        return Spool(path)
    except sqlite3.Error as error:
        what = f"is no spool that can be read ({error})"
        raise BadFile(path, what, "start ingest: it puts a ruined one aside") from error


def _mended(path: Path, wall_ns: int) -> list[str]:
    notes = []
    if path.exists() and not path.stat().st_size:
        notes.append(f"the spool {path} was there and empty: what was in it is lost")
    if path.exists() and _is_ruined(path):
        aside = _put_aside(path, wall_ns)
        notes.append(f"the spool was ruined: a new one is begun, the old one is {aside}")
    with _connected(path) as connection:
        _make(path, connection)
    return notes


def _is_ruined(path: Path) -> bool:
    """Return whether it cannot be read; a full disk or a lock is another matter, and raises."""
    try:
        with _connected(path) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",))
    except sqlite3.DatabaseError as error:
        if _code(error) in _RUINED:
            return True
        raise


def _make(path: Path, connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == SCHEMA:
        return
    if version or connection.execute("SELECT 1 FROM sqlite_schema").fetchone():
        what = f"is a file of schema {version}, this version writes {SCHEMA}"
        raise BadFile(path, what, "use the version that wrote it, or name another [spool] path")
    connection.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {SCHEMA}; COMMIT;")


def _put_aside(path: Path, wall_ns: int) -> Path:
    aside = path.with_name(f"{path.name}.corrupt-{wall_ns // 1_000_000}")
    for end in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + end).rename(aside.with_name(aside.name + end))
    return aside


@contextmanager
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_SLOTS}")
        # What is let go is not overwritten first: that would want as much room again in the log.
        connection.execute("PRAGMA secure_delete = OFF")
        yield connection
    finally:
        connection.close()


def _identity(path: Path) -> tuple[int, int] | None:
    """Return which file lies there, None for none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


class Spool:
    """A way into the spool, for one thread at a time."""

    def __init__(self, path: Path, limits: Limits | None = None) -> None:
        """Open what :func:`prepared` has made; ``limits`` concern what is added by this one."""
        self.path = path
        self._limits = limits
        self._way = _connected(path)
        self._db = self._way.__enter__()
        self._file = _identity(path)

    def close(self) -> None:
        """Close it."""
        self._way.__exit__(None, None, None)

    # ---- in

    def held(self, stream: StreamKey) -> Ranges:
        """Return which places of a stream have ever been kept."""
        query = "SELECT held FROM stream WHERE site = ? AND agent = ? AND sid = ?"
        found = self._db.execute(query, stream).fetchone()
        return Ranges(_RANGES.decode(found[0])) if found else Ranges()

    def keep(
        self,
        letters: Sequence[Letter],
        dead: Sequence[Dead],
        held: Iterable[tuple[StreamKey, Ranges]],
    ) -> None:
        """Keep all of it or nothing; raise NoRoom where there is none, BadFile without a file."""
        if _identity(self.path) != self._file:
            remedy = "start ingest again: a new one is begun, and agents send again what they hold"
            raise BadFile(self.path, "was taken away while ingest ran", remedy)
        self._check_room()
        streams = [(*key, msgspec.json.encode(ranges.ranges).decode()) for key, ranges in held]
        with self._transaction():
            self._put(letters)
            self._bury(dead)
            self._db.executemany(
                "INSERT INTO stream (site, agent, sid, held) VALUES (?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET held = excluded.held",
                streams,
            )

    def _check_room(self) -> None:
        if self._limits is None:
            return
        if self.free_bytes() < self._limits.free_bytes:
            what = f"less than {self._limits.free_bytes / 1e6:g} MB are free beside {self.path}"
            raise NoRoom(what)
        if self.used_bytes() > self._limits.most_bytes:
            what = f"{self.path} has reached its {self._limits.most_bytes / 1e6:g} MB"
            raise NoRoom(what)

    def used_bytes(self) -> int:
        """Return what is in it; room that was freed within the file does not count."""
        return self._pages("page_count") - self._pages("freelist_count")

    def free_bytes(self) -> int:
        """Return the room on the disk, and that within the file, which is used first."""
        return shutil.disk_usage(self.path.parent).free + self._pages("freelist_count")

    def _pages(self, which: str) -> int:
        size, pages = (
            self._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_size", which)
        )
        return int(size * pages)

    def _put(self, letters: Iterable[Letter]) -> None:
        query = (
            "INSERT INTO message (received_ms, topic, payload, tries, live) VALUES (?, ?, ?, ?, ?)"
        )
        self._db.executemany(query, letters)

    def _bury(self, dead: Iterable[Dead]) -> None:
        self._db.executemany(
            "INSERT INTO dead_letter (received_ms, topic, payload, tries, reason, detail)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            ((*d.letter[:4], d.why.value, _text(d.detail[:_MOST_TEXT])) for d in dead),
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Commit what the block does, or take it back; raise NoRoom where the disk is full."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except BaseException as error:
            with suppress(sqlite3.Error):  # a full disk has taken it back already
                self._db.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error) and _code(error) in _PASSES:
                what = f"{self.path} cannot be written ({error})"
                raise NoRoom(what) from error
            raise

    # ---- out

    def oldest(self, most: int) -> Generator[tuple[int, Letter], None, None]:
        """Yield at most so many messages with their numbers: live ones first, then by arrival."""
        query = (
            "SELECT id, received_ms, topic, payload, tries, live FROM message"
            " ORDER BY live DESC, id LIMIT ?"
        )
        for number, received_ms, topic, payload, tries, live in self._db.execute(query, (most,)):
            yield number, Letter(received_ms, topic, payload, tries, live=bool(live))

    def release(self, numbers: Iterable[int], dead: Sequence[Dead]) -> None:
        """Let go of messages that the store has; what it has not are dead letters from now on."""
        with self._transaction():
            self._bury(dead)
            self._db.executemany("DELETE FROM message WHERE id = ?", ((n,) for n in numbers))

    def depth(self) -> tuple[int, int | None]:
        """Return how many messages wait, and when the oldest came (ms)."""
        (waiting,) = self._db.execute("SELECT count(*) FROM message").fetchone()
        first = self._db.execute("SELECT received_ms FROM message ORDER BY id LIMIT 1").fetchone()
        return waiting, first and first[0]

    # ---- dead letters

    def dead_by_reason(self) -> dict[Why, int]:
        """Return how many dead letters there are."""
        query = "SELECT reason, count(*) FROM dead_letter GROUP BY reason"
        return {Why(reason): n for reason, n in self._db.execute(query)}

    def dead_letters(self) -> Iterator[tuple[int, Dead]]:
        """Yield every dead letter with its number."""
        query = "SELECT id, received_ms, topic, payload, tries, reason, detail FROM dead_letter"
        for number, *letter, reason, detail in self._db.execute(f"{query} ORDER BY id"):
            yield number, Dead(Letter(*letter), Why(reason), detail)

    def retry(self, numbers: Sequence[int] | None) -> int:
        """Put dead letters (None: all) back among the messages; return how many there were."""
        fields = "received_ms, topic, payload, tries"
        with self._transaction():
            for where, given in self._chosen(numbers):
                self._db.execute(
                    f"INSERT INTO message ({fields}, live)"
                    f" SELECT {fields}, 0 FROM dead_letter {where} ORDER BY id",
                    given,
                )
            return self._delete(numbers)

    def drop(self, numbers: Sequence[int] | None) -> int:
        """Throw dead letters (None: all) away; return how many there were."""
        with self._transaction():
            return self._delete(numbers)

    def _delete(self, numbers: Sequence[int] | None) -> int:
        return sum(
            self._db.execute(f"DELETE FROM dead_letter {where}", given).rowcount
            for where, given in self._chosen(numbers)
        )

    @staticmethod
    def _chosen(numbers: Sequence[int] | None) -> list[tuple[str, tuple[int, ...]]]:
        return [("", ())] if numbers is None else [("WHERE id = ?", (n,)) for n in numbers]


def _text(text: str) -> str:
    """Return text that SQLite can hold, whatever a payload said."""
    return text.encode("utf-8", "replace").decode("utf-8")
