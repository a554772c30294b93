"""The servers of the tests: that they start, die, freeze and come back where they were."""

import urllib.request
from pathlib import Path

import pytest

from tests.servers import Absent, find, free_port, influxd, listens, mosquitto, until


def test_a_broker_comes_back_on_its_port(tmp_path: Path) -> None:
    with mosquitto(tmp_path, "persistence true", "persistence_location ./") as broker:
        assert listens(broker.port)
        first = broker.pid
        broker.kill()
        assert not broker.running
        assert not listens(broker.port)
        broker.start()
        assert broker.pid != first
        broker.stop()
        assert (tmp_path / "mosquitto.db").exists()
    assert "Permission" not in broker.said()


def test_a_broker_that_refuses_its_file_says_why(tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match="Unknown configuration variable"):
        mosquitto(tmp_path, "no_such_option true")


def test_a_store_answers(tmp_path: Path) -> None:
    with (
        influxd(tmp_path) as store,
        urllib.request.urlopen(f"http://127.0.0.1:{store.port}/health") as answer,
    ):
        assert b"pass" in answer.read()


def test_what_is_absent_is_told_with_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("PATH", "HOME", "GOPATH", "DIASTOLE_INFLUXD"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(Absent, match=r"go install .*influxd@v1\.8\.10"):
        find("influxd")
    with pytest.raises(Absent, match=r"apt-get install .* systemd$"):
        find("systemd-analyze")


def test_waiting_ends_with_what_was_waited_for() -> None:
    assert until(lambda: "here", "it") == "here"
    with pytest.raises(pytest.fail.Exception, match=r"for: a port that never answers"):
        until(lambda: listens(free_port()), "a port that never answers", 0.05)
