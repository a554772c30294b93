"""``diastole run`` as a process: killed anywhere, nothing is lost, doubled or changed."""

import random
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from diastole.edge.records import Event, Reading
from diastole.edge.wire import Noun, decode
from tests.agent.ingesting import Process
from tests.agent.worn import assert_alike
from tests.servers import until

SESSION = "hongn/stress/S06.zip"


def settings(folder: Path, source: str, *more: str, port: int = 1) -> Path:
    """Write an agent's settings; nobody listens on port 1."""
    path = folder / "agent.toml"
    lines = [
        'engine = "vectorised"',
        f'state = "{folder}/state"',
        *more,
        "[broker]",
        f"port = {port}",
        "[[subjects]]",
        'name = "anna"',
        source,
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def replay(path: Path, *, speed: str = '"max"', at: str = "recorded") -> str:
    return f'[[replay]]\nsubject = "anna"\npath = "{path}"\nspeed = {speed}\nat = "{at}"'


def held(folder: Path) -> list[tuple[str, int, str, Noun]]:
    """Give what an outbox holds: sid, seq, stream and record."""
    with closing(sqlite3.connect(folder / "state" / "outbox.db")) as database:
        rows = database.execute(
            "SELECT sid, record.id & ?, stream, body FROM record JOIN line ON line.id = "
            "record.id >> 40 ORDER BY record.id",
            ((1 << 40) - 1,),
        ).fetchall()
    return [(sid, seq, stream, decode(bytes(body))) for sid, seq, stream, body in rows]


def ended(agent: Process) -> bool:
    """Whether its sources have been told whole."""
    if not agent.running:
        pytest.fail(agent.said())
    return " ended, " in agent.said()


def told(folder: Path) -> tuple[list[Reading], dict[tuple[str, int], Event]]:
    """Give all readings in the order of their places, and the events by episode and revision."""
    rows = held(folder)
    assert len({(sid, seq) for sid, seq, _, _ in rows}) == len(rows)
    events = [record for _, _, _, record in rows if isinstance(record, Event)]
    assert len({(e.id, e.rev) for e in events}) == len(events)
    readings = [record for _, _, _, record in rows if isinstance(record, Reading)]
    return readings, {(e.id, e.rev): e for e in events}


def uninterrupted(folder: Path, source: str) -> tuple[list[Reading], dict[tuple[str, int], Event]]:
    folder.mkdir()
    agent = Process(folder, "run", str(settings(folder, source)))
    until(lambda: ended(agent), "all to be told", 120)
    assert agent.terminate() == 0
    return told(folder)


@pytest.mark.parametrize(("speed", "most_s"), [('"max"', 0.8), ("600", 2.0)])
def test_law_1_killed_or_stopped_at_random_moments_the_same_is_committed(
    shared: Path, tmp_path: Path, speed: str, most_s: float
) -> None:
    source = replay(shared / SESSION)
    readings, events = uninterrupted(tmp_path / "whole", source)
    assert len(readings) > 100
    assert events
    folder = tmp_path / "killed"
    folder.mkdir()
    path = settings(folder, replay(shared / SESSION, speed=speed))
    chance, kills = random.Random(7), 0
    while True:
        agent = Process(folder, "run", str(path))
        until(lambda: agent.works, "the agent to work", 60)  # noqa: B023 - ended: one before it, too
        until_s = time.monotonic() + chance.uniform(0.0, most_s)
        until(lambda: time.monotonic() > until_s or ended(agent), "its moment")  # noqa: B023
        if ended(agent):
            break
        if kills % 3 == 2:
            assert agent.terminate() == 0
        else:
            agent.kill()
        kills += 1
        assert kills < 60
    assert agent.terminate() == 0
    assert kills
    again, events_again = told(folder)
    assert_alike(readings, again)
    assert events.keys() == events_again.keys()
    for key, event in events.items():
        assert msgspec.structs.replace(event, mean_p=0, peak_p=0, drivers=[]) == (
            msgspec.structs.replace(events_again[key], mean_p=0, peak_p=0, drivers=[])
        )
