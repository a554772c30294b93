"""The outbox: what the agent has said, on the disk until ingest holds it.

SQLite, each tick one durable transaction. Owned by one thread at a time. ``notes`` gathers
sentences for the user (who has told them empties it); nothing of the disk's trouble is raised after
:meth:`Outbox.open`.
"""

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from diastole.edge.delivery import Tick
from diastole.edge.delivery.book import Book, Line
from diastole.edge.delivery.bounds import drop_old, make_room
from diastole.edge.delivery.file import Guard, checksum, folder_of, key
from diastole.edge.delivery.ledger import Ledger
from diastole.edge.delivery.limits import DAY_NS, Depth, Dropped, Limits
from diastole.edge.delivery.ranges import of_places
from diastole.edge.delivery.waiting import Waiting
from diastole.edge.errors import OutputError
from diastole.edge.wire.messages import Held

__all__ = ["Depth", "Limits", "Line", "Outbox"]

EVERY_NS: Final = 60 * 1_000_000_000
"""Age, ballast and the file's presence are looked after so often."""
PLACE_COST: Final = 12
"""Of a record in a message, beside its bytes: a comma and its place."""


class Outbox:
    """What an agent holds for ingest."""

    def __init__(self, ledger: Ledger, limits: Limits, wall_ns: Callable[[], int]) -> None:
        self._ledger, self._limits, self._wall_ns = ledger, limits, wall_ns
        self._waiting = Waiting()
        self._looked_ns: int | None = None

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
            return cls(Ledger(path, wall_ns, guard), limits, wall_ns)
        except (OSError, sqlite3.Error) as error:
            guard.close()
            raise _unwritable(path, error) from error
        except BaseException:
            guard.close()
            raise

    @property
    def notes(self) -> list[str]:
        """What happened to it, in sentences for the user."""
        return self._ledger.notes

    @notes.setter
    def notes(self, notes: list[str]) -> None:
        self._ledger.notes = notes

    def close(self) -> None:
        """Write what waits, and let another have the file."""
        self._flush()
        self._ledger.close()

    # ---- what comes in

    def commit(self, tick: Tick) -> bool:
        """Write a tick whole; return whether it is durable.

        Else it waits in memory, up to a bound, and is written with the next one: a note says so.
        """
        now_ns = self._wall_ns()
        for sentence in self._waiting.add(tick, now_ns):
            self._ledger.note(sentence)
        self._look_after(now_ns)
        return self._flush()

    def state(self, subject: str) -> bytes | None:
        """Return a subject's pipeline state, None where there is none."""
        waits = self._waiting.states.get(subject)
        return self._ledger.kept("state", subject) if waits is None else waits

    def cursor(self, name: str) -> bytes | None:
        """Return how far a source has been read, None where it is new."""
        waits = self._waiting.cursors.get(name)
        return self._ledger.kept("cursor", name) if waits is None else waits

    # ---- what goes out

    @property
    def lines(self) -> dict[str, Line]:
        """What is held, by ``sid``; not to be changed."""
        return self._ledger.book.lines

    def is_newest(self, line: Line) -> bool:
        """Return whether this is the incarnation that its stream goes on in."""
        return self._ledger.book.current.get((line.subject, line.stream)) == line.sid

    def streams(self) -> dict[str, tuple[int, int]]:
        """Return the first and last place of each line that ingest does not hold whole."""
        return {
            sid: (line.upto + 1, line.last) for sid, line in self.lines.items() if not line.done
        }

    def take(
        self, sid: str, first: int, last: int, records: int, size: int
    ) -> list[tuple[int, bytes]]:
        """Return records of these places, at most so many and so many bytes, but one at least."""
        line = self.lines.get(sid)
        if line is None:
            return []
        taken: list[tuple[int, bytes]] = []
        broken: list[int] = []
        for place, crc, body in self._ledger.rows(line, first, last):
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
            self._ledger.note(f"{len(broken)} records of the outbox were damaged and are dropped")
            self._ledger.change(lambda book: book.drop(sid, of_places(broken), Dropped.DAMAGED))
        return taken

    def release(self, held: Sequence[Held]) -> None:
        """Let go, in one transaction, what ingest holds durably."""
        lines = self.lines
        known = [one for one in held if one.sid in lines]
        behind = {
            one.sid
            for one in known
            if lines[one.sid].is_behind(one) and self.is_newest(lines[one.sid])
        }
        news = [
            one
            for one in known
            if one.sid in behind or lines[one.sid].after(one) is not lines[one.sid]
        ]

        def let_go(book: Book) -> None:
            for one in news:
                if one.sid in behind and one.sid in book.lines:
                    book.renew(one.sid)
                if one.sid in book.lines:
                    book.release(one)

        if behind:
            self._ledger.note("the outbox is older than what ingest holds: its streams begin anew")
        if news:
            self._ledger.change(let_go)

    def depth(self) -> Depth:
        """Return what it holds, and what it has let go since its file was begun."""
        lines = self.lines.values()
        return Depth(
            sum(line.rows for line in lines),
            sum(line.bytes for line in lines),
            self._ledger.oldest_ns(),
            dict(self._ledger.book.dropped),
            len(self._waiting),
            self._ledger.room.is_low,
        )

    # ---- the disk

    def _flush(self) -> bool:
        if not self._waiting:
            return True
        need = self._waiting.bytes
        if self._ledger.room.is_low:
            self._ledger.change(lambda book: self._ledger.reuse(book, need))
        if not self._ledger.change(self._waiting.write, need):
            self._waiting.bound()
            return False
        self._waiting = Waiting()
        self._bound()
        return True

    def _bound(self) -> None:
        over = sum(line.bytes for line in self.lines.values()) - self._limits.max_mb * 1e6
        if over <= 0:
            return
        wanted = int(over + self._limits.max_mb * 1e4)  # a hundredth more: not at each tick
        self._ledger.note(f"the outbox is full ({self._limits.max_mb:g} MB): the least needed goes")
        self._ledger.change(lambda book: make_room(book, wanted))

    def _look_after(self, now_ns: int) -> None:
        """See each minute, and at a step of the clock, to what time does to an outbox."""
        if self._looked_ns is not None and 0 <= now_ns - self._looked_ns < EVERY_NS:
            return
        self._looked_ns = now_ns
        self._ledger.room.take_on()
        self._ledger.change(self._ledger.check_file)
        before_ns = now_ns - int(self._limits.max_days * DAY_NS)
        self._ledger.change(lambda book: drop_old(book, before_ns))


def _unwritable(path: Path, error: Exception) -> OutputError:
    reason = getattr(error, "strerror", None) or str(error)
    return OutputError(path, f"cannot be written ({reason.lower()})", "choose another folder")
