"""The outbox: what the agent has said, on the disk until ingest holds it.

SQLite, each tick one durable transaction. Owned by one thread at a time. ``notes`` gathers
sentences for the user (who reads them empties it); nothing of the disk's trouble is raised after
:meth:`Outbox.open`.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from diastole.edge.delivery import Tick
from diastole.edge.delivery.book import Book, Line
from diastole.edge.delivery.bounds import drop_old, make_room
from diastole.edge.delivery.damage import is_damage, is_full, put_aside, salvage
from diastole.edge.delivery.file import (
    Damaged,
    Guard,
    checksum,
    folder_of,
    key,
    opened,
    unpadded,
)
from diastole.edge.delivery.limits import DAY_NS, Depth, Dropped, Limits
from diastole.edge.delivery.ranges import of_places
from diastole.edge.delivery.room import Room
from diastole.edge.delivery.waiting import Waiting
from diastole.edge.errors import OutputError, shown
from diastole.edge.wire.messages import Held

__all__ = ["Depth", "Limits", "Line", "Outbox"]

EVERY_NS: Final = 60 * 1_000_000_000
"""Age, ballast and the file's presence are looked after so often."""
PORTION: Final = 256 << 10
"""So much is dropped at least where the disk has no room."""
MAGIC: Final = b"SQLite format 3\0"
MOST_NOTES: Final = 100
PLACE_COST: Final = 12
"""Of a record in a message, beside its bytes: a comma and its place."""


class Outbox:
    """What an agent holds for ingest."""

    def __init__(self, path: Path, limits: Limits, wall_ns: Callable[[], int], guard: Guard):
        self.notes: list[str] = []
        self._path = path
        self._limits = limits
        self._wall_ns = wall_ns
        self._guard = guard
        self._room = Room(path)
        self._waiting = Waiting()
        self._database: sqlite3.Connection | None = None
        self._book: Book
        self._file = (0, 0)
        self._looked_ns: int | None = None
        self._begin(had_data=guard.had_data)

    @classmethod
    def open(cls, path: Path, limits: Limits, wall_ns: Callable[[], int]) -> "Outbox":
        """Open the outbox at ``path``, or begin one; a damaged file is put aside (see ``notes``).

        Raise an InputError where another agent holds it, a newer version wrote it, or nothing can
        be written there.
        """
        folder_of(path)
        try:
            guard = Guard(path)
        except OSError as error:
            raise _unwritable(path, error) from error
        try:
            return cls(path, limits, wall_ns, guard)
        except (OSError, sqlite3.Error) as error:
            guard.close()
            raise _unwritable(path, error) from error
        except BaseException:
            guard.close()
            raise

    def close(self) -> None:
        """Write what waits, and let another have the file."""
        self._flush()
        if self._database is not None:
            with suppress(sqlite3.Error):
                self._database.close()
            self._database = None
        self._guard.close()

    # ---- what comes in

    def commit(self, tick: Tick) -> bool:
        """Write a tick whole; return whether it is durable.

        Else it waits in memory, up to a bound, and is written with the next one: a note says so.
        """
        now_ns = self._wall_ns()
        for sentence in self._waiting.add(tick, now_ns):
            self._note(sentence)
        self._look_after(now_ns)
        return self._flush()

    def state(self, subject: str) -> bytes | None:
        """Return a subject's pipeline state, None where there is none."""
        return self._waiting.states.get(subject) or self._kept("state", subject)

    def cursor(self, name: str) -> bytes | None:
        """Return how far a source has been read, None where it is new."""
        return self._waiting.cursors.get(name) or self._kept("cursor", name)

    # ---- what goes out

    @property
    def lines(self) -> dict[str, Line]:
        """What is held, by ``sid``; not to be changed."""
        return self._book.lines

    def is_newest(self, line: Line) -> bool:
        """Return whether this is the incarnation that its stream goes on in."""
        return self._book.current.get((line.subject, line.stream)) == line.sid

    def streams(self) -> dict[str, tuple[int, int]]:
        """Return the first and last place of each line that ingest does not hold whole."""
        return {
            sid: (line.upto + 1, line.last)
            for sid, line in self._book.lines.items()
            if not line.done
        }

    def take(
        self, sid: str, first: int, last: int, records: int, size: int
    ) -> list[tuple[int, bytes]]:
        """Return records of these places, at most so many and so many bytes, but one at least."""
        line = self._book.lines.get(sid)
        if line is None:
            return []
        taken: list[tuple[int, bytes]] = []
        broken: list[int] = []
        for place, crc, body in self._read(line, first, last):
            if checksum(body, place) != crc:
                broken.append(place - key(line.id, 0))
                continue
            size -= len(body) + PLACE_COST
            if taken and size < 0:
                break
            taken.append((place - key(line.id, 0), body))
            if len(taken) == records:
                break
        if broken:
            self._note(f"{len(broken)} records of the outbox were damaged and are dropped")
            self._change(lambda book: book.drop(sid, of_places(broken), Dropped.DAMAGED))
        return taken

    def release(self, held: Sequence[Held]) -> None:
        """Let go, in one transaction, what ingest holds durably."""
        lines = self._book.lines
        known = [one for one in held if one.sid in lines]
        news = [one for one in known if lines[one.sid].after(one) is not lines[one.sid]]

        def let_go(book: Book) -> None:
            for one in news:
                if one.sid in book.lines:
                    book.release(one)

        if news:
            self._change(let_go)

    def depth(self) -> Depth:
        """Return what it holds, and what it has let go since its file was begun."""
        lines = [line for line in self._book.lines.values() if line.rows]
        heads = []
        if self._database is not None:
            with suppress(sqlite3.Error):
                for line in lines:
                    query = "SELECT at_ns FROM record WHERE id >= ? ORDER BY id LIMIT 1"
                    heads += [at for (at,) in self._database.execute(query, (key(line.id, 0),))]
        return Depth(
            sum(line.rows for line in lines),
            sum(line.bytes for line in lines),
            min(heads, default=None),
            dict(self._book.dropped),
            len(self._waiting),
        )

    # ---- the disk

    def _flush(self) -> bool:
        if not self._waiting:
            return True
        if self._room.is_low:
            self._change(self._reuse)
        if not self._change(self._waiting.write):
            self._waiting.bound()
            return False
        self._waiting = Waiting()
        self._bound()
        return True

    def _bound(self) -> None:
        over = sum(line.bytes for line in self._book.lines.values()) - self._limits.max_mb * 1e6
        if over > 0:
            wanted = int(over + self._limits.max_mb * 1e4)  # a hundredth more: not at each tick
            self._note(f"the outbox is full ({self._limits.max_mb:g} MB): the least needed goes")
            self._change(lambda book: _discard(make_room(book, wanted)))

    def _reuse(self, book: Book) -> None:
        """Have what waits take the place of what is dropped, as far as there is none free."""
        (free,) = book.database.execute("PRAGMA freelist_count").fetchone()
        (page,) = book.database.execute("PRAGMA page_size").fetchone()
        if free * page < 2 * self._waiting.bytes + PORTION // 2:
            self._note("the disk is nearly full: the outbox drops the least needed")
            make_room(book, PORTION + 2 * self._waiting.bytes)

    def _change(self, change: Callable[[Book], None]) -> bool:
        """Do one transaction, with whatever helps it along; return whether it is durable."""
        remedies = iter((self._throw_off, self._give_way))
        repaired = False
        while True:
            try:
                self._again()
                with self._transaction() as book:
                    change(book)
            except (sqlite3.Error, OSError, Damaged) as error:
                full = isinstance(error, sqlite3.Error) and is_full(error)
                if _damaged(error) and not repaired:
                    repaired = True
                    if self._replace(error):
                        continue
                elif full and (remedy := next(remedies, None)):
                    remedy()
                    continue
                self._note(
                    f"the outbox cannot be written ({error}): what is new waits in memory; "
                    "free or mend the disk"
                )
                return False
            return True

    @contextmanager
    def _transaction(self) -> Iterator[Book]:
        book = self._book.copy()
        database = book.database
        database.execute("BEGIN IMMEDIATE")
        try:
            yield book
            book.save()
            database.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                database.execute("ROLLBACK")
            raise
        self._book = book

    def _throw_off(self) -> None:
        if self._room.throw_off():
            self._note("the disk is full: the outbox has given up its ballast")
        with suppress(sqlite3.Error):
            self._book.database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _give_way(self) -> None:
        self._note("the disk is full: the outbox drops the least needed")
        wanted = PORTION + 2 * self._waiting.bytes
        with suppress(sqlite3.Error), self._transaction() as book:
            make_room(book, wanted)
        with suppress(sqlite3.Error):
            self._book.database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    # ---- the file

    def _begin(self, *, had_data: bool) -> None:
        try:
            self._database = opened(self._path, had_data=had_data)
            self._load()
        except (sqlite3.Error, Damaged) as error:
            if not _damaged(error):
                raise
            self._anew(error)
        self._guard.begun()

    def _anew(self, error: Exception) -> None:
        """Put the damaged file aside and begin another with what can be read of it."""
        if self._database is not None:
            with suppress(sqlite3.Error):
                self._database.close()
            self._database = None
        aside = put_aside(self._path, self._wall_ns())
        self._database = opened(self._path, had_data=False)
        found = salvage(aside, self._database) if aside.exists() else 0
        self._note(
            f"the outbox {shown(self._path)} was damaged ({error}): it lies beside as "
            f"{aside.name}, {found} records of it were taken over, a new one is begun"
        )
        self._load()

    def _load(self) -> None:
        assert self._database is not None
        found = self._path.stat()
        self._file = (found.st_dev, found.st_ino)
        self._book = Book.read(self._database)
        vanished: list[int] = []
        self._change(lambda book: vanished.append(book.settle()))
        if any(vanished):
            self._note(f"{vanished[-1]} records have vanished from the outbox; ingest is told")

    def _replace(self, error: Exception) -> bool:
        try:
            self._anew(error)
        except (sqlite3.Error, OSError, Damaged) as second:
            self._note(f"a new outbox cannot be begun ({second})")
            return False
        return True

    def _again(self) -> None:
        """Begin again where the file could not be replaced before."""
        if self._database is None:
            self._begin(had_data=False)

    def _look_after(self, now_ns: int) -> None:
        """See each minute, and at a step of the clock, to what time does to an outbox."""
        if self._looked_ns is not None and 0 <= now_ns - self._looked_ns < EVERY_NS:
            return
        self._looked_ns = now_ns
        self._room.take_on()
        self._change(self._same_file)
        before_ns = now_ns - int(self._limits.max_days * DAY_NS)
        self._change(lambda book: drop_old(book, before_ns))

    def _same_file(self, _: Book) -> None:
        try:
            found = self._path.stat()
            with self._path.open("rb") as file:
                head = file.read(len(MAGIC))
        except FileNotFoundError:
            text = "it was removed"
            raise Damaged(text) from None
        if (found.st_dev, found.st_ino) != self._file or head != MAGIC:
            text = "it was emptied or replaced"
            raise Damaged(text)

    # ---- reading

    def _read(self, line: Line, first: int, last: int) -> Iterator[tuple[int, int, bytes]]:
        """Yield ``(key, checksum, bytes)``; a file that turns out damaged is replaced."""
        if self._database is None or first > last:
            return
        span = (key(line.id, max(first, 1)), key(line.id, min(last, line.last)))
        query = "SELECT id, crc, body FROM record WHERE id BETWEEN ? AND ? ORDER BY id"
        try:
            with closing(self._database.execute(query, span)) as rows:
                yield from rows
        except sqlite3.Error as error:
            if is_damage(error):
                self._replace(error)
            else:
                self._note(f"the outbox cannot be read ({error})")

    def _kept(self, kind: str, name: str) -> bytes | None:
        number = self._book.kept.get((kind, name))
        if number is None or self._database is None:
            return None
        with suppress(sqlite3.Error):
            row = self._database.execute("SELECT body FROM kept WHERE id = ?", (number,)).fetchone()
            if row and (body := unpadded(row[0], number)) is not None:
                return body
        self._note(f"the {kind} of {name} in the outbox is damaged: it begins anew")
        return None

    def _note(self, sentence: str) -> None:
        if sentence not in self.notes[-10:]:
            self.notes[MOST_NOTES - 1 :] = []
            self.notes.append(sentence)


def _damaged(error: BaseException) -> bool:
    return isinstance(error, Damaged) or (isinstance(error, sqlite3.Error) and is_damage(error))


def _discard(_: object) -> None:
    """Leave a result unused."""


def _unwritable(path: Path, error: Exception) -> OutputError:
    reason = getattr(error, "strerror", None) or str(error)
    return OutputError(path, f"cannot be written ({reason.lower()})", "choose another folder")
