"""The receiver: nothing is acknowledged before it is kept, and all that is kept is."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from diastole.edge.mqtt import Received, TooLarge
from diastole.edge.wire import WIRE_SCHEMA
from diastole.edge.wire.messages import Held, Hello, last_will, to_bytes
from diastole.edge.wire.topics import Stream
from diastole.ingest.intake import Intake
from diastole.ingest.receiver import MOST_MESSAGES, Receiver
from diastole.ingest.spool import Limits, Spool
from tests.ingest.sent import (
    OTHER_SID,
    SID,
    TOPIC,
    Moment,
    NotedLine,
    a_log,
    a_spool,
    payload,
    waiting,
)
from tests.servers import until

HELLO = TOPIC._replace(subject="-", stream=Stream.HELLO)
ACK = "diastole/ack/v1/home/pi"


class Desk:
    """A receiver with its spool, line and clock."""

    def __init__(self, spool: Spool) -> None:
        self.clock, self.line, self.spool = Moment(), NotedLine(), spool
        self.log, self.page = a_log(self.clock)
        self.stopping = threading.Event()
        self.kept = 0
        self.intake = Intake(spool, self.log)
        self.receiver = Receiver(
            self.log,
            self.stopping,
            self._note,
            wall_ns=self.clock.wall_ns,
            monotonic=self.clock.monotonic,
        )
        self._mid = 0

    def _note(self) -> None:
        self.kept += 1

    def take(self, *said: bytes, topic: str = str(TOPIC), retained: bool = False) -> None:
        group = []
        for one in said:
            self._mid += 1
            ms = self.clock.wall_ns() // 1_000_000
            group.append((ms, Received(topic, one, retained, self._mid, 1)))
        self.receiver.take(group, self.intake, self.line)

    def tell(self, at_s: float) -> list[Held]:
        """Return what is told at a time."""
        self.clock.now_s, before = at_s, len(self.line.acks)
        self.receiver.tell(self.intake, self.line)
        return [held for _, ack in self.line.acks[before:] for held in ack.held]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    spool = a_spool(tmp_path)
    yield Desk(spool)
    spool.close()


def test_what_is_kept_is_acknowledged_in_the_order_of_arrival(desk: Desk) -> None:
    desk.take(payload([1]), b"words", payload([3]))
    assert desk.line.acknowledged == [1, 2, 3]
    assert desk.kept == 1
    assert desk.tell(0) == [Held(sid=SID, upto=1, also=[(3, 3)])]
    assert desk.line.acks[0][0] == ACK


def test_an_agent_is_told_at_most_every_200_ms(desk: Desk) -> None:
    desk.take(payload([1]))
    assert len(desk.tell(0)) == 1
    assert desk.tell(0.1) == []
    desk.take(payload([2]))
    assert desk.tell(0.19) == []
    assert desk.tell(0.21) == [Held(sid=SID, upto=2)]
    assert desk.tell(9) == []


def test_duplicates_are_acknowledged_again(desk: Desk) -> None:
    for at_s in (0.0, 1.0):
        desk.take(payload([1, 2]))
        assert desk.tell(at_s) == [Held(sid=SID, upto=2)]
    assert len(waiting(desk.spool)) == 1


def test_who_cannot_be_told_is_told_later(desk: Desk) -> None:
    desk.take(payload([1]))
    desk.line.up = False
    assert desk.tell(0) == []
    desk.line.up = True
    assert desk.tell(5) == [Held(sid=SID, upto=1)]


def test_a_broker_that_takes_no_such_packet_does_not_stop_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_large(*_: object, **__: object) -> int:
        what = "a message of 9 bytes for a broker that takes 8"
        raise TooLarge(what, "raise it")

    desk.take(payload([1]))
    monkeypatch.setattr(desk.line, "publish", too_large)
    assert desk.tell(0) == []
    assert "a broker that takes 8" in desk.page.getvalue()


def test_a_greeting_is_answered_with_what_is_held(desk: Desk) -> None:
    desk.take(payload([1, 2, 5]))
    desk.tell(0)
    hello = Hello(v=WIRE_SCHEMA, agent="pi", streams={SID: (2, 9), OTHER_SID: (1, 4)})
    desk.take(to_bytes(hello), topic=str(HELLO))
    assert desk.tell(1) == [Held(sid=SID, upto=2, also=[(5, 5)]), Held(sid=OTHER_SID, upto=0)]
    assert desk.line.acknowledged == [1, 2]
    assert len(waiting(desk.spool)) == 1


def test_a_greeting_of_another_is_a_dead_letter(desk: Desk) -> None:
    hello = Hello(v=WIRE_SCHEMA, agent="other", streams={SID: (1, 9)})
    desk.take(to_bytes(hello), topic=str(HELLO))
    assert desk.tell(0) == []
    assert desk.line.acknowledged == [1]
    assert len(list(desk.spool.dead_letters())) == 1


def test_a_will_that_a_broker_had_retained_is_not_new(desk: Desk) -> None:
    topic = TOPIC._replace(subject="-", stream=Stream.STATUS)
    desk.take(last_will(topic), topic=str(topic), retained=True)
    assert desk.line.acknowledged == [1]
    assert waiting(desk.spool) == []
    desk.take(payload([1], topic=topic), topic=str(topic), retained=True)
    assert len(waiting(desk.spool)) == 1


def test_law_9_without_room_nothing_is_acknowledged_and_with_room_all_is(tmp_path: Path) -> None:
    spool = a_spool(tmp_path, Limits(most_bytes=120_000, free_bytes=1))
    desk = Desk(spool)
    desk.take(*[payload(range(seq, seq + 10)) for seq in range(1, 100, 10)])
    waiting_before, desk_before = len(waiting(spool)), list(desk.line.acknowledged)
    taking = threading.Thread(target=desk.take, args=[payload([100])])
    taking.start()
    until(lambda: desk.receiver.full, "the spool to be full")
    assert len(waiting(spool)) == waiting_before
    assert desk.line.acknowledged == desk_before
    assert "nothing is acknowledged until then" in desk.page.getvalue()
    emptier = Spool(spool.path)
    emptier.release(range(1, waiting_before + 1), [])
    emptier.close()
    taking.join(20)
    assert desk.line.acknowledged == [*desk_before, desk_before[-1] + 1]
    assert "room again" in desk.page.getvalue()
    spool.close()


def test_a_stop_acknowledges_nothing_that_is_not_kept(tmp_path: Path) -> None:
    spool = a_spool(tmp_path, Limits(most_bytes=1, free_bytes=1))
    desk = Desk(spool)
    desk.stopping.set()
    desk.take(payload([1]))
    assert desk.line.acknowledged == []
    spool.close()


def test_the_thread_takes_all_in_groups_and_ends_when_told(desk: Desk) -> None:
    n = 2 * MOST_MESSAGES + 7
    for mid in range(1, n + 1):
        desk.receiver.on_message(Received(str(TOPIC), payload([mid]), False, mid, 1))
    thread = threading.Thread(target=desk.receiver.run, args=[desk.intake, desk.line])
    thread.start()
    until(lambda: len(desk.line.acknowledged) == n, "all to be acknowledged")
    desk.stopping.set()
    desk.receiver.wake()
    thread.join(20)
    assert not thread.is_alive()
    assert desk.line.acknowledged == list(range(1, n + 1))
    assert desk.kept <= 4
    assert desk.line.acks[-1][1].held == [Held(sid=SID, upto=n)]
