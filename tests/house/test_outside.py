"""Nothing goes outside: what works on files opens no connection, and no secret is said."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.agent.test_run import settings
from tests.conftest import ROOT
from tests.servers import give_to_broker, mosquitto, needed, until

DAY = ROOT / "configs" / "demo" / "day.toml"
SIMULATE = f'[[simulate]]\nsubject = "anna"\nscenario = "{DAY}"'
SECRET = "not-for-any-eye"
ALONE = """
import os
import sys

def heard(event, given):
    if event in ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto"):
        print(event, file=sys.stderr, flush=True)
        os._exit(9)

sys.addaudithook(heard)
from diastole.edge.cli import main
sys.exit(main())
"""


def alone(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run a verb that ends with an error where it speaks to anybody."""
    command = [sys.executable, "-c", ALONE, *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_law_11_replay_and_simulate_speak_to_nobody(tmp_path: Path) -> None:
    told = alone(tmp_path, "simulate", str(DAY), "--out", "day.jsonl")
    assert told.returncode == 0, told.stderr
    told = alone(tmp_path, "replay", "day.jsonl", "--out", "day.readings.csv", "--beats")
    assert told.returncode == 0, told.stderr
    assert (tmp_path / "day.readings.csv").stat().st_size
    told = alone(tmp_path, "mark", "x", "--agent-file", str(settings(tmp_path, SIMULATE)))
    assert told.returncode == 9, told.stderr  # who speaks is heard


def test_law_11_a_password_is_in_no_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "broker"
    folder.mkdir()
    passwd = [needed("mosquitto_passwd"), "-c", "-b", "users", "pi", "another"]
    subprocess.run(passwd, cwd=folder, check=True)
    give_to_broker(folder)
    monkeypatch.setenv("DIASTOLE_BROKER_PASSWORD", SECRET)
    with mosquitto(folder, "allow_anonymous false", "password_file users") as broker:
        login = f'[broker]\nport = {broker.port}\nuser = "pi"\n'
        store = '[sqlite]\npath = "store.db"\n[spool]\npath = "spool.db"\n'
        (tmp_path / "ingest.toml").write_text(login + store, encoding="utf-8")
        agent = settings(tmp_path, SIMULATE, port=broker.port)
        text = agent.read_text(encoding="utf-8")
        agent.write_text(text.replace(f"port = {broker.port}\n", login.split("\n", 1)[1]), "utf-8")
        for words in (["run", str(agent)], ["ingest"]):
            log = tmp_path / f"{words[0]}.log"
            with (
                log.open("w") as out,
                subprocess.Popen(
                    [sys.executable, "-m", "diastole", *words], cwd=tmp_path, stdout=out, stderr=out
                ) as process,
            ):
                refused = "does not let user pi in: check user and password"
                until(lambda: refused in log.read_text(), "the refusal", 60)  # noqa: B023
                process.terminate()
                assert process.wait(30) == 0
            assert SECRET not in log.read_text()
        kept = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert not any(SECRET.encode() in path.read_bytes() for path in kept)
