"""``diastole record`` and the clock: what it waits for, and what it leaves out aloud."""

import io
import os
import re
import signal
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
import pytest

from diastole.edge.agent import clocks
from diastole.edge.agent import record as room
from diastole.edge.agent.clocks import Trust
from diastole.edge.agent.settings import Agent, Subject
from diastole.edge.chunks import Chunk
from diastole.edge.clock import Clock
from diastole.edge.formats.finding import open_recording
from diastole.edge.mqtt import Broker
from diastole.edge.records import SECOND_NS
from tests.strategies import REST, START_NS, cut, recording, shifted

WHOLE = recording(REST)
SECONDS = cut(WHOLE, range(START_NS, WHOLE.until_ns, SECOND_NS))
AGENT = Agent(broker=Broker(port=1), subjects=[Subject(name="anna")])


class Told:
    """A live source that has told all at once."""

    name = "strap"
    live = True
    paced = True
    zone = None
    simulated = False

    def __init__(self, pieces: Sequence[Chunk]) -> None:
        self.pieces = pieces

    async def chunks(
        self, clock: Clock, cursor: bytes | None
    ) -> AsyncIterator[tuple[Chunk, bytes]]:
        for piece in self.pieces:
            yield piece, b""


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())


def sourced(monkeypatch: pytest.MonkeyPatch, *pieces: Chunk) -> None:
    monkeypatch.setattr(Agent, "sources", lambda _: [("anna", Told(pieces))])


def recorded(folder: Path) -> int:
    """Give how many beats lie in the sessions of a folder."""
    sessions = (open_recording(path) for path in folder.glob("*.jsonl"))
    return sum(len(chunk.beats) for session in sessions for chunk in session.chunks())


def test_law_7_what_a_clock_that_was_set_back_costs_is_said(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sourced(monkeypatch, *SECONDS[:200], *(shifted(one, -100 * SECOND_NS) for one in SECONDS[200:]))
    monkeypatch.setattr(room, "system_trust", lambda: Trust(True, "told"))
    assert room.record(AGENT, tmp_path) == 0
    assert "subject=anna clock=back by_s=99.0, nothing is recorded" in caplog.text
    counted = re.search(r"clock=caught_up late=(\d+)", caplog.text)
    assert counted is not None
    assert int(counted[1]) > 150
    assert f"{counted[1]} records came too late and are left out" in capsys.readouterr().out


def test_nothing_is_recorded_before_the_clock_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sourced(monkeypatch, *SECONDS)
    monkeypatch.setattr(clocks, "AGAIN_S", 0.01)
    asked: list[bool] = []

    def trust() -> Trust:
        assert not list(tmp_path.iterdir())
        asked.append(len(asked) == 3)
        return Trust(asked[-1], "timesyncd has not")

    monkeypatch.setattr(room, "system_trust", trust)
    assert room.record(AGENT, tmp_path) == 0
    assert asked == [False, False, False, True]
    assert caplog.text.count("clock=untrusted") == 1
    assert recorded(tmp_path) == len(WHOLE.beats)


def test_a_clock_that_agent_toml_trusts_is_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sourced(monkeypatch, *SECONDS)
    monkeypatch.setattr(room, "system_trust", lambda: pytest.fail("asked"))
    assert room.record(msgspec.structs.replace(AGENT, clock="trusted"), tmp_path) == 0
    assert recorded(tmp_path) == len(WHOLE.beats)


def test_who_waits_for_the_clock_can_be_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sourced(monkeypatch, *SECONDS)

    def trust() -> Trust:
        os.kill(os.getpid(), signal.SIGTERM)
        return Trust(False, "timesyncd has not")

    monkeypatch.setattr(room, "system_trust", trust)
    assert room.record(AGENT, tmp_path) == 0
    assert not list(tmp_path.iterdir())
