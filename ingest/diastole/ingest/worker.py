"""From the spool into the store, live before late, however long it takes; refusals: set aside."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from typing import Final, NamedTuple, TypeVar

from diastole.edge.records import SECOND_NS, Event
from diastole.edge.wire import Noun
from diastole.edge.wire.messages import Message, message
from diastole.edge.wire.topics import Topic
from diastole.ingest.decoding import Item, Unfit, Why, items, opened
from diastole.ingest.layout import MS_NS
from diastole.ingest.log import Log
from diastole.ingest.spool import Dead, Letter, NoRoom, Spool
from diastole.ingest.stores import Row, RowsRefused, Store, StoreAway

T = TypeVar("T")
MOST_MESSAGES: Final = 2_000
MOST_BYTES: Final = 4_000_000
"""The store is given no more of either at once, but for the last message's."""
LONGEST_WAIT_S: Final = 60.0
_AHEAD_NS: Final = 2 * SECOND_NS
_SPREAD: Final = 0.2


class Stopped(Exception):
    """It is time to end; what is not in the store stays in the spool."""


class Entry(NamedTuple):
    """A row, and the record and message that it is of."""

    row: Row
    item: Item
    topic: Topic
    message: Message
    letter: Letter

    def dead(self, why: Why, detail: str) -> Dead:
        """Return the record alone, as it would have been sent."""
        return _dead(self.item, self.topic, self.message, self.letter, why, detail)


class Worker:
    """Empties the spool into a store; one thread calls it."""

    def __init__(
        self, spool: Spool, store: Store, log: Log, stopping: threading.Event, *, seed: int = 0
    ) -> None:
        self.counts: Counter[str] = Counter()
        """stored (rows), expired, older_revisions, future."""
        self.away: str | None = None
        """Why the store cannot be written now."""
        self._spool = spool
        self._store = store
        self._log = log
        self._stopping = stopping
        self._chance = random.Random(seed)

    def step(self) -> bool:
        """Bring the next messages into the store; return whether there were any.

        Raises Stopped.
        """
        with closing(self._spool.oldest(MOST_MESSAGES)) as oldest:
            block = list(_block(oldest))
        if not block:
            return False
        dead: list[Dead] = []
        entries: list[Entry] = []
        for _, letter in block:
            self._read(letter, entries, dead)
        entries = self._newest(entries)
        dead += self._written(entries)
        for one in dead:
            self._log.again("dead letter", one.about, topic=one.letter.topic, why=one.detail)
        self._release([number for number, _ in block], dead)
        return True

    def write_own(self, row: Row) -> None:
        """Write a row of ingest itself, in whatever time it takes; raises Stopped."""
        try:
            self._patiently(lambda: self._store.write([row]))
        except RowsRefused as refused:
            self._log.again("own status refused", row.measurement, why=refused)

    def _read(self, letter: Letter, entries: list[Entry], dead: list[Dead]) -> None:
        """Sort the records of a message into what can be stored and what cannot."""
        try:
            topic, sent = opened(letter.topic, letter.payload)
        except Unfit as unfit:
            dead.append(Dead(letter._replace(tries=letter.tries + 1), unfit.why, str(unfit)))
            return
        received_ns = letter.received_ms * MS_NS
        for item in items(topic, sent, received_ns):
            if item.noun is None:
                dead.append(_dead(item, topic, sent, letter, Why.RECORD, item.wrong))
            elif item.row is not None:
                entries.append(Entry(item.row, item, topic, sent, letter))
                if _time_ns(item.noun) > received_ns + _AHEAD_NS:
                    self.counts["future"] += 1
                    about = f"{topic.site}/{topic.agent}"
                    self._log.again("time in the future", about, do="check the agent's clock")

    def _newest(self, entries: list[Entry]) -> list[Entry]:
        """Leave out an event's revision where the store or this block has a newer one."""
        latest: dict[object, int] = {}
        for entry in entries:
            if isinstance(entry.item.noun, Event):
                key = _key(entry.row)
                if key not in latest:
                    latest[key] = self._stored_revision(entry.row)
                latest[key] = max(latest[key], entry.item.noun.rev)
        kept = [
            entry
            for entry in entries
            if not isinstance(entry.item.noun, Event)
            or entry.item.noun.rev >= latest[_key(entry.row)]
        ]
        self.counts["older_revisions"] += len(entries) - len(kept)
        return kept

    def _stored_revision(self, row: Row) -> int:
        def read() -> list[Row]:
            end_ms = row.time_ms + 1
            return list(self._store.read(row.measurement, row.tags, ["rev"], row.time_ms, end_ms))

        return max((int(found.fields.get("rev", 0)) for found in self._patiently(read)), default=0)

    def _written(self, entries: Sequence[Entry]) -> Iterator[Dead]:
        """Write all; yield the ones that the store refuses, found by halving."""
        if not entries:
            return
        try:
            rows = [entry.row for entry in entries]
            self._patiently(lambda: self._store.write(rows))
        except RowsRefused as refused:
            half = len(entries) // 2
            if refused.expired >= len(entries):
                self.counts["expired"] += len(entries)
                about, remedy = entries[0].row.measurement, "none: it is over, and counted"
                self._log.again("older than the store keeps", about, do=remedy)
            elif half:
                yield from self._written(entries[:half])
                yield from self._written(entries[half:])
            else:
                yield entries[0].dead(Why.REFUSED, str(refused))
        else:
            self.counts["stored"] += len(entries)

    def _patiently(self, call: Callable[[], T]) -> T:
        """Return what the call gives, as soon as the store is there; raises RowsRefused, Stopped.

        An error that nobody foresaw is no verdict on the rows: they are given again.
        """
        wait_s = 1.0
        while not self._stopping.is_set():
            try:
                given = call()
            except RowsRefused:
                self._is_back()
                raise
            except StoreAway as away:
                self._is_away(away)
                wait = max(wait_s, away.retry_after_s or 0)
            except Exception as error:
                self._is_away(StoreAway(repr(error), alarm=True))
                wait = wait_s
            else:
                self._is_back()
                return given
            self._stopping.wait(wait * self._chance.uniform(1 - _SPREAD, 1 + _SPREAD))
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)
        raise Stopped

    def _is_away(self, away: StoreAway) -> None:
        self.away = str(away)
        said = "alarm" if away.alarm else "store away"
        self._log.again(said, "store", why=away, do=away.remedy)

    def _is_back(self) -> None:
        if self.away is not None:
            self._log.say("store back")
        self.away = None

    def _release(self, numbers: Sequence[int], dead: Sequence[Dead]) -> None:
        """Let the spool forget; where even that needs room, wait: the store takes a row twice."""
        while not self._stopping.is_set():
            try:
                return self._spool.release(numbers, dead)
            except NoRoom as error:
                self._log.again("no room", "release", why=error, do="free some space")
                self._stopping.wait(1)
        raise Stopped


def _block(oldest: Iterable[tuple[int, Letter]]) -> Iterator[tuple[int, Letter]]:
    """Yield messages until they are enough for one write; a record is hardly under 100 bytes."""
    size = 0
    for number, letter in oldest:
        yield number, letter
        size += len(letter.payload)
        if size > MOST_BYTES:
            return


def _dead(item: Item, topic: Topic, sent: Message, letter: Letter, why: Why, detail: str) -> Dead:
    payload = letter.payload
    if item.seq is not None and sent.sid is not None and len(sent.records) > 1:
        payload = message(topic, sent.sid, [(item.seq, item.body)])
    return Dead(letter._replace(payload=payload, tries=letter.tries + 1), why, detail)


def _time_ns(noun: Noun) -> int:
    return noun.start_ns if isinstance(noun, Event) else noun.time_ns


def _key(row: Row) -> tuple[object, ...]:
    return (row.measurement, *sorted(row.tags.items()), row.time_ms)
