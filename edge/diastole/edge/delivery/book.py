"""What stands in the outbox, line by line, and the changes that one transaction makes to it.

A line is one incarnation of a stream: its ``sid`` and its places 1, 2, 3, … Each place is in
exactly one state: a record, let go because ingest holds it, or dropped and ingest has yet to hear
of it. A file that may have gone back in time (a restored backup, a disk that lied) begins lines
anew, so that no place is given away twice.
"""

import secrets
import sqlite3
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Self

from diastole.edge.delivery.file import BELOW, checksum, key, padded
from diastole.edge.delivery.limits import RECORD_COST, Dropped
from diastole.edge.delivery.ranges import Ranges, merged, of_places, size, without
from diastole.edge.wire.messages import Drop, Held
from diastole.edge.wire.topics import Stream


@dataclass(frozen=True, slots=True)
class Line:
    """One incarnation of a stream."""

    id: int
    sid: str
    subject: str
    stream: Stream
    next: int = 1
    upto: int = 0
    """Ingest holds all up to here, and the ranges ``held`` above."""
    held: Ranges = field(default_factory=list)
    drops: tuple[Drop, ...] = ()
    """Not yet acknowledged."""
    rows: int = 0
    bytes: int = 0
    found: int = 0
    """The last place given when the file was opened."""

    @property
    def last(self) -> int:
        """The last place given."""
        return self.next - 1

    @property
    def done(self) -> bool:
        """Whether ingest holds all of it."""
        return self.upto == self.last

    def is_held(self, first: int, last: int) -> bool:
        """Return whether ingest holds all of these places."""
        return last <= self.upto or any(a <= first and last <= b for a, b in self.held)

    @property
    def lacking(self) -> Ranges:
        """Return the places that are neither held nor dropped: each should have a record."""
        known = merged([(1, self.upto), *self.held, *_ranges(self.drops)])
        return without([(1, self.last)], known)

    def is_behind(self, held: Held) -> bool:
        """Return whether ingest holds places that were never given here."""
        return max([held.upto, *(last for _, last in held.also)]) > self.last

    def after(self, held: Held) -> "Line":
        """Return what it is once ingest holds this; the counts of records are as before."""
        also = [(max(a, 1), min(b, self.last)) for a, b in held.also]
        covered = merged([(1, max(self.upto, min(held.upto, self.last))), *self.held, *also])
        upto = covered[0][1] if covered and covered[0][0] == 1 else 0
        above = [one for one in covered if one[0] > upto]
        if (upto, above) == (self.upto, self.held):
            return self
        return replace(self, upto=upto, held=above, drops=_less(self.drops, covered))


class Book:
    """The lines of a file; changed by one transaction at a time, on a copy."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self.database = database
        self.lines: dict[str, Line] = {}
        self.current: dict[tuple[str, Stream], str] = {}
        self.kept: dict[tuple[str, str], int] = {}
        self.dropped: Counter[str] = Counter()
        self._changed: set[str] = set()

    def copy(self) -> "Book":
        """Return a copy to be changed; it counts once its transaction has been committed."""
        other = Book(self.database)
        other.lines, other.current = dict(self.lines), dict(self.current)
        other.kept, other.dropped = dict(self.kept), self.dropped.copy()
        return other

    @classmethod
    def read(cls, database: sqlite3.Connection) -> Self:
        """Return what the file says."""
        book = cls(database)
        counts = {
            line: (rows, volume + rows * RECORD_COST)
            for line, rows, volume in database.execute(
                "SELECT id >> 40, count(*), sum(length(body)) FROM record GROUP BY 1"
            )
        }
        for number, sid, subject, stream, following, upto in database.execute(
            "SELECT id, sid, subject, stream, next, upto FROM line ORDER BY id"
        ):
            gone = database.execute(
                "SELECT first, last, reason FROM gone WHERE line = ? ORDER BY first", (number,)
            ).fetchall()
            rows, volume = counts.get(number, (0, 0))
            book.lines[sid] = Line(
                number, sid, subject, Stream(stream), following, upto,
                [(first, last) for first, last, reason in gone if reason is None],
                tuple(Drop(first=a, last=b, reason=why) for a, b, why in gone if why is not None),
                rows, volume, following - 1,
            )  # fmt: skip
        book.dropped.update(dict(database.execute("SELECT reason, records FROM dropped")))
        found = database.execute("SELECT kind, name, id FROM kept")
        book.kept = {(kind, name): number for kind, name, number in found}
        return book

    def go_on(self) -> None:
        """Have each stream go on in the newest of its lines."""
        self.current = {(line.subject, line.stream): sid for sid, line in self.lines.items()}

    def renew(self, sid: str) -> None:
        """Begin a stream anew of which ingest knows more than the file did when it was opened.

        What has come since has places that ingest takes for others': it is given new ones.
        """
        line = self.lines[sid]
        del self.current[line.subject, line.stream]
        since = [(line.found + 1, line.last)]
        moved = self.database.execute(
            "SELECT at_ns, body FROM record WHERE id BETWEEN ? AND ? ORDER BY id",
            (key(line.id, line.found + 1), key(line.id, line.last)),
        ).fetchall()
        held, drops = without(line.held, since), _less(line.drops, since)
        line = self._without_records(line, since)
        self._set(
            replace(
                line,
                next=line.found + 1,
                upto=min(line.upto, line.found),
                held=held,
                drops=drops,
            )
        )
        self._write_gone(self.lines[sid])
        for at_ns, body in moved:
            self.append(line.subject, line.stream, at_ns, body)

    def settle(self) -> int:
        """Let go the lines that are done; drop places whose record has vanished: how many."""
        vanished = 0
        for line in list(self.lines.values()):
            if missing := self._vanished(line):
                self._put(line, missing, Dropped.DAMAGED)
                vanished += size(missing)
            self._end(line.sid)
        return vanished

    def append(self, subject: str, stream: Stream, at_ns: int, body: bytes) -> None:
        """Give a record its place."""
        line = self._line(subject, stream)
        place = key(line.id, line.next)
        self.database.execute(
            "INSERT INTO record VALUES(?, ?, ?, ?)", (place, at_ns, checksum(body, place), body)
        )
        self._set(
            replace(
                line,
                next=line.next + 1,
                rows=line.rows + 1,
                bytes=line.bytes + len(body) + RECORD_COST,
            )
        )

    def pass_over(self, subject: str, stream: Stream, count: int, reason: Dropped) -> None:
        """Give places to records that are dropped before they were ever written."""
        line = self._line(subject, stream)
        line = replace(line, next=line.next + count)
        self._put(line, [(line.next - count, line.last)], reason)

    def keep(self, kind: str, name: str, body: bytes) -> None:
        """Put pipeline state or a cursor in the place of what was there."""
        if number := self.kept.get((kind, name)):
            self.database.execute(
                "UPDATE kept SET body = ? WHERE id = ?", (padded(body, number), number)
            )
            return
        number = 1 + max(self.kept.values(), default=0)
        self.database.execute(
            "INSERT INTO kept VALUES(?, ?, ?, ?)", (number, kind, name, padded(body, number))
        )
        self.kept[kind, name] = number

    def release(self, held: Held) -> None:
        """Let go what ingest holds."""
        line = self.lines[held.sid]
        after = line.after(held)
        if after is line:
            return
        covered = [(1, after.upto), *after.held]
        freed = without(merged(covered), merged([(1, line.upto), *line.held]))
        self._set(self._without_records(after, freed))
        self._write_gone(after)
        self._end(line.sid)

    def drop(self, sid: str, ranges: Ranges, reason: Dropped) -> None:
        """Let records go unsent; ingest is told in their place."""
        line = self.lines[sid]
        known = without(ranges, line.lacking)
        if left := without(ranges, known):
            self._put(line, left, reason)

    def save(self) -> None:
        """Write the lines that were changed."""
        for sid in self._changed & self.lines.keys():
            line = self.lines[sid]
            self.database.execute(
                "UPDATE line SET next = ?, upto = ? WHERE id = ?", (line.next, line.upto, line.id)
            )
        self._changed.clear()

    def _line(self, subject: str, stream: Stream) -> Line:
        sid = self.current.get((subject, stream))
        if sid is not None:
            return self.lines[sid]
        sid = secrets.token_hex(8)
        number = 1 + max((line.id for line in self.lines.values()), default=0)
        self.database.execute(
            "INSERT INTO line VALUES(?, ?, ?, ?, 1, 0)", (number, sid, subject, stream.value)
        )
        self.current[subject, stream] = sid
        self._set(Line(number, sid, subject, stream))
        return self.lines[sid]

    def _set(self, line: Line) -> None:
        self.lines[line.sid] = line
        self._changed.add(line.sid)

    def _put(self, line: Line, ranges: Ranges, reason: Dropped) -> None:
        line = self._without_records(line, ranges)
        fresh = [Drop(first=first, last=last, reason=reason.value) for first, last in ranges]
        line = replace(line, drops=_joined([*line.drops, *fresh]))
        self._set(line)
        self._write_gone(line)
        self.dropped[reason.value] += size(ranges)
        self.database.execute(
            "INSERT OR REPLACE INTO dropped VALUES(?, ?)", (reason, self.dropped[reason.value])
        )

    def _without_records(self, line: Line, ranges: Ranges) -> Line:
        rows = volume = 0
        for first, last in ranges:
            span = (key(line.id, first), key(line.id, last))
            found = self.database.execute(
                "SELECT count(*), coalesce(sum(length(body)), 0) FROM record "
                "WHERE id BETWEEN ? AND ?",
                span,
            ).fetchone()
            if found[0]:
                self.database.execute("DELETE FROM record WHERE id BETWEEN ? AND ?", span)
                rows, volume = rows + found[0], volume + found[1]
        return replace(line, rows=line.rows - rows, bytes=line.bytes - volume - rows * RECORD_COST)

    def _write_gone(self, line: Line) -> None:
        rows = [(line.id, first, last, None) for first, last in line.held]
        told = [(line.id, drop.first, drop.last, drop.reason) for drop in line.drops]
        self.database.execute("DELETE FROM gone WHERE line = ?", (line.id,))
        self.database.executemany("INSERT INTO gone VALUES(?, ?, ?, ?)", [*rows, *told])

    def _end(self, sid: str) -> None:
        line = self.lines[sid]
        if line.done and sid not in self.current.values():
            self.database.execute("DELETE FROM line WHERE id = ?", (line.id,))
            del self.lines[sid]

    def _vanished(self, line: Line) -> Ranges:
        lacking = line.lacking
        if size(lacking) == line.rows:
            return []
        found = self.database.execute(
            "SELECT id & ? FROM record WHERE id BETWEEN ? AND ? ORDER BY id",
            (BELOW, key(line.id, 1), key(line.id, BELOW)),
        )
        return without(lacking, of_places(place for (place,) in found))


def _ranges(drops: Iterable[Drop]) -> Ranges:
    return [(drop.first, drop.last) for drop in drops]


def _less(drops: Iterable[Drop], covered: Ranges) -> tuple[Drop, ...]:
    return tuple(
        Drop(first=first, last=last, reason=drop.reason)
        for drop in drops
        for first, last in without([(drop.first, drop.last)], covered)
    )


def _joined(drops: Iterable[Drop]) -> tuple[Drop, ...]:
    """Return drops in order; neighbours of one reason are one."""
    found: list[Drop] = []
    for drop in sorted(drops, key=lambda drop: drop.first):
        if found and (found[-1].last + 1, found[-1].reason) == (drop.first, drop.reason):
            found[-1] = Drop(first=found[-1].first, last=drop.last, reason=drop.reason)
        else:
            found.append(drop)
    return tuple(found)
