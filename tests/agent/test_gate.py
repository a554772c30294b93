"""What other programs hand in waits until the clock is trusted and the sources know their place."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from diastole.edge.agent.clocks import Trust
from diastole.edge.agent.devices import Phone
from diastole.edge.agent.inbox import Gate
from diastole.edge.agent.run import Run
from diastole.edge.agent.settings import Agent, Subject
from diastole.edge.agent.wearer import Wearer
from diastole.edge.clock import SystemClock
from diastole.edge.mqtt import Broker, Connection, Received
from diastole.edge.records import MINUTE_NS, SECOND_NS, Beat, BeatKind, Mark
from diastole.edge.sources.mqtt import HandedOver
from diastole.edge.wire import encode
from tests.agent.test_run import held
from tests.mqtt.talk import Talk
from tests.servers import mosquitto, until

OWN = Phone(subject="anna", device="strap")
LOGGER = Phone(subject="anna", device="strap", kind="polar-sensor-logger", topic="psl")
MARKS = "diastole/in/v1/home/agent/anna/-"


class Machine:
    """An agent's machine: its clock, whether it is trusted, and what it has acknowledged."""

    def __init__(
        self, phone: Phone, folder: Path, monkeypatch: pytest.MonkeyPatch, port: int = 1
    ) -> None:
        self.clock, self.trusted, self.asked, self.came = _Clock(), True, 0, 0
        self.acknowledged: list[Received] = []
        self.running: Run
        self.agent = Agent(
            engine="vectorised",
            model="none",
            broker=Broker(port=port),
            subjects=[Subject(name="anna", beats=True)],
            phone=[phone],
        )
        self._phone, self._folder = phone, folder
        monkeypatch.setattr("diastole.edge.agent.clocks.AGAIN_S", 0.01)
        monkeypatch.setattr("diastole.edge.agent.line.FAREWELL_S", 0.1)
        monkeypatch.setattr(
            Connection, "acknowledge", lambda _, received: self.acknowledged.append(received)
        )

    def run(self, came: Sequence[Received], story: Callable[[], Awaitable[None]]) -> HandedOver:
        """Run an agent to which this comes at once, while a story goes on; give its source."""
        source = self._phone.source(15 * MINUTE_NS)

        async def running() -> None:
            one = Run(
                self.agent,
                [("anna", source)],
                clock=self.clock,
                trust=self._trust,
                folder=self._folder / "state",
            )
            take_in = one._take_in

            def counted(received: Received) -> None:
                take_in(received)
                self.came += 1

            one._take_in = counted  # type: ignore[method-assign]
            self.running = one
            for received in came:
                one._take_in(received)
            stop = asyncio.Event()
            task = asyncio.create_task(one.until(stop))
            await asyncio.wait_for(story(), 90)  # a message waits 30 s to see when it was
            stop.set()
            await task

        asyncio.run(running())
        return source

    def received(self, payload: bytes, mid: int, topic: str | None = None) -> Received:
        return Received(topic or self._phone.listens_on(self.agent), payload, False, mid, 1)

    def _trust(self) -> Trust:
        self.asked += 1
        return Trust(self.trusted, "said so")

    async def waited_in_vain(self) -> None:
        asked = self.asked
        await _until(lambda: self.asked > asked + 3)
        assert not self.acknowledged

    async def has_acknowledged(self, n: int) -> None:
        await _until(lambda: len(self.acknowledged) == n)


class _Clock(SystemClock):
    off_ns = 0

    def wall_ns(self) -> int:
        return super().wall_ns() + self.off_ns


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


def test_what_came_before_the_clock_was_trusted_is_placed_by_the_clock_that_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(OWN, tmp_path, monkeypatch)
    machine.clock.off_ns, machine.trusted = -3 * 3600 * SECOND_NS, False
    first_ns = time.time_ns() - 30 * SECOND_NS
    stamps = [first_ns + s * SECOND_NS for s in range(30)]
    beats = [Beat(device="strap", time_ns=t, rr_ms=1000.0, kind=BeatKind.RR) for t in stamps]
    came = [machine.received(encode(beat), mid) for mid, beat in enumerate(beats)]

    async def story() -> None:
        await machine.waited_in_vain()
        machine.clock.off_ns, machine.trusted = 0, True
        await machine.has_acknowledged(30)

    source = machine.run(came, story)
    assert not source.dropped
    assert source.trouble is None
    told = [noun.time_ns for _, _, _, noun in held(tmp_path) if isinstance(noun, Beat)]
    assert told
    assert told == stamps[: len(told)]


def test_what_is_handed_in_for_a_wearer_who_is_no_longer_read_holds_up_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Wearer, "step", failing)
    machine = Machine(OWN, tmp_path, monkeypatch)

    def received(mid: int) -> Received:
        beat = Beat(device="strap", time_ns=time.time_ns(), rr_ms=1000.0, kind=BeatKind.RR)
        return machine.received(encode(beat), mid)

    async def story() -> None:
        await _until(lambda: any(worn.trouble for worn in machine.running._worn))
        (worn,) = machine.running._worn
        await _until(lambda: all(task.done() for task in worn.feeding))
        for mid in range(1, 1501):
            machine.running._take_in(received(mid))
        await machine.has_acknowledged(1500)

    machine.run([], story)
    assert machine.running._inbox.refused == {"unread": 1500}


def test_an_agent_stopped_before_its_clock_is_trusted_acknowledges_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(OWN, tmp_path, monkeypatch)
    machine.trusted = False
    mark = encode(Mark(device="-", time_ns=time.time_ns(), text="tea", by="wearer"))
    machine.run([machine.received(mark, 1, MARKS)], machine.waited_in_vain)
    assert not machine.acknowledged
    assert not held(tmp_path)


def test_what_the_broker_sends_again_is_known_by_the_run_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_ms = time.time_ns() // 10**6 - 80_000
    said = [
        json.dumps({"timeStamp": first_ms + 1000 * s + s * 37 % 200, "rr": [1000]}).encode()
        for s in range(80)
    ]
    folder = tmp_path / "broker"
    folder.mkdir()
    with mosquitto(folder) as broker, Talk(broker.port, "logger") as logger:
        logger.up()

        def log(messages: Sequence[bytes]) -> None:
            for message in messages:  # nobody listens yet: "no matching subscribers"
                until(lambda: logger.send("psl/hr", message) is None, "the agent")  # noqa: B023

        machine = Machine(LOGGER, tmp_path, monkeypatch, broker.port)

        async def before_a_kill() -> None:
            await asyncio.to_thread(log, said[:60])
            await machine.has_acknowledged(60)  # and the broker has not heard of it

        async def after_it() -> None:
            await asyncio.to_thread(log, said[60:])
            await _until(lambda: machine.came == 60 + 80)  # before any source has been opened
            machine.trusted = True
            await machine.has_acknowledged(60 + 80)

        # The last stamp is of a moment ago: a backlog of which the end is not seen waits for it.
        machine.clock.off_ns = -22 * SECOND_NS
        machine.run([], before_a_kill)
        machine.clock.off_ns, machine.trusted = -2 * SECOND_NS, False
        assert machine.run([], after_it).dropped == {"doubled": 60}


def test_a_message_that_is_sent_again_passes_the_gate_once_as_it_was_sent_last() -> None:
    passed: list[Received] = []
    gate = Gate(passed.append)
    first, second = Received("t", b"1", False, 7, 1), Received("t", b"2", False, 8, 1)
    for received in (first, second, first._replace(generation=2)):
        gate.add(received)
    assert not passed
    gate.open()
    gate.add(second._replace(generation=2))
    gate.open()
    assert passed == [first._replace(generation=2), second, second._replace(generation=2)]
