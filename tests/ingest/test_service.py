"""Ingest as it runs, behind a real broker: killed, left without its store, told to stop."""

import sqlite3
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from diastole.edge.wire import WIRE_SCHEMA
from diastole.edge.wire.messages import Hello, Message, parse, to_bytes
from diastole.edge.wire.topics import Stream
from diastole.ingest.spool import Spool
from diastole.ingest.stores.sqlite import SqliteStore
from tests.conftest import ROOT
from tests.ingest.sent import SID, START_MS, TOPIC, payload, waiting
from tests.ingest.serving import Agent, Serving, called, write_settings
from tests.servers import Running, mosquitto, until


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Running]:
    folder = tmp_path / "broker"
    folder.mkdir()
    lines = ("max_queued_messages 0", "max_inflight_messages 2000")
    with mosquitto(folder, *lines) as running:
        yield running


def stored(folder: Path) -> list[int]:
    """Return the places of the readings in the store."""
    if not (folder / "store.db").exists():
        return []
    store = SqliteStore(folder / "store.db")
    rows = store.read("reading", {}, ["beats"], START_MS, START_MS + 10**12)
    found = [(row.time_ms - START_MS) // 5000 for row in rows]
    store.close()
    return found


def spooled(folder: Path) -> list[int]:
    spool = Spool(folder / "spool.db")
    found = [seq for one in waiting(spool) for seq in parse(one.payload, Message).seqs]
    spool.close()
    return found


def test_what_an_agent_sends_is_held_stored_and_counted(tmp_path: Path, broker: Running) -> None:
    home = tmp_path / "home"
    settings = write_settings(home, broker.port)
    with Serving(settings) as serving, Agent(broker.port) as agent:
        agent.send(payload([1, 2]))
        agent.send(b"words")
        agent.send_each([3])
        until(lambda: agent.upto(SID) == 3, "all to be held")
        until(lambda: stored(home) == [1, 2, 3], "all to be stored")
        assert serving.stop() == 0
        assert serving.said.splitlines()[-1].endswith("said=stopped")
    assert spooled(home) == []
    done = called("count", "--json", "--config", str(settings))
    assert (done.returncode, done.stdout) == (0, '{"reading": 3}\n')
    done = called("dead-letters", "--config", str(settings))
    assert "message, tries 0: not a record" in done.stdout
    done = called("dead-letters", "drop", "1", "--config", str(settings))
    assert done.stdout == "1 dead letters are gone\n"


def test_killed_in_mid_load_nothing_that_was_held_is_lost(tmp_path: Path, broker: Running) -> None:
    home, last = tmp_path / "home", 6_000
    with Serving(write_settings(home, broker.port)) as serving, Agent(broker.port) as agent:
        sending = threading.Thread(target=agent.send_each, args=[range(1, last + 1)])
        sending.start()
        for at_least in (1, 1_000, 2_500):
            until(partial(agent.holds, SID, at_least), "some to be held", 60)
            serving.kill()
            held = agent.upto(SID)
            assert {*stored(home), *spooled(home)} >= set(range(1, held + 1))
            serving.start()
        sending.join(60)
        until(partial(agent.holds, SID, last), "all to be held", 60)
        until(lambda: len(stored(home)) == last, "all to be stored", 60)
        assert serving.stop() == 0
    assert stored(home) == list(range(1, last + 1))
    assert spooled(home) == []


def test_a_store_that_is_away_fills_the_spool_and_is_back(tmp_path: Path, broker: Running) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "store.db").write_text("no store\n" * 100)
    with Serving(write_settings(home, broker.port)) as serving, Agent(broker.port) as agent:
        agent.send_each(range(1, 11))
        until(lambda: agent.upto(SID) == 10, "all to be held")
        until(lambda: "said=alarm" in serving.said, "the alarm")
        assert spooled(home) == list(range(1, 11))
        (home / "store.db").unlink()
        until(lambda: stored_or_not(home) == list(range(1, 11)), "all to be stored", 30)
        until(lambda: spooled(home) == [], "the spool to be empty")
        assert 'said="store back"' in serving.said


def stored_or_not(folder: Path) -> list[int]:
    try:
        return stored(folder)
    except sqlite3.Error:
        return []


def test_a_greeting_tells_an_agent_what_it_may_let_go(tmp_path: Path, broker: Running) -> None:
    with Serving(write_settings(tmp_path / "home", broker.port)) as serving:
        with Agent(broker.port) as first:
            first.send_each(range(1, 6))
            until(lambda: first.upto(SID) == 5, "all to be held")
        serving.kill()
        serving.start()
        with Agent(broker.port) as again:
            hello = Hello(v=WIRE_SCHEMA, agent=TOPIC.agent, streams={SID: (1, 5)})
            again.send(to_bytes(hello), TOPIC._replace(subject="-", stream=Stream.HELLO))
            until(lambda: again.upto(SID) == 5, "the answer")


def test_one_spool_has_one_process(tmp_path: Path, broker: Running) -> None:
    settings = write_settings(tmp_path / "home", broker.port)
    with Serving(settings):
        done = called("run", "--config", str(settings))
    assert done.returncode == 2
    assert "another process works with the spool" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_broker_that_is_not_there_is_said_and_waited_for(tmp_path: Path) -> None:
    folder = tmp_path / "broker"
    folder.mkdir()
    running = mosquitto(folder)
    with Serving(write_settings(tmp_path / "home", running.port)) as serving:
        running.stop()
        until(lambda: "no broker listens at" in serving.said, "the sentence")
        running.start()
        until(lambda: serving.said.count("said=connected") == 2, "the connection")
        with Agent(running.port) as agent:
            agent.send_each([1])
            until(lambda: agent.upto(SID) == 1, "it to be held")
    running.stop()


def test_the_file_in_configs_is_started_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with Serving(ROOT / "configs" / "ingest.toml", tmp_path / "said.log", "started") as serving:
        assert serving.stop() == 0
    assert f"spool={tmp_path}/diastole/ingest.spool" in serving.said
    assert (tmp_path / "diastole" / "ingest.spool").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--config", "none.toml"], "none.toml: no such file"),
        (["count", "--config", "none.toml"], "none.toml: no such file"),
        (["dead-letters", "retry"], "does not know which"),
        (["dead-letters"], "there is no spool"),
        (["count"], "the store cannot be asked"),
        (["init"], "check url and login"),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path: Path, words: list[str], told: str) -> None:
    store = '[influx]\nurl = "http://127.0.0.1:1"'
    settings = write_settings(tmp_path / "home", 1, store=store)
    done = called(*words, *([] if "--config" in words else ["--config", str(settings)]))
    assert done.returncode == 2
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
