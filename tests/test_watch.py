"""What a viewer hears of a broker: the board, the lines, the JSON; of MQTT 5 and of 3.1.1."""

import io
import json
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from diastole.edge.errors import InputError
from diastole.edge.mqtt import Broker, Connection
from diastole.edge.records import SECOND_NS, Mark, Reading, Status
from diastole.edge.watch import chosen_broker, listening, watch
from diastole.edge.wire import Noun, encode
from diastole.edge.wire.messages import last_will, message
from diastole.edge.wire.topics import NOBODY, Stream, Topic
from tests.conftest import ROOT
from tests.servers import free_port, mosquitto, until
from tests.views.heard import reading

READINGS = Topic("lab", "pi-1", "p-1", Stream.READING)
VERB = (sys.executable, "-m", "diastole")
STATUS = Topic("lab", "pi-1", NOBODY, Stream.STATUS)
SID = "00112233445566ff"


@contextmanager
def agent(port: int) -> Iterator[Connection]:
    connection = Connection(
        Broker(port=port), "pi-1", subscriptions=[], on_message=lambda _: None, clean=True
    )
    connection.start()
    until(lambda: connection.connected, "the agent's connection")
    yield connection
    connection.stop()


def say(connection: Connection, topic: Topic, record: Noun, seq: int = 1) -> None:
    said = message(topic, SID, [(seq, encode(record))])
    retain = topic.stream is Stream.STATUS
    until(lambda: connection.publish(str(topic), said, retain=retain) is not None, "it to be sent")


def recent(k: int = 0) -> Reading:
    return reading(time_ns=time.time_ns() + k * SECOND_NS)


def asked(port: int, **more: object) -> Namespace:
    given = {"broker": f"127.0.0.1:{port}", "config": None, "site": None, "once": True}
    return Namespace(**given | {"json": False} | more)


def shown(given: Namespace) -> tuple[int, str]:
    text = io.StringIO()
    code = watch(given, Console(file=text, width=120, color_system=None))
    return code, text.getvalue()


def test_once_shows_what_is_kept_and_what_comes(tmp_path: Path) -> None:
    online = Status(device=NOBODY, time_ns=time.time_ns(), values={"online": 1, "outbox_rows": 3})
    with mosquitto(tmp_path) as broker, agent(broker.port) as connection:
        say(connection, STATUS, online)
        viewer = subprocess.Popen(
            [*VERB, "watch", "--broker", f"127.0.0.1:{broker.port}", "--once", "--json"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert viewer.stdout is not None
        status = json.loads(viewer.stdout.readline())
        say(connection, READINGS, recent(), 7)
        heard = json.loads(viewer.stdout.readline())
        assert viewer.wait(20) == 0
        viewer.stdout.close()
    assert status["stream"] == "status"
    assert status["record"]["values"]["outbox_rows"] == 3
    assert {name: heard[name] for name in ("site", "agent", "subject", "sid", "seq")} == {
        "site": "lab",
        "agent": "pi-1",
        "subject": "p-1",
        "sid": SID,
        "seq": 7,
    }
    assert heard["record"]["features"]["hr_mean_bpm"] == 66


def test_the_board_knows_whose_broker_it_is(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker, agent(broker.port) as connection:
        say(connection, STATUS, Status(device=NOBODY, time_ns=1, values={"online": 1}))
        code, text = shown(asked(broker.port))
    assert code == 0
    assert f"127.0.0.1:{broker.port}, MQTT 5" in text
    assert "agent lab/pi-1 online" in text


def test_lines_tell_readings_marks_and_an_agent_that_has_gone(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker, agent(broker.port) as connection:
        viewer = subprocess.Popen(
            [*VERB, "watch", "--broker", f"127.0.0.1:{broker.port}"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert viewer.stdout is not None
        first = viewer.stdout.readline()
        say(connection, READINGS, recent())
        line = viewer.stdout.readline()
        say(
            connection,
            READINGS._replace(stream=Stream.MARK),
            Mark(device=NOBODY, time_ns=time.time_ns(), text="coffee\x1b[2J", by="anna"),
        )
        mark = viewer.stdout.readline()
        connection.publish(str(STATUS), last_will(STATUS), retain=True)
        gone = viewer.stdout.readline()
        viewer.terminate()
        rest, code = viewer.communicate(timeout=20)[0], viewer.returncode
    assert "is there" in first
    assert "lab/pi-1/p-1/strap" in line
    assert "calm: heart rate 66 bpm (normal 58-70), RMSSD 41 ms (normal 30-50), p 0.31" in line
    assert "mark by anna: coffee" in mark
    assert "\x1b" not in mark
    assert "lab/pi-1  the agent is gone" in gone
    assert (rest, code) == ("", 130)


def test_what_is_not_ours_is_counted_and_the_rest_heard(tmp_path: Path) -> None:
    bad = [
        b"",
        b"{",
        b'{"v":9}',
        b'{"v":1,"agent":"a","subject":"b","stream":"reading","records":[{}]}',
    ]
    with (
        mosquitto(tmp_path) as broker,
        agent(broker.port) as connection,
        listening(Broker(port=broker.port)) as listener,
    ):
        until(lambda: listener.connection.connected, "the viewer's connection")
        for payload in bad:
            connection.publish(str(READINGS), payload)
        say(connection, READINGS, recent())
        heard = [one for _ in range(5) for one in listener.hear(0.5)]
        assert [one.record.device for one in heard] == ["strap"]
        assert listener.misheard == len(bad)
        assert "4 messages were not understood, last diastole/v1/lab" in listener.trouble


def test_it_comes_back_when_the_broker_does(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker, listening(Broker(port=broker.port)) as listener:
        until(lambda: listener.connection.connected, "the first connection")
        broker.kill()
        until(lambda: listener.trouble, "the trouble to be told")
        broker.start()
        until(lambda: listener.connection.connected, "the second connection")
        with agent(broker.port) as connection:
            say(connection, READINGS, recent())
            assert [one.record.device for one in listener.hear(10)] == ["strap"]


def test_the_embedded_broker_is_watched_in_3_1_1() -> None:
    port = free_port()
    with embedded(port), listening(Broker(port=port)) as listener:
        until(lambda: listener.connection.connected, "the viewer's connection")
        assert listener.connection.version == "3.1.1"
        with agent(port) as connection:
            say(connection, READINGS, recent())
            assert [one.record.device for one in listener.hear(10)] == ["strap"]


def test_nobody_there_is_a_sentence() -> None:
    port = free_port()
    with pytest.raises(InputError, match=f"nothing was heard: no broker listens at .*{port}"):
        shown(asked(port))


def test_silence_is_not_success(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker:
        code, text = shown(asked(broker.port))
    assert code == 1
    assert "nothing heard yet" in text


@pytest.mark.parametrize("place", ["host:", ":1883", "host:x", "host:0", "host:65536"])
def test_a_place_that_is_none(place: str) -> None:
    with pytest.raises(InputError, match="is no HOST:PORT"):
        chosen_broker(place, None)


def test_a_broker_is_named_by_place_or_by_file(tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    file.write_text('site = "lab"\n[broker]\nport = 1999\n')
    assert chosen_broker("localhost:99", None) == Broker(host="localhost", port=99)
    assert chosen_broker("[::1]:99", None).host == "::1"
    assert chosen_broker(None, file).port == 1999
    assert chosen_broker(None, None) == Broker()
    viewer = tmp_path / "viewer.toml"
    viewer.write_text('[broker]\nuser = "viewer"\n')
    assert chosen_broker(None, viewer).user == "viewer"
    file.write_text('site = "lab"\n[broker]\nuser = "agent"\n')
    with pytest.raises(InputError, match="whom this would throw off: give a file"):
        chosen_broker(None, file)
    with pytest.raises(InputError, match="give one of them"):
        chosen_broker("localhost:99", file)
    with pytest.raises(InputError, match="plaintext"):
        chosen_broker("10.0.0.1:1883", None)


def test_a_site_is_no_pattern() -> None:
    with pytest.raises(InputError, match="is no name of a site"):
        watch(asked(1, site="#"), Console())


@contextmanager
def embedded(port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run the demo's broker."""
    command = [sys.executable, "-m", "diastole.edge.demo.broker", str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process
        process.stdin.close()
        assert process.wait(20) == 0
