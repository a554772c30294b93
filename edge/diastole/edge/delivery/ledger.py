"""The outbox's file as its owner holds it: transactions that get over what befalls a disk.

A full disk gets room (the ballast, then what is least needed), a damaged file is put aside and a
new one begun; what cannot be helped at the moment is a note, and the caller's to try again.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from diastole.edge.delivery.book import Book, Line
from diastole.edge.delivery.bounds import make_room
from diastole.edge.delivery.damage import is_damage, is_full, put_aside, salvage
from diastole.edge.delivery.file import TOKEN, Damaged, Guard, folder_of, key, opened, unpadded
from diastole.edge.delivery.room import Room
from diastole.edge.errors import OutputError, shown

PORTION: Final = 256 << 10
"""So much is dropped at least where the disk has no room."""
MAGIC: Final = b"SQLite format 3\0"
MOST_NOTES: Final = 100

Change = Callable[[Book], None]


class Ledger:
    """A database, its book, and the notes of what happened to them."""

    def __init__(self, path: Path, wall_ns: Callable[[], int], guard: Guard) -> None:
        self.notes: list[str] = []
        self.room = Room(path)
        self.book: Book
        self._path, self._wall_ns, self._guard = path, wall_ns, guard
        self._database: sqlite3.Connection | None = None
        self._file = (0, 0)
        self._begin(had_data=bool(guard.token))

    def close(self) -> None:
        """Let another have the file."""
        if self._database is not None:
            with suppress(sqlite3.Error):
                self._database.close()
            self._database = None
        self._guard.close()

    def note(self, sentence: str) -> None:
        """Say something to the user, once."""
        if sentence not in self.notes[-10:]:
            del self.notes[: max(0, len(self.notes) - MOST_NOTES + 1)]
            self.notes.append(sentence)

    # ---- writing

    def change(self, change: Change, need: int = 0) -> bool:
        """Do one transaction, with whatever helps it along; return whether it is durable.

        ``need`` is about how many bytes it adds.
        """
        remedies = iter((self._throw_off, lambda: self._give_way(need)))
        repaired = False
        while True:
            try:
                if self._database is None:
                    self._begin(had_data=False)
                with self._transaction() as book:
                    change(book)
            except (sqlite3.Error, OSError, Damaged) as error:
                if _damaged(error) and not repaired:
                    repaired = True
                    if self._replace(error):
                        continue
                elif _full(error) and (remedy := next(remedies, None)):
                    remedy()
                    continue
                self.note(
                    f"the outbox cannot be written ({error}): what is new waits in memory; "
                    "free or mend the disk"
                )
                return False
            return True

    def reuse(self, book: Book, need: int) -> None:
        """Have what comes take the place of what is dropped, as far as there is none free."""
        (free,) = book.database.execute("PRAGMA freelist_count").fetchone()
        (page,) = book.database.execute("PRAGMA page_size").fetchone()
        if free * page < 2 * need + PORTION // 2:
            self.note("the disk is nearly full: the outbox drops the least needed")
            make_room(book, 2 * need + PORTION)

    def check_file(self, _: Book) -> None:
        """Raise Damaged where the file is not the one that was opened."""
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

    @contextmanager
    def _transaction(self) -> Iterator[Book]:
        book = self.book.copy()
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
        self.book = book

    def _throw_off(self) -> None:
        if self.room.throw_off():
            self.note("the disk is full: the outbox has given up its ballast")
        self._checkpoint()

    def _give_way(self, need: int) -> None:
        self.note("the disk is full: the outbox drops the least needed")
        with suppress(sqlite3.Error), self._transaction() as book:
            make_room(book, 2 * need + PORTION)
        self._checkpoint()

    def _checkpoint(self) -> None:
        with suppress(sqlite3.Error):
            self.book.database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    # ---- the file

    def _begin(self, *, had_data: bool) -> None:
        try:
            self._database = opened(self._path, had_data=had_data)
            self._load(self._database)
        except (sqlite3.Error, Damaged) as error:
            if not _damaged(error):
                raise
            self._anew(error)

    def _load(self, database: sqlite3.Connection, *, sound: bool = True) -> None:
        found = self._path.stat()
        self._file = (found.st_dev, found.st_ino)
        self.book = Book.read(database)
        if sound and self._guard.token == (self.kept("token", "") or b""):
            self.book.go_on()
        elif sound:
            self.note("the outbox is another than at the last start: its streams begin anew")
        vanished: list[int] = []
        token = os.urandom(TOKEN)

        def settle(book: Book) -> None:
            vanished.append(book.settle())
            book.keep("token", "", token)

        if self.change(settle):
            self._guard.renew(token)
        if any(vanished):
            self.note(f"{vanished[-1]} records have vanished from the outbox; ingest is told")

    def _anew(self, error: Exception) -> None:
        """Put the damaged file aside and begin another with what can be read of it."""
        if self._database is not None:
            with suppress(sqlite3.Error):
                self._database.close()
            self._database = None
        aside = put_aside(self._path, self._wall_ns())
        folder_of(self._path)
        database = opened(self._path, had_data=False)
        found = salvage(aside, database) if aside.exists() else 0
        self._database = database
        lies = f"it lies beside as {aside.name}, " if aside.exists() else ""
        self.note(
            f"the outbox {shown(self._path)} was damaged ({error}): {lies}"
            f"{found} records of it were taken over, a new one is begun"
        )
        self._load(database, sound=False)

    def _replace(self, error: Exception) -> bool:
        try:
            self._anew(error)
        except (sqlite3.Error, OSError, OutputError, Damaged) as second:
            self.note(f"a new outbox cannot be begun ({second})")
            return False
        return True

    # ---- reading

    def rows(self, line: Line, first: int, last: int) -> Iterator[tuple[int, int, bytes]]:
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
                self.note(f"the outbox cannot be read ({error})")

    def oldest_ns(self) -> int | None:
        """Return when the oldest record was committed."""
        if self._database is None:
            return None
        query = "SELECT at_ns FROM record WHERE id >= ? ORDER BY id LIMIT 1"
        heads: list[int] = []
        with suppress(sqlite3.Error):
            for line in self.book.lines.values():
                if line.rows:
                    heads += [at for (at,) in self._database.execute(query, (key(line.id, 0),))]
        return min(heads, default=None)

    def kept(self, kind: str, name: str) -> bytes | None:
        """Return what was kept under a name; None, and a note, where it is damaged."""
        number = self.book.kept.get((kind, name))
        if number is None or self._database is None:
            return None
        with suppress(sqlite3.Error):
            row = self._database.execute("SELECT body FROM kept WHERE id = ?", (number,)).fetchone()
            if row and (body := unpadded(row[0], number)) is not None:
                return body
        self.note(f"the {kind} of {name} in the outbox is damaged: it begins anew")
        return None


def _damaged(error: Exception) -> bool:
    return isinstance(error, Damaged) or (isinstance(error, sqlite3.Error) and is_damage(error))


def _full(error: Exception) -> bool:
    return isinstance(error, sqlite3.Error) and is_full(error)
