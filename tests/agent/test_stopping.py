"""An agent that is stopped and started again: nothing committed is doubled, the gap is told."""

import asyncio
from pathlib import Path

import msgspec

from diastole.edge.agent.clocks import Trust
from diastole.edge.agent.run import Run
from diastole.edge.agent.settings import Agent, Subject
from diastole.edge.records import Beat
from tests.agent.test_run import held
from tests.fakes.bluez import FakeBluez
from tests.fakes.devices import Strap
from tests.radio.listening import play, until
from tests.radio.test_record import agent, replayed

RUNS = 3
LOST_AT_A_STOP = 3
"""The beats that end in two seconds: the agent's own one, and the packet's."""


def test_a_stop_loses_a_second_at_most_and_the_next_start_says_so(tmp_path: Path) -> None:
    strap = Strap()
    subjects = [Subject(name="anna", beats=True, record=True)]
    settings = msgspec.structs.replace(agent(tmp_path, strap), subjects=subjects)
    heard: list[int] = []

    async def story(bluez: FakeBluez) -> None:
        for _ in range(RUNS):
            before = len(strap.heard)
            await _run(settings, bluez, strap, before + 30)
            heard.append(len(strap.heard) - before)
            await until(lambda: not strap.connected)
            await bluez.clock.sleep(5)

    play(story, strap)
    beats = [noun for _, _, _, noun in held(tmp_path) if isinstance(noun, Beat)]
    times = [beat.time_ns for beat in beats]
    assert times == sorted(set(times))
    assert sum(heard) - RUNS * LOST_AT_A_STOP <= len(beats) <= sum(heard)
    sent = iter(strap.heard)
    assert all(any(round(beat.rr_ms * 1.024) in (n, 0) for n in sent) for beat in beats)
    tapes = sorted((settings.folder / "recordings").glob("*.jsonl"))
    assert len(tapes) == RUNS
    for tape in tapes[1:]:
        _, came = replayed(tape)
        assert came.breaks["time_ns"][0] <= came.beats["time_ns"][0]


async def _run(settings: Agent, bluez: FakeBluez, strap: Strap, enough: int) -> None:
    """Run the agent until so many beats have gone on air, then stop it."""
    stop = asyncio.Event()
    run = Run(
        settings,
        settings.sources(),
        clock=bluez.clock,
        trust=lambda: Trust(True, "told"),
        folder=settings.folder,
    )
    running = asyncio.create_task(run.until(stop))
    await until(lambda: len(strap.heard) >= enough or running.done())
    stop.set()
    assert await running == 0
