"""Records that another program hands over by MQTT, such as a phone: checked, placed, let through.

Its stamps are taken as they are where its clock goes right. ``until_ns`` is the newest record, at
most ``patience`` behind now; what is older comes late, and is counted.
"""

import logging
from collections import Counter, deque
from collections.abc import AsyncIterator, Sequence
from typing import Final, NamedTuple, Self

import msgspec

from diastole.edge.chunks import Chunk
from diastole.edge.clock import Clock
from diastole.edge.formats.objects import chunk_of
from diastole.edge.mqtt import Received
from diastole.edge.records import SECOND_NS, Break, BreakReason, Mark, Record, Status
from diastole.edge.sources.reader import Reader, Said
from diastole.edge.sources.sender import OFF_NS, SenderClock

LONGEST_BYTES: Final = 262_144
"""Of one message."""
CHUNK_S: Final = 1.0
REMEMBERED: Final = 4096
"""Records by which one that comes twice is known from one that comes late."""
CATCHING_UP_S: Final = 60.0
"""After a start, what has waited at the broker comes first."""
IN_FLIGHT: Final = 1000
"""Messages that the broker sends before it waits for acknowledgements; none older comes again."""
MANY: Final = 10
"""So many messages at once are a backlog, of which more waits at the broker, ..."""
BACKLOG_S: Final = 0.02
"""... and is taken as soon as it comes."""

log = logging.getLogger(__name__)


class _Cursor(msgspec.Struct, frozen=True, array_like=True):
    until_ns: int
    released: int
    ahead_ns: int | None
    """None: the sender's clock is not known."""
    stamps_ns: list[int]
    sensor: str | None = None

    @classmethod
    def read(cls, cursor: bytes) -> Self | None:
        try:
            return msgspec.msgpack.decode(cursor, type=cls)
        except msgspec.MsgspecError:
            return None


class _Message(NamedTuple):
    said: Said
    ticket: Received
    arrived_ns: int


class HandedOver:
    """One device of a subject whose records another program hands over."""

    live = True
    paced = True
    zone: str | None = None
    simulated = False

    def __init__(self, device: str, reader: Reader, patience_ns: int) -> None:
        self.name = f"phone-{device}"
        self.dropped: Counter[str] = Counter()
        self._device, self._reader, self._patience_ns = device, reader, patience_ns
        self._came: list[_Message] = []
        self._open: deque[_Message] = deque()
        """Placed, and not all that they say has come."""
        self._tickets: deque[Received] = deque()
        self._stamps_ns: deque[int] = deque(maxlen=IN_FLIGHT)
        self._released = self._kept = 0
        self._sender: SenderClock[_Message] = SenderClock(patience_ns)
        self._seen: dict[tuple[type[Record], int, str], None] = {}
        self._heard_ns: int | None = None
        self._said: str | None = None
        """What has been logged of what the reader finds wrong."""
        self._unbroken = False
        self._until_ns: int | None = None
        self._told: tuple[int, int] | None = None

    # ---- what is handed over

    def hand(self, payload: bytes, ticket: Received, arrived_ns: int) -> None:
        """Take in a message; raise BadRecord where it is none.

        ``ticket`` is given back by ``kept`` once what the message says is in a commit.
        """
        self._came.append(_Message(self._reader.read(payload), ticket, arrived_ns))

    def kept(self, cursor: bytes) -> list[Received]:
        """Return the tickets of the messages that are in the commit of this cursor."""
        place = _Cursor.read(cursor)
        n = place.released if place else 0
        tickets = [self._tickets.popleft() for _ in range(n - self._kept)]
        self._kept = max(n, self._kept)
        return tickets

    def cursor(self) -> bytes:
        """Return what a later run takes up: up to where, and which messages may come again."""
        assert self._until_ns is not None
        ahead_ns = self._sender.ahead_ns if self._sender.known else None
        return msgspec.msgpack.encode(
            _Cursor(
                self._until_ns, self._released, ahead_ns, list(self._stamps_ns), self._reader.sensor
            )
        )

    def take_up(self, cursor: bytes) -> bool:
        """Go on where an earlier run was; return whether that could be read."""
        place = _Cursor.read(cursor)
        if place is None:
            return False
        self._until_ns = place.until_ns
        if place.ahead_ns is not None:
            self._sender.ahead_ns, self._sender.known = place.ahead_ns, True
            if place.ahead_ns:
                self._say_clock()
        self._stamps_ns.extend(place.stamps_ns)
        self._reader.take_up(place.stamps_ns)
        self._reader.sensor = place.sensor
        return True

    # ---- a source

    async def chunks(
        self, clock: Clock, cursor: bytes | None
    ) -> AsyncIterator[tuple[Chunk, bytes]]:
        """Yield what is handed over, until closed."""
        began_s = clock.monotonic()
        resumed = cursor is not None and self.take_up(cursor)
        while True:
            many = len(self._came) >= MANY
            catching_up = resumed and clock.monotonic() - began_s < CATCHING_UP_S
            chunk = self.cut(clock.wall_ns(), patient=catching_up)
            place = chunk.until_ns, self._released
            if place != self._told:
                self._told = place
                yield chunk, self.cursor()
            await clock.sleep(BACKLOG_S if many else CHUNK_S)

    def cut(self, now_ns: int, *, patient: bool = False) -> Chunk:
        """Return what has come since the last cut; ``patient``: however old it is."""
        if self._until_ns is None:
            self._until_ns = now_ns - self._patience_ns
        ahead_ns = self._sender.ahead_ns
        ready: list[_Message] = []
        came, self._came = self._came, []
        for message in came:
            if (newest_ns := message.said.newest_ns) is not None:
                ready += self._sender.add(message, newest_ns, message.arrived_ns)
            else:
                ready += self._sender.beside(message)
        ready += self._sender.waited(now_ns)
        records: list[Record] = []
        if self._sender.ahead_ns != ahead_ns:
            self._say_clock()
            records += self._broken(BreakReason.CLOCK_STEPPED)
        records += self._placed(ready)
        records += self._passed(now_ns, patient=patient)
        if self._reader.trouble != self._said:
            self._said = self._reader.trouble
            log.warning('source=%s trouble="%s"', self.name, self._said or "")
        return chunk_of(records, self._until_ns)

    def _placed(self, messages: Sequence[_Message]) -> list[Record]:
        """Return what the messages say, by our clock, less what cannot be taken."""
        placed: list[Record] = []
        for message in messages:
            self._settle(message)
            self._count(message.said.refused)
            if message.said.anew:
                self._come_to(placed)
                placed += self._broken(BreakReason.LINK_LOST)
            for said in message.said.records:
                record = msgspec.structs.replace(said, time_ns=said.time_ns + self._sender.ahead_ns)
                if (why := self._why_not(record, message.arrived_ns)) is not None:
                    self._count(Counter([why]))
                    continue
                placed.append(record)
                if not isinstance(record, Mark):
                    self._unbroken = True
                    self._heard_ns = max(message.arrived_ns, self._heard_ns or message.arrived_ns)
        self._come_to(placed)
        return placed

    def _settle(self, message: _Message) -> None:
        """Let go of the messages of which all is said: an open one waits, and those behind it."""
        self._open.append(message)
        while len(self._open) > message.said.open:
            settled = self._open.popleft()
            self._tickets.append(settled.ticket)
            self._released += 1
            if settled.said.stamp_ns is not None:
                self._stamps_ns.append(settled.said.stamp_ns)

    def _why_not(self, record: Record, arrived_ns: int) -> str | None:
        """Return why a record is not taken; a mark may be of any moment that has been."""
        assert self._until_ns is not None
        same = type(record), record.time_ns, record.text if isinstance(record, Mark) else ""
        if record.time_ns > arrived_ns + OFF_NS:
            return "future"
        if same in self._seen:
            return "doubled"
        if record.time_ns < self._until_ns and not isinstance(record, Mark):
            return "late"
        self._seen[same] = None
        if len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return None

    def _come_to(self, records: Sequence[Record]) -> None:
        """Let time come as far as the newest record; a mark tells nothing of the device."""
        assert self._until_ns is not None
        times_ns = (record.time_ns for record in records if not isinstance(record, Mark))
        self._until_ns = max([self._until_ns, *(time_ns + 1 for time_ns in times_ns)])

    def _passed(self, now_ns: int, *, patient: bool) -> list[Record]:
        """Let time be at most ``patience`` behind now."""
        assert self._until_ns is not None
        if patient or self._sender.waits or now_ns - self._patience_ns <= self._until_ns:
            return []
        broken = self._broken(BreakReason.LINK_LOST)
        self._until_ns = max(self._until_ns, now_ns - self._patience_ns)
        return broken

    def _broken(self, reason: BreakReason) -> list[Record]:
        assert self._until_ns is not None
        if not self._unbroken:
            return []
        self._unbroken = False
        broken = Break(device=self._device, time_ns=self._until_ns, reason=reason)
        self._until_ns += 1
        return [broken]

    # ---- what is said of it

    def _say_clock(self) -> None:
        said = self._clock_trouble or "its clock goes right again"
        log.warning('source=%s clock="%s"', self.name, said)

    def _count(self, refused: Counter[str]) -> None:
        for why in refused.keys() - self.dropped.keys():
            log.warning("source=%s dropped=%s, and counted from here on", self.name, why)
        self.dropped.update(refused)

    @property
    def trouble(self) -> str | None:
        """What is wrong with the sender's clock, and with what it sends."""
        said = (self._clock_trouble, self._reader.trouble)
        return "; ".join(filter(None, said)) or None

    @property
    def _clock_trouble(self) -> str | None:
        ahead_s = self._sender.ahead_ns / SECOND_NS
        if not ahead_s:
            return None
        way = "behind" if ahead_s > 0 else "ahead"
        return (
            f"the sender's clock is {abs(ahead_s):.0f} s {way}: its records are taken "
            "as of their arrival; set its clock"
        )

    def status(self, clock: Clock) -> Status | None:
        """Return the device's health."""
        values = {f"dropped_{why}": float(n) for why, n in self.dropped.items()}
        if self._heard_ns is not None:
            values["packet_age_s"] = round((clock.wall_ns() - self._heard_ns) / SECOND_NS, 1)
        text = {"link": "handed over", "trouble": self.trouble or ""}
        return Status(device=self._device, time_ns=clock.wall_ns(), values=values, text=text)
