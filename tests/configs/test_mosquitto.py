"""The broker's files as they stand, and the lines that make its certificates and users."""

import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from diastole.edge.mqtt import Broker
from tests.agent.ingesting import VERB, Process
from tests.conftest import ROOT
from tests.mqtt.talk import Talk
from tests.servers import Running, alone_on, mosquitto_as_it_stands, needed, until

CONFIGS = ROOT / "configs"
ROLES = ("agent", "ingest", "sender", "viewer")
TOPICS = {
    "own data": "diastole/v1/home/agent/wearer-1/reading",
    "own status": "diastole/v1/home/agent/-/status",
    "other's data": "diastole/v1/home/other/wearer-1/reading",
    "own ack": "diastole/ack/v1/home/agent",
    "other's ack": "diastole/ack/v1/home/other",
    "own inbound": "diastole/in/v1/home/agent/wearer-1/sender",
    "mark": "diastole/in/v1/home/agent/wearer-1/-",
    "other device": "diastole/in/v1/home/agent/wearer-1/strap",
    "other's inbound": "diastole/in/v1/home/other/wearer-1/sender",
    "not ours": "elsewhere",
}
WRITES = {
    "agent": {"own data", "own status"},
    "ingest": {"own ack", "other's ack"},
    "sender": {"own inbound", "mark"},
    "viewer": set[str](),
}
READS = {
    "agent": {"own ack", "own inbound", "mark"},
    "ingest": {"own data", "own status"},
    "sender": set[str](),
    "viewer": {"own data", "own status"},
}


def lines(heading: str) -> str:
    """Return the first block of shell lines behind a heading, without the broker's start."""
    text = (CONFIGS / "broker.md").read_text(encoding="utf-8")
    found = re.search(rf"{heading}.*?```sh\n(.*?)```", text, re.DOTALL)
    assert found
    *before, last = found[1].strip().splitlines()
    assert last.startswith("mosquitto -c ")
    return "\n".join(before)


def prepared(tmp_path: Path, heading: str) -> Path:
    """Run the lines beside a copy of the files; return the folder of the broker."""
    needed("mosquitto_passwd")
    needed("openssl")
    shutil.copytree(CONFIGS, tmp_path / "configs")
    subprocess.run(["bash", "-euc", lines(heading)], cwd=tmp_path, check=True, capture_output=True)
    return tmp_path / "broker"


@pytest.fixture
def loopback(tmp_path: Path) -> Iterator[Running]:
    folder = prepared(tmp_path, "On one machine")
    shutil.copy(tmp_path / "configs" / "mosquitto.conf", folder)
    with alone_on(1883), mosquitto_as_it_stands(folder / "mosquitto.conf", 1883) as running:
        yield running


@pytest.fixture
def lan(tmp_path: Path) -> Iterator[Running]:
    folder = prepared(tmp_path, "On a network")
    with alone_on(8883), mosquitto_as_it_stands(folder / "mosquitto-lan.conf", 8883) as running:
        yield running


def login(running: Running, user: str, password_of: str | None = None) -> Broker:
    return Broker(
        host="localhost",
        ca_file=str(running.folder / "ca.crt"),
        user=user,
        password_file=str(running.folder / f"{password_of or user}.password"),
    )


def marked(folder: Path, text: str, settings: str) -> "subprocess.CompletedProcess[str]":
    words = [sys.executable, "-c", VERB, "mark", text, "--agent-file", settings]
    return subprocess.run(words, check=False, cwd=folder, capture_output=True, text=True)


def test_the_broker_of_one_machine_needs_no_settings_and_keeps_what_it_took(
    loopback: Running,
) -> None:
    with Talk(Broker(), "ingest", "a", session_expiry_s=60) as ingest:
        ingest.up()
        assert ingest.connection.max_packet == 65_536
    with Talk(Broker(), "agent") as agent:
        agent.up()
        assert agent.send("a", b"kept") is None
    loopback.stop()
    loopback.start()
    with Talk(Broker(), "ingest", "a", session_expiry_s=60) as ingest:
        until(lambda: ingest.received, "what was kept over the restart")
    assert "Error" not in loopback.said()


def test_the_broker_of_a_phone_keeps_what_came_while_the_agent_was_away(tmp_path: Path) -> None:
    page = (CONFIGS / "phone.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```sh\n( +termux-wake-lock\n.*?)```", page, re.DOTALL)
    *before, last = [line.strip() for line in block.strip().splitlines()]
    assert last == "mosquitto -c mosquitto.conf"
    debian = 'proot-distro() { shift 3; "$@"; }\ntermux-wake-lock() { :; }\n'
    (tmp_path / "diastole").symlink_to(ROOT)
    command = ["bash", "-euc", debian + "\n".join(before)]
    home = {**os.environ, "HOME": str(tmp_path)}
    subprocess.run(command, cwd=tmp_path, env=home, check=True, capture_output=True)
    conf = tmp_path / "broker" / "mosquitto.conf"
    told = [str(k).encode() for k in range(2000)]

    def agent() -> Talk:
        return Talk(Broker(), "agent", "psl/hr", session_expiry_s=60, receive_maximum=1000)

    with alone_on(1883), mosquitto_as_it_stands(conf, 1883) as running:
        with Talk(Broker(), "logger") as logger:
            logger.up()
            with agent():
                until(lambda: logger.send("psl/hr", b"first") is None, "the agent to listen")
            for payload in told:
                logger.connection.publish("psl/hr", payload)
            until(lambda: len([a for a in logger.answers if a[2] is None]) == 2001, "the broker")
        running.stop()
        running.start()
        with agent() as again:
            until(lambda: told[-1] in again.payloads, "what was kept")
            assert again.payloads[-2000:] == told


def test_each_role_is_delivered_what_is_its_own_and_nothing_else(lan: Running) -> None:
    with ExitStack() as stack:
        talks = {
            role: stack.enter_context(Talk(login(lan, role), role, "#", *TOPICS.values()))
            for role in ROLES
        }
        for talk in talks.values():
            talk.up()
        for role, talk in talks.items():
            taken = {what: talk.send(topic, role.encode()) for what, topic in TOPICS.items()}
            refused = {what for what, refusal in taken.items() if refusal == "not authorized"}
            assert refused == set(TOPICS) - WRITES[role], role
        for talk in talks.values():
            talk.send("fence", b"")  # its answer comes behind all that was delivered before
        names = {topic: what for what, topic in TOPICS.items()}
        for role, talk in talks.items():
            assert {names[one.topic] for one in talk.received} == READS[role], role
    assert "Error" not in lan.said()


def test_a_name_without_its_password_is_not_let_in(lan: Running) -> None:
    with Talk(login(lan, "agent", "viewer"), "agent") as wrong:
        assert "does not let user agent in: check user and password" in wrong.told()
    given = Broker(host="localhost", ca_file=str(lan.folder / "ca.crt"))
    with Talk(given, "agent") as nobody:
        assert "does not let a client without a user in" in nobody.told()


def test_nobody_takes_the_session_of_another_by_its_name(lan: Running) -> None:
    with (
        Talk(login(lan, "ingest"), "ingest", "diastole/v1/#", session_expiry_s=60) as ingest,
        Talk(login(lan, "agent"), "ingest") as agent,
    ):
        ingest.up()
        agent.up()
        assert agent.send(TOPICS["own data"], b"reading") is None
        until(lambda: ingest.received, "the reading")
        assert (ingest.downs, agent.downs) == ([], [])


def test_a_mark_comes_in_as_the_page_says_and_throws_nobody_off(lan: Running) -> None:
    page = (CONFIGS / "broker.md").read_text(encoding="utf-8")
    logins = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert [login.splitlines()[0] for login in logins] == ["[broker]", "[sender]"]
    folder = lan.folder.parent
    source = f'[[simulate]]\nsubject = "anna"\nscenario = "{CONFIGS / "demo" / "day.toml"}"'
    parts = ['engine = "vectorised"', 'state = "state"', *logins, '[[subjects]]\nname = "anna"']
    (folder / "agent.toml").write_text("\n".join([*parts, source]), encoding="utf-8")
    with Talk(login(lan, "ingest"), "ingest", "diastole/v1/#", session_expiry_s=60) as ingest:
        ingest.up()
        agent = Process(folder, "run", "agent.toml")
        try:
            until(lambda: any("/status" in one.topic for one in ingest.received), "the agent", 60)
            told = marked(folder, "coffee", "agent.toml")
            assert (told.returncode, told.stdout) == (0, "marked for anna: coffee\n"), told.stderr
            until(lambda: any(b"coffee" in payload for payload in ingest.payloads), "the mark")
            assert "broker=down" not in agent.said()
            (folder / "plain.toml").write_text(
                (folder / "agent.toml").read_text().replace(logins[1], ""), encoding="utf-8"
            )
            told = marked(folder, "tea", "plain.toml")
            assert told.returncode == 2
            assert "a mark as user agent may throw the agent off" in told.stderr
            assert "add [sender]" in told.stderr
        finally:
            agent.kill()


def test_plaintext_is_refused(lan: Running) -> None:
    with Talk(Broker(port=8883, user="agent"), "agent") as plain:
        assert "give ca_file if that port is for TLS" in plain.told()


def test_the_certificates_are_as_a_strict_python_wants_them(lan: Running) -> None:
    context = ssl.create_default_context(cafile=lan.folder / "ca.crt")
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    with (
        socket.create_connection(("localhost", 8883), 10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as encrypted,
    ):
        assert encrypted.version() in {"TLSv1.2", "TLSv1.3"}
    for name in ("ca.key", "broker.key", "users", "agent.password"):
        assert (lan.folder / name).stat().st_mode & 0o077 == 0
