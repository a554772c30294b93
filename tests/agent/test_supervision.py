"""The agent's own run, without a broker: what waits, what fails alone, what is acknowledged."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from diastole.edge.agent.clocks import Trust
from diastole.edge.agent.run import Run
from diastole.edge.agent.settings import Agent, Simulate, Subject
from diastole.edge.agent.wearer import Wearer
from diastole.edge.chunks import Chunk
from diastole.edge.clock import Clock, SystemClock
from diastole.edge.delivery import Tick
from diastole.edge.delivery.outbox import Outbox
from diastole.edge.delivery.room import Room
from diastole.edge.errors import BadFile
from diastole.edge.mqtt import Broker, Received
from diastole.edge.records import Mark, Reading, Status
from diastole.edge.sources.live import Source
from diastole.edge.sources.replayed import Played
from diastole.edge.wire import encode
from tests.agent.test_run import held
from tests.strategies import REST, START_NS, STRESS, recording

TRUSTED = Trust(True, "said so")
AGENT = Agent(
    engine="vectorised",
    model="none",
    broker=Broker(port=1),
    subjects=[Subject(name="anna"), Subject(name="bert")],
    simulate=[Simulate(subject="anna", scenario="-"), Simulate(subject="bert", scenario="-")],
)
WHOLE = recording(REST, STRESS)
EACH = 120
"""Windows that it has."""


def pieces(damage: Exception | None = None) -> Iterator[Chunk]:
    middle = START_NS + 200 * 10**9
    head, tail = WHOLE.split(middle)
    yield head
    if damage is not None:
        raise damage
    yield tail


def played(name: str, damage: Exception | None = None) -> Played:
    read: Callable[[], Iterator[Chunk]] = partial(pieces, damage)
    return Played(name=name, start_ns=START_NS, read=read, speed=0, at="recorded")


class Live:
    """A strap that has nothing to say, for ever."""

    name = "strap"
    live = True
    paced = True
    zone = None
    simulated = False

    def __init__(self) -> None:
        self.opened = asyncio.Event()

    async def chunks(
        self, clock: Clock, cursor: bytes | None
    ) -> AsyncIterator[tuple[Chunk, bytes]]:
        self.opened.set()
        while True:
            yield Chunk(clock.wall_ns()), b""
            await asyncio.sleep(0.01)


def run(
    folder: Path,
    sources: list[tuple[str, Source]],
    until: Callable[[Run], Awaitable[None]],
    *,
    agent: Agent = AGENT,
    trust: Callable[[], Trust] = lambda: TRUSTED,
) -> int:
    """Run an agent until something has come about; give its exit code."""

    async def running() -> int:
        one = Run(agent, sources, clock=SystemClock(), trust=trust, folder=folder / "state")
        stop = asyncio.Event()
        task = asyncio.create_task(one.until(stop))
        await asyncio.wait_for(until(one), 30)
        stop.set()
        return await task

    return asyncio.run(running())


async def all_told(one: Run) -> None:
    await _until(lambda: bool(one._worn) and all(worn.done for worn in one._worn))


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


def readings(folder: Path) -> list[str]:
    """Give whose readings an outbox holds, a name each."""
    return [r.device for _, _, _, r in held(folder) if isinstance(r, Reading)]


def last_status(folder: Path) -> Status:
    return [r for _, _, _, r in held(folder) if isinstance(r, Status)][-1]


def test_two_wearers_side_by_side(tmp_path: Path) -> None:
    sources: list[tuple[str, Source]] = [("anna", played("a")), ("bert", played("b"))]
    assert run(tmp_path, sources, all_told) == 0
    assert len(readings(tmp_path)) == 2 * EACH


def test_a_source_that_fails_is_said_and_the_others_go_on(tmp_path: Path) -> None:
    damaged = BadFile("x.csv", "damaged", "copy it again", 7)
    sources: list[tuple[str, Source]] = [("anna", played("a", damaged)), ("bert", played("b"))]
    assert run(tmp_path, sources, all_told) == 1
    assert EACH < len(readings(tmp_path)) < 2 * EACH


def test_a_wearer_met_by_a_defect_is_said_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Wearer.step

    def failing(self: Wearer, *given: Any) -> Any:
        if self.name == "anna":
            raise ZeroDivisionError
        return step(self, *given)

    monkeypatch.setattr(Wearer, "step", failing)
    sources: list[tuple[str, Source]] = [("anna", played("a")), ("bert", played("b"))]

    async def told(one: Run) -> None:
        await all_told(one)
        one._health._due._told_s = None  # its minute is over
        one._arrived.set()
        await asyncio.sleep(0.3)

    assert run(tmp_path, sources, told) == 1
    assert len(readings(tmp_path)) == EACH
    assert "anna is no longer read: ZeroDivisionError()" in last_status(tmp_path).text["trouble"]


def test_a_model_that_does_not_fit_is_said_and_done_without(tmp_path: Path) -> None:
    model = tmp_path / "none.onnx"
    model.write_bytes(b"no model")
    agent = Agent(
        engine="vectorised",
        model=str(model),
        broker=Broker(port=1),
        subjects=[Subject(name="anna")],
    )
    assert run(tmp_path, [("anna", played("a"))], all_told, agent=agent) == 0
    reasons = {str(r.reason) for _, _, _, r in held(tmp_path) if isinstance(r, Reading)}
    assert "model_refused" in reasons
    status = last_status(tmp_path)
    assert status.text["model"] == "refused"
    assert "none.onnx" in status.text["trouble"]


# ---- the clock


def test_with_a_live_source_nothing_is_said_before_the_clock_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("diastole.edge.agent.clocks.AGAIN_S", 0.01)
    caplog.set_level("INFO")
    asked: list[int] = []

    def trust() -> Trust:
        asked.append(1)
        return Trust(len(asked) > 5, "timesyncd has not" if len(asked) <= 5 else "it has")

    ticks: list[Tick] = []
    commit = Outbox.commit

    def noted(self: Outbox, tick: Tick) -> bool:
        assert len(asked) > 5
        ticks.append(tick)
        return commit(self, tick)

    monkeypatch.setattr(Outbox, "commit", noted)

    async def opened(one: Run) -> None:
        await _until(lambda: bool(ticks))

    assert run(tmp_path, [("anna", Live())], opened, trust=trust) == 0
    assert len(asked) == 6
    assert caplog.text.count("clock=untrusted") == 1
    assert 'clock=trusted why="it has"' in caplog.text


@pytest.mark.parametrize("live", [False, True])
def test_a_clock_is_asked_only_where_times_are_taken_from_it(tmp_path: Path, live: bool) -> None:
    def never() -> Trust:
        raise AssertionError

    source: Source = Live() if live else played("a")
    agent = Agent(
        engine="vectorised",
        model="none",
        clock="trusted" if live else "checked",
        broker=Broker(port=1),
        subjects=[Subject(name="anna")],
    )

    async def worked(one: Run) -> None:
        await _until(lambda: bool(one._worn) and one._worn[0].wearer._until_ns > START_NS)

    assert run(tmp_path, [("anna", source)], worked, agent=agent, trust=never) == 0


# ---- what comes in


def test_a_mark_is_acknowledged_once_it_is_durable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    durable = False
    acknowledged: list[Received] = []
    commit = Outbox.commit
    monkeypatch.setattr("diastole.edge.agent.run.COMMIT_S", 0.05)

    def when_it_can(self: Outbox, tick: Tick) -> bool:
        kept = commit(self, tick)
        return kept and durable

    monkeypatch.setattr(Outbox, "commit", when_it_can)
    mark = Mark(device="-", time_ns=START_NS, text="exam", by="wearer")
    topic = "diastole/in/v1/home/agent/anna/-"

    async def marked(one: Run) -> None:
        nonlocal durable
        await _until(lambda: bool(one._worn))
        monkeypatch.setattr(one._line.connection, "acknowledge", acknowledged.append)
        for mid, payload in enumerate((encode(mark), b"{")):
            one._take_in(Received(topic, payload, False, mid, 1))
        await _until(lambda: bool(one._unsaid))
        await asyncio.sleep(0.2)
        assert not acknowledged
        durable = True
        await _until(lambda: len(acknowledged) == 2)

    assert run(tmp_path, [("anna", Live())], marked) == 0
    assert [r for _, _, _, r in held(tmp_path) if isinstance(r, Mark)] == [mark]


# ---- the state folder


def test_two_agents_do_not_share_an_outbox(tmp_path: Path) -> None:
    async def beside(one: Run) -> None:
        await _until(lambda: bool(one._worn))
        other = Run(
            AGENT, [], clock=SystemClock(), trust=lambda: TRUSTED, folder=tmp_path / "state"
        )
        with pytest.raises(BadFile, match="another agent holds this outbox"):
            await other.until(asyncio.Event())

    assert run(tmp_path, [("anna", Live())], beside) == 0
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_what_nothing_paces_waits_for_the_outbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("diastole.edge.agent.run.AHEAD_ROWS", 30)

    async def waited(one: Run) -> None:
        await _until(lambda: bool(one._worn) and one._full)
        await asyncio.sleep(0.5)
        assert not one._worn[0].done

    assert run(tmp_path, [("anna", played("a"))], waited) == 0
    assert 30 <= len(readings(tmp_path)) < EACH
    assert run(tmp_path, [("anna", played("a"))], all_told_after(monkeypatch)) == 0
    assert len(readings(tmp_path)) == EACH


def all_told_after(monkeypatch: pytest.MonkeyPatch) -> Callable[[Run], Awaitable[None]]:
    monkeypatch.setattr("diastole.edge.agent.run.AHEAD_ROWS", 10_000)
    return all_told


def test_what_can_wait_waits_while_the_disk_is_nearly_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    low = [True]
    monkeypatch.setattr(Room, "is_low", property(lambda _: low[0]))
    waits: list[int] = []

    async def until(one: Run) -> None:
        await _until(lambda: bool(one._worn) and one._full)
        idle = one._idle

        async def counted() -> None:
            waits.append(one._line.depth.rows)
            await idle()

        monkeypatch.setattr(one, "_idle", counted)
        await _until(lambda: len(waits) > 5)
        assert any(worn.inlets[0].waiting for worn in one._worn)
        low[0] = False
        await all_told(one)

    sources: list[tuple[str, Source]] = [("anna", played("a")), ("bert", played("b"))]
    run(tmp_path, sources, until)
    assert len(set(waits[:5])) == 1
    assert len(readings(tmp_path)) == 2 * EACH


def test_what_an_outbox_says_over_and_over_is_in_the_log_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def until(one: Run) -> None:
        await all_told(one)
        for _ in range(3):
            one._line._outbox.notes = ["the disk hums", "the disk hums"]
            await one._line._look()
        assert one._line.notes == ["the disk hums"]

    run(tmp_path, [("anna", played("a")), ("bert", played("b"))], until)
    assert caplog.text.count("the disk hums") == 1
