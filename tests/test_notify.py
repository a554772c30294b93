"""What systemd is told, on a socket as it opens one."""

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from diastole.edge.notify import ALIVE, READY, STOPPING, Watchdog, notify
from tests.agent.ingesting import Process
from tests.agent.test_run import settings
from tests.conftest import ROOT
from tests.ingest.serving import Serving, write_settings
from tests.servers import mosquitto


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield systemd


def heard(systemd: socket.socket) -> str:
    return systemd.recv(256).decode()


def until_said(systemd: socket.socket, word: str) -> None:
    while (said := heard(systemd)) != word:
        assert said in (READY, ALIVE)


def test_nobody_asked_and_nobody_listens_are_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for place in ("", "relative", str(tmp_path / "nobody")):
        monkeypatch.setenv("NOTIFY_SOCKET", place)
        notify(READY)


@pytest.mark.skipif(sys.platform != "linux", reason="the abstract namespace is Linux's")
def test_a_socket_without_a_file_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"diastole-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(f"\0{name}")
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        notify(READY)
        assert heard(systemd) == READY


def test_the_watchdog_is_fed_three_times_a_limit(
    told: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "60000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    now_s = 1000.0
    watchdog = Watchdog(lambda: now_s)
    told.setblocking(False)
    times = []
    for second in range(120):
        now_s = 1000.0 + second
        watchdog.alive()
        try:
            assert heard(told) == ALIVE
            times.append(second)
        except BlockingIOError:
            continue
    assert times == [0, 20, 40, 60, 80, 100]


@pytest.mark.parametrize("limit", ["", "0", "soon"])
def test_a_watchdog_without_a_limit_is_not_fed(monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", limit)
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    assert Watchdog().every_s is None


def test_the_watchdog_of_another_process_is_not_fed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "60000000")
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert Watchdog().every_s is None


def test_the_agent_tells_that_it_is_ready_alive_and_ending(
    told: socket.socket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "1500000")
    day = ROOT / "configs" / "demo" / "day.toml"
    source = f'[[simulate]]\nsubject = "anna"\nscenario = "{day}"'
    agent = Process(tmp_path, "run", str(settings(tmp_path, source)))
    assert heard(told) == READY
    assert [heard(told), heard(told)] == [ALIVE, ALIVE]
    assert agent.terminate() == 0
    until_said(told, STOPPING)


def test_ingest_tells_that_it_is_ready_alive_and_ending(
    told: socket.socket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "1500000")
    with (
        mosquitto(tmp_path) as broker,
        Serving(write_settings(tmp_path / "ingest", broker.port)) as ingest,
    ):
        assert heard(told) == READY
        assert [heard(told), heard(told)] == [ALIVE, ALIVE]
        assert ingest.stop() == 0
        until_said(told, STOPPING)
