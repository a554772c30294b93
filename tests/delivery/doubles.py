"""A connection and an ingest without a network, on a clock of their own."""

from collections import defaultdict
from collections.abc import Callable
from typing import Final

import msgspec

from diastole.edge.delivery.ranges import merged, of_places
from diastole.edge.errors import InputError
from diastole.edge.mqtt import Received
from diastole.edge.wire import WIRE_SCHEMA, topics
from diastole.edge.wire.messages import Ack, Held, Hello, Message, parse, to_bytes
from diastole.edge.wire.topics import Stream

SITE: Final = "lab"
AGENT: Final = "pi"


class Ingest:
    """Holds what it is sent, and says so."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, int], bytes] = {}
        self.dropped: dict[tuple[str, int], str] = {}
        self.arrivals: list[tuple[str, int]] = []
        self.changed: list[tuple[str, int]] = []
        self.asked: set[str] = set()

    def take(self, topic: str, payload: bytes) -> None:
        """Take in a message of an agent."""
        levels = topics.parse(topic)
        if levels.stream is Stream.HELLO:
            self.asked |= parse(payload, Hello).streams.keys()
            return
        said = parse(payload, Message)
        assert said.sid
        assert (said.agent, said.subject, said.stream) == levels[1:]
        for seq, raw in zip(said.seqs, said.records, strict=True):
            place, body = (said.sid, seq), bytes(raw)
            self.arrivals.append(place)
            if self.records.setdefault(place, body) != body:
                self.changed.append(place)
        for drop in said.drops:
            for seq in range(drop.first, drop.last + 1):
                self.dropped[said.sid, seq] = drop.reason
        self.asked.add(said.sid)

    def held(self) -> bytes:
        """Return an acknowledgement of all it holds of the streams it has heard of."""
        places: dict[str, list[int]] = defaultdict(list)
        for sid, seq in [*self.records, *self.dropped]:
            places[sid].append(seq)
        held = []
        for sid in self.asked:
            ranges = merged(of_places(sorted(set(places[sid]))))
            upto = ranges[0][1] if ranges and ranges[0][0] == 1 else 0
            held.append(Held(sid=sid, upto=upto, also=[r for r in ranges if r[0] > upto]))
        self.asked.clear()
        return to_bytes(Ack(v=WIRE_SCHEMA, held=held))


class Wire:
    """A connection whose messages arrive when the test says so."""

    def __init__(self) -> None:
        self.connected = True
        self.generation = 1
        self.max_packet: int | None = None
        self.sent: list[tuple[str, bytes, bool]] = []
        self.mids: list[int] = []
        self.most: int | None = None
        self.acknowledged: list[Received] = []

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int | None:
        if not self.connected or (self.most is not None and len(self.sent) >= self.most):
            return None
        if self.max_packet is not None and len(topic) + len(payload) + 64 > self.max_packet:
            what = "too large"
            raise InputError(what, "split it")
        self.sent.append((topic, payload, retain))
        self.mids.append(len(self.mids) + 1)
        return self.mids[-1]

    def acknowledge(self, received: Received) -> None:
        self.acknowledged.append(received)

    def data(self) -> list[Message]:
        """Return what was sent so far but greetings."""
        return [
            msgspec.json.decode(payload, type=Message)
            for topic, payload, _ in self.sent
            if not topic.endswith("/hello")
        ]

    def deliver(self, ingest: Ingest, arrives: Callable[[int], bool] = lambda _: True) -> None:
        """Have what was sent arrive, where it does."""
        for k, (topic, payload, _) in enumerate(self.sent):
            if arrives(k):
                ingest.take(topic, payload)
        self.sent.clear()


def received(payload: bytes, generation: int = 1) -> Received:
    return Received(topics.ack(SITE, AGENT), payload, False, 7, generation)
