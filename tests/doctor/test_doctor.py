"""What the doctor finds on real parts: green where all is well, and each fault with its remedy."""

import io
import json
import socket
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest
from rich.console import Console

from diastole.edge import doctor as room
from diastole.edge.agent.clocks import Trust
from diastole.edge.agent.settings import Agent
from diastole.edge.delivery import Item, Tick
from diastole.edge.delivery.limits import Limits
from diastole.edge.delivery.outbox import Outbox
from diastole.edge.doctor import agent as of_agent
from diastole.edge.doctor import certificates, examine, machine
from diastole.edge.doctor import outbox as outbox_room
from diastole.edge.doctor.certificates import in_file, lasting, of_server
from diastole.edge.doctor.finding import Finding
from diastole.edge.doctor.outbox import depth
from diastole.edge.mqtt import Broker, Connection
from diastole.edge.records import MINUTE_NS, SECOND_NS, Mark, Status
from diastole.edge.wire import encode
from diastole.edge.wire.messages import message
from diastole.edge.wire.topics import NOBODY, Stream, Topic
from tests.certificates import Authority
from tests.conftest import ROOT
from tests.servers import Running, free_port, mosquitto, needed, until

AGENT = """
site = "lab"
agent = "pi-1"
engine = "vectorised"
state = "{folder}/state"
{more}
[broker]
port = {port}
{broker}
[[subjects]]
name = "p-1"
[[simulate]]
subject = "p-1"
scenario = "{root}/configs/demo/day.toml"
speed = 60
"""
INGEST = """
[broker]
port = {port}
{broker}
[spool]
path = "{folder}/spool.db"
free_mb = 1
[sqlite]
path = "{folder}/store.db"
"""
SID = "00112233445566ff"


def agent_file(folder: Path, port: int, *, more: str = "", broker: str = "") -> Path:
    path = folder / "agent.toml"
    path.write_text(
        AGENT.format(folder=folder, port=port, more=more, broker=broker, root=ROOT.as_posix())
    )
    return path


def ingest_file(folder: Path, port: int, *, broker: str = "") -> Path:
    path = folder / "ingest.toml"
    path.write_text(INGEST.format(folder=folder, port=port, broker=broker))
    return path


def found(agent: Path | None = None, ingest: Path | None = None) -> dict[str, Finding]:
    return {finding.name: finding for finding in examine(agent, ingest)}


def told(agent: Path | None, ingest: Path | None = None, **more: object) -> tuple[int, str]:
    text = io.StringIO()
    given = Namespace(agent=agent, ingest=ingest, **{"json": False, "state": None} | more)
    code = room.doctor(given, Console(file=text, width=300, color_system=None))
    return code, text.getvalue()


@contextmanager
def running(*words: str, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with (
        log.open("wb") as out,
        subprocess.Popen(
            [sys.executable, "-m", "diastole", *words], cwd=ROOT, stdout=out, stderr=out
        ) as process,
    ):
        yield process
        process.terminate()
        process.wait(20)


@contextmanager
def said_so(port: int, sid: str, text: dict[str, str] | None = None) -> Iterator[None]:
    """Leave the health of an agent of that name with the broker."""
    topic = Topic("lab", "pi-1", NOBODY, Stream.STATUS)
    status = Status(device=NOBODY, time_ns=1, values={"online": 1.0}, text=text or {})
    connection = Connection(
        Broker(port=port), "other", subscriptions=[], on_message=lambda _: None, clean=True
    )
    connection.start()
    until(lambda: connection.connected, "the connection")
    connection.publish(str(topic), message(topic, sid, [(1, encode(status))]), retain=True)
    yield
    connection.stop()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Running]:
    folder = tmp_path / "broker"
    folder.mkdir()
    with mosquitto(folder) as server:
        yield server


def test_all_is_well_from_wearer_to_store(tmp_path: Path, broker: Running) -> None:
    agent, ingest = agent_file(tmp_path, broker.port), ingest_file(tmp_path, broker.port)
    outbox = tmp_path / "state" / "outbox.db"
    with (
        running("ingest", "run", "--config", str(ingest), log=tmp_path / "ingest.log"),
        running("run", str(agent), log=tmp_path / "agent.log"),
    ):
        until(lambda: outbox.exists() and (tmp_path / "store.db").exists(), "both to have begun")
        until(lambda: "agent agent" in found(agent), "the agent's first word", 30)
        code, text = told(agent, ingest)
    findings = dict(line[6:].split(": ", 1) for line in text.splitlines())
    assert code == 0, text
    assert "FAIL" not in text
    assert findings["agent agent"] == "pi-1 is running, and nobody else is called so"
    assert findings["agent acknowledgement"].startswith("ingest answers in ")
    assert findings["agent protocol"] == "MQTT 5"
    assert findings["agent model"].startswith("shipped ")
    assert findings["ingest store"].startswith("it answers: ")
    assert findings["agent settings"] == f"{agent} is right"
    assert {line[:4] for line in text.splitlines()} <= {"ok  ", "look"}


def test_no_broker_is_told_with_what_to_do(tmp_path: Path) -> None:
    port = free_port()
    code, text = told(agent_file(tmp_path, port))
    assert code == 1
    assert (
        f"FAIL  agent broker: nobody answers at 127.0.0.1:{port} (connection refused)"
        " -> start the broker, or correct host and port" in text
    )
    assert "acknowledgement" not in text


def test_an_agent_that_was_given_another_folder_is_looked_for_there(tmp_path: Path) -> None:
    outbox = Outbox.open(tmp_path / "elsewhere" / "outbox.db", Limits(), time.time_ns)
    outbox.close()
    agent = agent_file(tmp_path, free_port())
    assert "outbox: empty" in told(agent, state=tmp_path / "elsewhere")[1]
    assert "the agent has not run yet" in told(agent)[1]


def test_ingest_answers_an_agent_that_has_never_run(tmp_path: Path, broker: Running) -> None:
    agent, ingest = agent_file(tmp_path, broker.port), ingest_file(tmp_path, broker.port)
    log = tmp_path / "ingest.log"
    with running("ingest", "run", "--config", str(ingest), log=log):
        until(lambda: "connected" in log.read_text(), "ingest")
        assert found(agent)["agent acknowledgement"].state == "ok"


def test_no_ingest_is_told_with_what_to_do(
    tmp_path: Path, broker: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_agent, "ANSWER_S", 0.3)
    finding = found(agent_file(tmp_path, broker.port))["agent acknowledgement"]
    assert finding.state == "fail"
    assert "no ingest answers for site lab" in finding.what
    assert "start diastole ingest run" in finding.remedy


def test_law_11_a_wrong_password_is_told_and_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "broker"
    folder.mkdir()
    subprocess.run(
        [needed("mosquitto_passwd"), "-c", "-b", "users", "pi-1", "right"], cwd=folder, check=True
    )
    with mosquitto(folder, "allow_anonymous false", "password_file users") as server:
        agent = agent_file(tmp_path, server.port, broker='user = "pi-1"')
        monkeypatch.setenv("DIASTOLE_BROKER_PASSWORD", "wrong-secret")
        code, text = told(agent)
        assert code == 1
        assert "FAIL  agent login:" in text
        assert "does not let user pi-1 in -> check user and password" in text
        assert "wrong-secret" not in text
        monkeypatch.setenv("DIASTOLE_BROKER_PASSWORD", "right")
        monkeypatch.setattr(of_agent, "ANSWER_S", 0.1)
        assert found(agent)["agent login"] == Finding("agent login", "ok", "let in as pi-1")


def test_who_is_at_work_is_not_thrown_off_by_its_doctor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "broker"
    folder.mkdir()
    monkeypatch.setenv("DIASTOLE_BROKER_PASSWORD", "secret")
    for k, user in enumerate(("pi-1", "ingest")):
        made = ["-c"] * (not k)
        passwd = [needed("mosquitto_passwd"), *made, "-b", "users", user, "secret"]
        subprocess.run(passwd, cwd=folder, check=True)
    lines = ("allow_anonymous false", "password_file users", "use_username_as_clientid true")
    with mosquitto(folder, *lines) as server:
        agent = agent_file(tmp_path, server.port, broker='user = "pi-1"')
        ingest = ingest_file(tmp_path, server.port, broker='user = "ingest"')
        logs = tmp_path / "ingest.log", tmp_path / "agent.log"
        with (
            running("ingest", "run", "--config", str(ingest), log=logs[0]),
            running("run", str(agent), log=logs[1]) as started,
        ):
            until(lambda: "connected" in logs[0].read_text(), "ingest")
            until(lambda: "broker=up" in logs[1].read_text(), "the agent")
            at_work = found(agent, ingest)
            said = "".join(log.read_text() for log in logs)
            started.terminate()
            started.wait(20)
            assert found(agent)["agent acknowledgement"].what.startswith("ingest answers in ")
        at_rest = found(agent, ingest)
    assert at_work["agent acknowledgement"].what.startswith("the agent is running")
    assert at_work["agent acknowledgement"].state == "ok"
    assert at_work["ingest login"].what == "left to ingest, which is running as ingest"
    assert "took the connection" not in said
    assert "is lost" not in said
    assert at_rest["agent login"].what == "let in as pi-1"
    assert at_rest["ingest login"].what == "let in as ingest"
    assert at_rest["agent acknowledgement"].state == "fail"


def test_who_is_at_work_and_away_from_the_broker_is_not_called_well(
    tmp_path: Path, broker: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = agent_file(tmp_path, broker.port, broker='user = "pi-1"')
    path = tmp_path / "state" / "outbox.db"
    away = Status(device="-", time_ns=0, values={}, text={"trouble": "no broker listens"})
    now_ns = time.time_ns()
    outbox = Outbox.open(path, Limits(), lambda: now_ns - 56 * SECOND_NS)
    outbox.commit(Tick(items=[Item("-", Stream.STATUS, away)]))
    found_now = found(agent)
    assert found_now["agent acknowledgement"].state == "warn"
    assert "nothing that it says is acknowledged for 5" in found_now["agent acknowledgement"].what
    assert found_now["agent trouble"].what == "the agent says: no broker listens"
    monkeypatch.setattr(outbox_room, "PATIENCE_S", 20)
    assert found(agent)["agent acknowledgement"].state == "fail"
    outbox.close()


def test_another_agent_of_the_name_is_found(
    tmp_path: Path, broker: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_agent, "ANSWER_S", 0.1)
    with said_so(broker.port, SID):
        finding = found(agent_file(tmp_path, broker.port))["agent agent"]
    assert finding.state == "fail"
    assert "another outbox speaks as agent pi-1 of site lab" in finding.what
    assert "a name of its own" in finding.remedy


def test_what_the_agent_has_trouble_with_is_handed_on(
    tmp_path: Path, broker: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_agent, "ANSWER_S", 0.1)
    monkeypatch.setattr(outbox_room, "status_sid", lambda _: SID)
    with said_so(broker.port, SID, {"trouble": "the strap is away"}):
        findings = found(agent_file(tmp_path, broker.port))
    assert findings["agent agent"].state == "ok"
    assert findings["agent trouble"].what == "the agent says: the strap is away"


def test_an_encrypted_broker_and_what_its_certificates_are_worth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "broker"
    folder.mkdir()
    authority, other = Authority.make(folder), Authority.make(folder, "other")
    authority.issue("good", "127.0.0.1", ends=timedelta(days=90))
    authority.issue("expired", "127.0.0.1", ends=timedelta(hours=-1))
    authority.issue("elsewhere", "broker.example", ends=timedelta(days=90))
    monkeypatch.setattr(of_agent, "ANSWER_S", 0.1)

    def certificate(name: str, ca: Path) -> dict[str, Finding]:
        lines = [f"certfile {name}.crt", f"keyfile {name}.key"]
        with mosquitto(folder, "listener {port} 127.0.0.1", *lines) as server:
            return found(agent_file(tmp_path, server.port, broker=f'ca_file = "{ca}"'))

    good = certificate("good", authority.file)
    assert good["agent certificate"].state == "ok"
    assert "89 days" in good["agent certificate"].what
    assert good["agent authority"].state == "warn"  # made for a day
    assert good["agent login"].state == "ok"
    for name, ca, what, remedy in (
        ("expired", authority.file, "expired", "make a new one"),
        ("elsewhere", authority.file, "mismatch", "as it stands in the certificate"),
        ("good", other.file, "unable to get", "give the ca_file of the authority"),
    ):
        findings = certificate(name, ca)
        finding = findings["agent certificate"]
        assert finding.state == findings["agent login"].state == "fail", name
        assert what in finding.what
        assert remedy in finding.remedy


def test_a_port_without_tls_is_told(tmp_path: Path, broker: Running) -> None:
    folder = tmp_path / "ca"
    folder.mkdir()
    ca = Authority.make(folder).file
    findings = found(agent_file(tmp_path, broker.port, broker=f'ca_file = "{ca}"'))
    assert findings["agent certificate"].state == "fail"
    assert "is this the port for TLS?" in findings["agent certificate"].remedy


def test_a_broker_that_hangs_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "ca"
    folder.mkdir()
    ca = Authority.make(folder).file
    monkeypatch.setattr(certificates, "PATIENCE_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        (found_so,) = of_server("127.0.0.1", port, str(ca), None, datetime.now(UTC))
    assert found_so.state == "fail"
    assert "was not shown within 0.2 s" in found_so.what
    assert "hangs" in found_so.remedy


def test_mqtt_3_1_1_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_agent, "ANSWER_S", 0.1)
    port = free_port()
    command = [sys.executable, "-m", "diastole.edge.demo.broker", str(port)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    ) as embedded:
        assert embedded.stdout is not None
        embedded.stdout.readline()
        finding = found(agent_file(tmp_path, port))["agent protocol"]
        assert embedded.stdin is not None
        embedded.stdin.close()
        embedded.wait(20)
    assert finding.state == "warn"
    assert "MQTT 3.1.1" in finding.what


def test_every_mistake_of_the_settings_is_a_line(tmp_path: Path) -> None:
    agent = agent_file(tmp_path, 0, more='colour = "red"')
    code, text = told(agent)
    lines = text.splitlines()
    assert code == 1
    assert len(lines) == 2
    assert f"FAIL  agent settings: {agent}, line 6: unknown setting 'colour' -> " in lines[0]
    assert "line 8: port is 0" in lines[1]


def test_a_model_that_does_not_fit_is_told(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(b"no model")
    agent = agent_file(tmp_path, free_port(), more=f'model = "{model}"')
    finding = found(agent)["agent model"]
    assert finding.state == "fail"
    assert "is not an ONNX model" in finding.what
    agent = agent_file(tmp_path, free_port(), more='model = "none"')
    assert found(agent)["agent model"].state == "warn"


def test_the_clock_counts_where_something_is_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Worn:
        live = True

    def clock(*, trusted: bool, live: bool, said: Literal["checked", "trusted"]) -> Finding:
        monkeypatch.setattr(of_agent, "system_trust", lambda: Trust(trusted, "so it is"))
        monkeypatch.setattr(Agent, "sources", lambda _: [("p-1", Worn())] if live else [])
        agent = Agent(subjects=[], state=str(tmp_path), clock=said, engine="vectorised")
        return next(of_agent.of_machine(agent))

    assert clock(trusted=True, live=True, said="checked").state == "ok"
    assert clock(trusted=False, live=False, said="checked").state == "warn"
    assert clock(trusted=False, live=True, said="trusted").state == "warn"
    failed = clock(trusted=False, live=True, said="checked")
    assert failed.state == "fail"
    assert "switch on NTP" in failed.remedy


@pytest.mark.parametrize(("free_mb", "state"), [(50, "fail"), (500, "warn"), (5000, "ok")])
def test_room_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_mb: int, state: str
) -> None:
    class Usage:
        free = free_mb * 1_000_000

    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage)
    (finding,) = machine.room(tmp_path / "not" / "there" / "yet")
    assert finding.state == state
    assert str(tmp_path) in finding.what


def test_an_outbox_is_read_while_it_is_owned(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    (absent,) = depth(path)
    assert (absent.state, absent.remedy) == ("warn", "start it by diastole run")
    now_ns = time.time_ns()
    outbox = Outbox.open(path, Limits(), lambda: now_ns)
    (empty,) = depth(path)
    assert (empty.state, empty.what) == ("ok", "empty: ingest has acknowledged everything")
    mark = Mark(device=NOBODY, time_ns=now_ns, text="tea", by="me")
    outbox.commit(Tick([Item("p-1", Stream.MARK, mark)]))
    (fresh,) = depth(path)
    assert fresh.state == "ok"
    assert fresh.what.startswith("1 records wait")
    outbox.close()
    late = Outbox.open(tmp_path / "late.db", Limits(), lambda: now_ns - 120 * MINUTE_NS)
    late.commit(Tick([Item("p-1", Stream.MARK, mark)]))
    (stuck,) = depth(tmp_path / "late.db")
    late.close()
    assert stuck.state == "warn"
    assert stuck.what.endswith("the oldest for 2 h")
    assert "nothing is lost" in stuck.remedy


def test_what_is_no_outbox_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "outbox.db").write_bytes(b"no database" * 400)
    finding = found(agent_file(tmp_path, free_port()))["agent outbox"]
    assert finding.state == "fail"
    assert "is no outbox" in finding.what


def test_a_finding_is_a_line_of_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _ = told(agent_file(tmp_path, free_port()), json=True)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert code == 1
    assert {tuple(line) for line in lines} == {("name", "state", "what", "remedy")}
    assert {line["state"] for line in lines} >= {"ok", "fail"}
    assert all(line["remedy"] for line in lines if line["state"] == "fail")


def test_what_lies_here_is_examined_unless_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, text = told(None)
    assert code == 1
    assert "neither agent.toml nor ingest.toml is here -> name one" in text
    ingest_file(tmp_path, free_port())
    _, text = told(None)
    assert "ingest store" in text
    assert "agent settings" not in text


def test_a_secret_in_a_file_is_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "token"
    secret.write_text("geheim-42\n")
    settings = tmp_path / "ingest.toml"
    settings.write_text(
        f'[influx]\nurl = "http://geheim-42@127.0.0.1:1"\ntoken_file = "{secret}"\n'
    )
    monkeypatch.setattr(
        room,
        "examine",
        lambda *_: iter([Finding("a", "fail", "geheim-42 refused", "not geheim-42")]),
    )
    _, text = told(None, settings)
    assert text == "FAIL  a: *** refused -> not ***\n"


NOW = datetime(2027, 1, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("first", "last", "state", "words"),
    [
        (-1, 90, "ok", "good until 2027-04-15, 90 days"),
        (-1, 10, "warn", "good until 2027-01-25, 10 days"),
        (-9, -1, "fail", "has ended on 2027-01-14"),
        (2, 90, "fail", "good only from 2027-01-17 on"),
    ],
)
def test_how_long_a_certificate_is_good(first: int, last: int, state: str, words: str) -> None:
    days = (NOW + timedelta(days=first), NOW + timedelta(days=last))
    finding = lasting("certificate", "it is", *days, NOW)
    assert finding.state == state
    assert words in finding.what
    assert bool(finding.remedy) == (state != "ok")


def test_of_several_certificates_the_first_to_end_counts(tmp_path: Path) -> None:
    authority = Authority.make(tmp_path)
    long, short = (
        authority.issue(name, "localhost", ends=timedelta(days=days))
        for name, days in (("long", 20_000), ("short", 3))  # beyond 2049 the time has another form
    )
    both = tmp_path / "both.crt"
    both.write_text(long.cert.read_text() + short.cert.read_text())
    now = datetime.now(UTC)
    assert in_file("own", long.cert, now).state == "ok"
    assert "2 days" in in_file("own", both, now).what


@pytest.mark.parametrize(
    "content", [b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_what_is_no_certificate_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ca.crt"
    path.write_bytes(content)
    assert in_file("authority", path, NOW).state == "fail"
    assert in_file("authority", tmp_path / "none.crt", NOW).state == "fail"
