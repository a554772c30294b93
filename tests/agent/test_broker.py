"""The agent on a real broker: all that was said arrives, marks come in, and a stop is clean."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from diastole.edge.mqtt import Broker, Connection
from diastole.edge.records import BeatKind, Mark, Reading, Status
from diastole.edge.replay.session import Options, replay_session
from diastole.edge.wire import encode
from diastole.edge.wire.topics import Inbound, Stream
from tests.agent.ingesting import Ingest, Process
from tests.agent.test_run import SESSION, replay, settings
from tests.conftest import ROOT
from tests.servers import Running, mosquitto, until

DAY = ROOT / "configs" / "demo" / "day.toml"


def simulate(speed: str, subject: str = "anna") -> str:
    return f'[[simulate]]\nsubject = "{subject}"\nscenario = "{DAY}"\nspeed = {speed}'


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Running]:
    folder = tmp_path / "broker"
    folder.mkdir()
    with mosquitto(folder) as running:
        yield running


@pytest.fixture
def ingest(broker: Running) -> Iterator[Ingest]:
    with Ingest(broker.port) as taking:
        until(lambda: taking.connected, "ingest to connect")
        yield taking


def test_law_1_what_arrives_is_what_replay_tells(
    shared: Path, tmp_path: Path, broker: Running, ingest: Ingest
) -> None:
    path = settings(tmp_path, replay(shared / SESSION), port=broker.port)
    agent = Process(tmp_path, "run", str(path))
    assert agent.wait() == 0, agent.said()
    came = [record for record in ingest.of(Stream.READING) if isinstance(record, Reading)]
    columns = replay_session(shared / SESSION, "s06", Options()).columns
    times = np.array([r.time_ns for r in came]) // 10**6
    stamps = [str(time).removesuffix("+00:00") for time in columns["time"]]
    assert times.tolist() == np.array(stamps, "datetime64[ms]").astype(int).tolist()
    assert [r.decision for r in came] == columns["decision"].tolist()
    assert [r.reason or "" for r in came] == columns["reason"].tolist()
    for name in ("hr_mean_bpm", "rmssd_ms", "sdnn_ms", "hf_ms2", "rmssd_ms_300s"):
        here = np.array([r.features[name] for r in came], float)
        np.testing.assert_allclose(here, columns[name], rtol=1e-9, atol=1e-9)
    p = np.array([r.p_stress for r in came], float)
    np.testing.assert_allclose(p, columns["p_stress"], rtol=0, atol=1e-6)
    assert ingest.of(Stream.EVENT)
    assert ingest.farewells == 1
    assert "an earlier run" not in agent.said()
    again = Process(tmp_path, "run", str(path))
    assert again.wait() == 0
    assert "read to its end by an earlier run; another state folder tells it" in again.said()
    assert len(ingest.of(Stream.READING)) == len(came)


def test_a_simulated_wearer_is_said_to_be_one_and_sends_beats_where_asked(
    tmp_path: Path, broker: Running, ingest: Ingest
) -> None:
    source = "beats = true\n" + simulate('"max"')
    agent = Process(tmp_path, "run", str(settings(tmp_path, source, port=broker.port)))
    assert agent.wait() == 0, agent.said()
    readings = ingest.of(Stream.READING)
    assert len(readings) > 500
    assert all(isinstance(r, Reading) and r.simulated for r in readings)
    beats = ingest.of(Stream.BEAT)
    assert len(beats) > 2000
    assert {getattr(beat, "kind", None) for beat in beats} == {BeatKind.RR}
    assert ingest.of(Stream.EVENT)


def test_a_stop_is_clean_and_the_next_run_goes_on(
    tmp_path: Path, broker: Running, ingest: Ingest
) -> None:
    path = settings(tmp_path, simulate("300"), port=broker.port)
    for _ in range(2):
        agent = Process(tmp_path, "run", str(path))
        before = len(ingest.of(Stream.READING))
        until(lambda: len(ingest.of(Stream.READING)) > before + 60, "readings", 60)  # noqa: B023
        assert agent.terminate() == 0, agent.said()
    assert ingest.farewells == 2
    times = [r.time_ns for r in ingest.of(Stream.READING) if isinstance(r, Reading)]
    assert len(set(times)) == len(times)
    assert set(np.diff(times)) <= {5 * 10**9, 65 * 10**9, 70 * 10**9}


def test_the_status_says_how_the_agent_is(tmp_path: Path, broker: Running, ingest: Ingest) -> None:
    path = settings(tmp_path, simulate("100"), 'model = "none"', port=broker.port)
    agent = Process(tmp_path, "run", str(path))
    (status, *_) = until(ingest.statuses, "a status", 60)
    assert agent.terminate() == 0
    assert {"online", "uptime_s", "outbox_rows", "clock_back", "cpu_s", "rss_mb"} <= set(
        status.values
    )
    assert status.text["model"] == "none"
    assert status.text["engine"].startswith("vectorised")
    assert all(isinstance(one, Status) and one.device == "-" for one in ingest.statuses())


def test_marks_come_in_and_what_is_none_is_counted(
    tmp_path: Path, broker: Running, ingest: Ingest
) -> None:
    path = settings(tmp_path, simulate("1"), port=broker.port)
    agent = Process(tmp_path, "run", str(path))
    until(ingest.statuses, "a status", 60)
    marking = tmp_path / "marking"
    marking.mkdir()
    told = Process(marking, "mark", "exam begins", "--agent-file", str(path))
    assert told.wait() == 0, told.said()
    (mark,) = until(lambda: ingest.of(Stream.MARK), "the mark")
    assert isinstance(mark, Mark)
    assert (mark.text, mark.by, mark.device) == ("exam begins", "wearer", "-")
    good = encode(mark)
    taken: list[int] = []
    outside = Connection(
        Broker(port=broker.port),
        "outside",
        subscriptions=[],
        on_message=lambda _: None,
        on_published=lambda _, mid, __: taken.append(mid),
    )
    outside.start()
    until(lambda: outside.connected, "a sender")
    for subject, payload in (("anna", b"{"), ("anna", b"x" * 5000), ("bert", good)):
        outside.publish(str(Inbound("home", "agent", subject, "-")), payload)
    until(lambda: len(taken) == 3, "the broker to take them")
    outside.stop()

    def counted() -> bool:
        refused = {
            name.removeprefix("inbound_refused_")
            for status in ingest.statuses()
            for name in status.values
            if name.startswith("inbound_refused_")
        }
        return refused == {"record", "size", "subject"}

    until(counted, "the refusals to be told", 30)
    assert agent.terminate() == 0
    assert len(ingest.of(Stream.MARK)) == 1


def test_a_mark_that_nobody_takes_is_said(tmp_path: Path, broker: Running) -> None:
    path = settings(tmp_path, simulate("1"), port=broker.port)
    told = Process(tmp_path, "mark", "exam", "--agent-file", str(path))
    assert told.wait() == 1
    assert "the mark was not taken: no agent agent of site home is at the broker" in told.said()
    wrong = Process(tmp_path, "mark", "exam", "--subject", "bert", "--agent-file", str(path))
    assert wrong.wait() == 2
    assert "no subject is called 'bert': name one of anna" in wrong.said()


def test_marks_wait_at_the_broker_for_an_agent_that_was_there(
    tmp_path: Path, broker: Running, ingest: Ingest
) -> None:
    path = settings(tmp_path, simulate("1"), port=broker.port)
    agent = Process(tmp_path, "run", str(path))
    until(ingest.statuses, "a status", 60)
    agent.kill()
    folder = tmp_path / "marking"
    folder.mkdir()
    assert Process(folder, "mark", "meanwhile", "--agent-file", str(path)).wait() == 0
    again = Process(tmp_path, "run", str(path))
    until(lambda: ingest.of(Stream.MARK), "the mark", 60)
    assert again.terminate() == 0
