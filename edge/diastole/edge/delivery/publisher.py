"""The publisher: sends what the outbox holds, and lets go what ingest says that it holds.

Live records go first, the backlog fills a window. What is sent counts as under way until an
acknowledgement covers it; it is sent again after a while, and on a new connection, under the same
identity and with the same bytes. The callbacks only queue: all else happens in :meth:`pump`.
"""

import math
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Final, NamedTuple

from diastole.edge.delivery.book import Line
from diastole.edge.delivery.flow import FIRST_AGAIN_S, RESERVE, Flight, Flow, Way, wait_s
from diastole.edge.delivery.greeting import Greeting, Sender
from diastole.edge.delivery.limits import rank
from diastole.edge.delivery.outbox import Outbox
from diastole.edge.errors import InputError
from diastole.edge.mqtt import Received
from diastole.edge.wire import WIRE_SCHEMA, BadRecord, topics
from diastole.edge.wire.messages import (
    MOST_BYTES,
    MOST_RECORDS,
    Ack,
    Drop,
    Hello,
    last_will,
    message,
    parse,
    to_bytes,
)
from diastole.edge.wire.topics import NOBODY, Stream, Topic

NOBODY_LISTENS: Final = "no matching subscribers"
ENVELOPE: Final = 256
"""Of a message, beside its records and names."""
HEADER: Final = 64
"""Of a packet, beside topic and payload."""
MOST_DROPS: Final = 100
GREETING_S: Final = 2.0
"""A backlog waits so long for ingest to say what it holds already."""
SILENCE_S: Final = 60.0


class _Up(NamedTuple):
    generation: int


class _Published(NamedTuple):
    generation: int
    mid: int
    refusal: str | None


class _Busy(Exception):
    """The connection takes nothing more at the moment."""


class Publisher:
    """Sends one outbox over one connection; ``pump`` runs in the outbox's thread."""

    def __init__(
        self, outbox: Outbox, site: str, agent: str, monotonic: Callable[[], float]
    ) -> None:
        own = Topic(site, agent, NOBODY, Stream.STATUS)
        self.will = (str(own), last_will(own))
        self.subscriptions: Sequence[str] = (topics.ack(site, agent),)
        self.last_ack: float | None = None
        """When ingest acknowledged last, on the clock given."""
        self._outbox, self._site, self._agent, self._clock = outbox, site, agent, monotonic
        self._news: SimpleQueue[_Up | _Published | Received] = SimpleQueue()
        self._flow = Flow()
        self._generation = 0
        self._up_since = 0.0
        self._heard = False
        self._greeting = Greeting()
        self._refusal: str | None = None
        self._too_large: str | None = None

    # ---- called by the connection's thread

    def on_up(self, generation: int) -> None:
        """Hear that a connection is there."""
        self._news.put(_Up(generation))

    def on_down(self, why: str) -> None:
        """Hear that it is gone; what was under way counts as unsent at the next one."""

    def on_published(self, generation: int, mid: int, refusal: str | None) -> None:
        """Hear that the broker has taken a message, or why not."""
        self._news.put(_Published(generation, mid, refusal))

    def on_message(self, received: Received) -> None:
        """Hear an acknowledgement of ingest."""
        self._news.put(received)

    # ---- called by the outbox's thread

    @property
    def trouble(self) -> str | None:
        """What keeps records here although the broker is there, as a sentence with what to do."""
        if self._greeting.unheard:
            return "nobody takes what is sent, so it stays in the outbox: start diastole ingest"
        if self._refusal:
            return f"the broker refuses what is sent ({self._refusal}): check its rules"
        if self._too_large:
            return self._too_large
        silent_s = self._clock() - max(self._up_since, self.last_ack or -math.inf)
        if self._flow.flights and silent_s > SILENCE_S:
            return f"ingest has acknowledged nothing for {silent_s / 60:.0f} min: is it running?"
        return None

    def pump(self, connection: Sender) -> None:
        """Take in what was heard, let go what ingest holds, send what may be sent."""
        now = self._clock()
        self._take_in(connection, now)
        if not connection.connected or connection.generation != self._generation:
            return
        try:
            self._greet(connection, now)
            if self._greeting.unheard:
                return
            self._send_again(connection, now)
            self._send_live(connection, now)
            if self._heard or now >= self._up_since + GREETING_S:
                self._send_backlog(connection, now)
        except _Busy:
            return
        except InputError as error:  # even the greeting is more than this broker takes
            self._too_large = str(error)

    # ---- what was heard

    def _take_in(self, connection: Sender, now: float) -> None:
        acks: list[Received] = []
        while True:
            try:
                heard = self._news.get_nowait()
            except Empty:
                break
            if isinstance(heard, Received):
                acks.append(heard)
            elif isinstance(heard, _Up):
                self._begin(heard.generation, now)
            elif heard.generation == self._generation:
                self._answered(heard, now)
        if acks:
            self._acknowledged(acks, now)
            for received in acks:
                connection.acknowledge(received)

    def _begin(self, generation: int, now: float) -> None:
        self._generation, self._up_since, self._heard = generation, now, False
        self._refusal = self._too_large = None
        self._greeting.begin(now)
        self._afresh()

    def _afresh(self) -> None:
        lines = self._outbox.lines
        newest = {sid for sid, line in lines.items() if self._outbox.is_newest(line)}
        self._flow.afresh(lines, newest)

    def _answered(self, heard: _Published, now: float) -> None:
        self._flow.taken(heard.mid)
        if heard.refusal is None:
            self._refusal = None
            if self._greeting.taken(heard.mid):
                self._afresh()
        elif NOBODY_LISTENS in heard.refusal:
            self._greeting.nobody(now)
        else:
            self._refusal = heard.refusal

    def _acknowledged(self, acks: Sequence[Received], now: float) -> None:
        held = []
        for received in acks:
            try:
                held += parse(received.payload, Ack).held
            except BadRecord as error:
                self._outbox.notes.append(f"an acknowledgement is unreadable: {error}")
        if not held:
            return
        spoke, self.last_ack = self.last_ack, now
        self._heard = True
        self._greeting.answered(now)
        if now - max(self._up_since, spoke or -math.inf) > FIRST_AGAIN_S:
            self._ended_silence(now)
        self._outbox.release(held)
        self._flow.forget(self._outbox.lines)

    def _ended_silence(self, now: float) -> None:
        """Give ingest time for what it has in its queue, and what is new precedence again."""
        for flight in self._flow.flights:
            flight.again = max(flight.again, now + FIRST_AGAIN_S)
        for sid, line in self._outbox.lines.items():
            self._flow.way(sid).turn(line)

    # ---- what is sent

    def _greet(self, connection: Sender, now: float) -> None:
        """Ask ingest what it holds."""
        if not self._greeting.is_due(now, under_way=bool(self._flow.flights)):
            return
        streams = self._outbox.streams()
        said = Hello(v=WIRE_SCHEMA, agent=self._agent, streams=streams)
        topic = str(Topic(self._site, self._agent, NOBODY, Stream.HELLO))
        self._greeting.said(connection.publish(topic, to_bytes(said)), now)

    def _send_again(self, connection: Sender, now: float) -> None:
        """Send again what is due; while ingest is silent only the oldest, to ask."""
        for place, flight in enumerate(list(self._flow.flights)):
            spoken = self.last_ack is not None and self.last_ack >= flight.sent
            if flight.again > now or (place and not spoken):
                continue
            self._flow.arrived(flight)
            try:
                tries = flight.tries + 1
                sent = self._send(
                    connection, flight.sid, flight.first, flight.last, now, tries, place
                )
            except _Busy:
                self._flow.fly(flight, place)
                raise
            if sent < flight.last:
                self._flow.way(flight.sid).backlog.insert(0, (sent + 1, flight.last))

    def _send_live(self, connection: Sender, now: float) -> None:
        for line in self._in_order():
            way = self._flow.way(line.sid)
            self._tell_drops(connection, line, way, now)
            while way.live < line.next and self._flow.has_room(RESERVE):
                way.live = 1 + self._send(connection, line.sid, way.live, line.last, now, live=True)

    def _send_backlog(self, connection: Sender, now: float) -> None:
        self._flow.adapt()
        for line in self._in_order():
            backlog = self._flow.way(line.sid).backlog
            while backlog and self._flow.has_room():
                if not self._flow.has_budget():
                    return
                first, last = backlog[0]
                sent = self._send(connection, line.sid, first, last, now)
                backlog[:1] = [(sent + 1, last)] if sent < last else []

    def _in_order(self) -> list[Line]:
        """Return the lines, what matters most first and the older before the newer."""
        return sorted(self._outbox.lines.values(), key=lambda line: (-rank(line.stream), line.id))

    def _send(
        self,
        connection: Sender,
        sid: str,
        first: int,
        last: int,
        now: float,
        tries: int = 1,
        place: int | None = None,
        *,
        live: bool = False,
    ) -> int:
        """Send a message of these places; return the last place that is dealt with."""
        line = self._outbox.lines.get(sid)
        if line is None:
            return last
        topic = Topic(self._site, self._agent, line.subject, line.stream)
        room = MOST_BYTES
        if connection.max_packet is not None:
            room = min(room, connection.max_packet - len(str(topic)) - HEADER)
        room -= ENVELOPE + len(line.subject) + len(self._agent)
        rows = self._outbox.take(sid, first, last, MOST_RECORDS, room)
        if not rows:
            return last
        payload = message(topic, sid, rows, live=live)
        newest = self._outbox.is_newest(line) and rows[-1][0] == line.last
        retain = newest and (line.subject, line.stream) == (NOBODY, Stream.STATUS)
        flight = Flight(
            sid, rows[0][0], rows[-1][0], len(rows), len(payload), now, now + wait_s(tries), tries
        )
        try:
            mid = connection.publish(str(topic), payload, retain=retain)
        except InputError as error:  # it stays here, in nobody's way, until another connection
            self._too_large = str(error)
            flight.records, flight.size, flight.again = 0, 0, math.inf
        else:
            if mid is None:
                raise _Busy
            self._flow.sent(mid, len(payload))
        self._flow.fly(flight, place)
        return flight.last

    def _tell_drops(self, connection: Sender, line: Line, way: Way, now: float) -> None:
        """Tell ingest of what was dropped, until it has acknowledged that."""
        if not line.drops:
            return
        if line.drops != way.told:
            way.told, way.tellings, way.tell_again = line.drops, 0, now
        if now < way.tell_again:
            return
        topic = Topic(self._site, self._agent, line.subject, line.stream)
        for start in range(0, len(line.drops), MOST_DROPS):
            part: Sequence[Drop] = line.drops[start : start + MOST_DROPS]
            if connection.publish(str(topic), message(topic, line.sid, (), part)) is None:
                raise _Busy
        way.tellings += 1
        way.tell_again = now + wait_s(way.tellings)
