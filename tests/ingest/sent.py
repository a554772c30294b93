"""Messages as agents send them, a line that notes what ingest says, a log for tests."""

import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from diastole.edge.mqtt import Received
from diastole.edge.records import SECOND_NS
from diastole.edge.wire import Noun, encode
from diastole.edge.wire.messages import Ack, Drop, message, parse
from diastole.edge.wire.topics import Stream, Topic
from diastole.ingest.log import Log
from diastole.ingest.spool import Letter, Limits, Spool, prepared
from tests.ingest.made import reading

SID = "0123456789abcdef"
OTHER_SID = "fedcba9876543210"
TOPIC = Topic("home", "pi", "s1", Stream.READING)
EVENTS = TOPIC._replace(stream=Stream.EVENT)
START_NS = 1_700_000_000 * SECOND_NS
START_MS = START_NS // 1_000_000
LATER_MS = START_MS + 3_600_000
PLENTY = Limits(most_bytes=10**12, free_bytes=1)


def payload(
    seqs: Iterable[int],
    *,
    topic: Topic = TOPIC,
    sid: str = SID,
    nouns: Sequence[Noun] = (),
    drops: Sequence[Drop] = (),
) -> bytes:
    """Give a message of readings, each 5 s after the one before, or of these records."""
    bodies = [
        (seq, encode(nouns[i] if nouns else reading(START_NS + seq * 5 * SECOND_NS)))
        for i, seq in enumerate(seqs)
    ]
    return message(topic, sid, bodies, drops)


def letter(said: bytes, topic: Topic | str = TOPIC, received_ms: int = LATER_MS) -> Letter:
    """Give it as it arrives."""
    return Letter(received_ms, str(topic), said)


def a_spool(folder: Path, limits: Limits = PLENTY) -> Spool:
    """Give a new spool."""
    path = folder / "spool.db"
    assert prepared(path, START_NS) == []
    return Spool(path, limits)


def waiting(spool: Spool) -> list[Letter]:
    """Give all messages that wait for the store."""
    return [found for _, found in spool.oldest(1_000_000)]


class Moment:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic(self) -> float:
        """Return the seconds."""
        return self.now_s

    def wall_ns(self) -> int:
        """Return the time of day."""
        return START_NS + int(self.now_s * SECOND_NS)


def a_log(clock: Moment | None = None) -> tuple[Log, io.StringIO]:
    """Give a log, and what is written to it."""
    clock, page = clock or Moment(), io.StringIO()
    return Log(clock.wall_ns, clock.monotonic, page), page


class NotedLine:
    """A connection that notes what it is told."""

    def __init__(self) -> None:
        self.up = True
        self.acknowledged: list[int] = []
        self.acks: list[tuple[str, Ack]] = []

    def acknowledge(self, received: Received) -> None:
        """Note the number of the message."""
        self.acknowledged.append(received.mid)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int | None:
        """Note an acknowledgement."""
        if not self.up:
            return None
        assert not retain
        self.acks.append((topic, parse(payload, Ack)))
        return len(self.acks)
