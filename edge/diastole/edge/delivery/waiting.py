"""What is to be written: a tick at most times, more of them while the disk takes nothing."""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from diastole.edge.delivery import Tick
from diastole.edge.delivery.book import Book
from diastole.edge.delivery.limits import RECORD_COST, WAITING_BYTES, Dropped, rank
from diastole.edge.wire import BadRecord, encode
from diastole.edge.wire.topics import Stream


class _Encoded(NamedTuple):
    subject: str
    stream: Stream
    at_ns: int
    body: bytes


@dataclass(slots=True)
class Waiting:
    """Records as bytes, and the latest state and cursors."""

    records: list[_Encoded] = field(default_factory=list)
    states: dict[str, bytes] = field(default_factory=dict)
    cursors: dict[str, bytes] = field(default_factory=dict)
    lost: Counter[tuple[str, Stream]] = field(default_factory=Counter)
    """Records for which there was no room here: they get places, and are dropped in them."""

    def add(self, tick: Tick, at_ns: int) -> list[str]:
        """Take a tick in; return what is wrong with records that the wire cannot carry."""
        refused = []
        for item in tick.items:
            try:
                body = encode(item.record)
            except BadRecord as error:
                refused.append(f"a {item.stream} of {item.subject} is left out: {error}")
            else:
                self.records.append(_Encoded(item.subject, item.stream, at_ns, body))
        self.states.update(tick.states)
        self.cursors.update(tick.cursors)
        return refused

    def __bool__(self) -> bool:
        """Return whether anything waits."""
        return bool(self.records or self.states or self.cursors or self.lost)

    def __len__(self) -> int:
        """Return how many records wait."""
        return len(self.records)

    @property
    def bytes(self) -> int:
        """What it comes to on the disk, about."""
        records = sum(len(one.body) + RECORD_COST for one in self.records)
        return records + sum(map(len, self.states.values()))

    def write(self, book: Book) -> None:
        """Write it all."""
        for (subject, stream), count in self.lost.items():
            book.pass_over(subject, stream, count, Dropped.UNWRITTEN)
        for one in self.records:
            book.append(one.subject, one.stream, one.at_ns, one.body)
        for subject, state in self.states.items():
            book.keep("state", subject, state)
        for name, cursor in self.cursors.items():
            book.keep("cursor", name, cursor)

    def bound(self) -> None:
        """Let go what is over the bound: beats first, then the oldest readings, marks last."""
        over = self.bytes - WAITING_BYTES
        if over <= 0:
            return
        order = sorted(range(len(self.records)), key=lambda i: (rank(self.records[i].stream), i))
        going = set()
        for i in order:
            if over <= -WAITING_BYTES // 8:
                break
            one = self.records[i]
            over -= len(one.body) + RECORD_COST
            self.lost[one.subject, one.stream] += 1
            going.add(i)
        self.records = [one for i, one in enumerate(self.records) if i not in going]
