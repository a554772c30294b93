"""The agent's verbs on Windows, as far as another system can tell (``tests.fakes.windows``)."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from diastole.edge.agent import clocks
from tests.conftest import ROOT

LIMIT_S = 60
WINDOWS = (sys.executable, "-m", "tests.fakes.windows")


def told(*words: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*WINDOWS, *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        input="",
        timeout=LIMIT_S,
    )


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    path = tmp_path / "agent.toml"
    scenario = ROOT / "edge" / "diastole" / "edge" / "demo" / "story.toml"
    path.write_text(
        f"""
        engine = "vectorised"
        model = "none"
        state = "{tmp_path / "state"}"
        [broker]
        port = 1
        [[subjects]]
        name = "anna"
        [[simulate]]
        subject = "anna"
        scenario = "{scenario}"
        speed = "max"
        """,
        encoding="utf-8",
    )
    return path


@pytest.mark.parametrize("verb", ["doctor", "mark", "record", "run", "scan"])
def test_every_module_loads_and_the_verb_tells_its_options(verb: str) -> None:
    done = told(verb, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"usage: diastole {verb}" in done.stdout


def test_an_agent_runs_alone_until_it_is_asked_to_end(settings: Path) -> None:
    with subprocess.Popen(
        [*WINDOWS, "run", settings], cwd=ROOT, stderr=subprocess.PIPE, text=True
    ) as first:
        assert first.stderr is not None
        late = threading.Timer(LIMIT_S, first.kill)
        late.start()
        try:
            assert any("from=beginning" in line for line in first.stderr)
            second = told("run", settings)
            first.send_signal(signal.SIGINT)
            rest = first.stderr.read()
            first.wait()
        finally:
            late.cancel()
            first.kill()
    assert second.returncode == 2
    assert "another agent holds this outbox" in second.stderr
    assert "stopping why=asked" in rest
    assert first.returncode == 0


def test_a_recording_is_made(settings: Path, tmp_path: Path) -> None:
    done = told("record", settings, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "beats, 0 marks in" in done.stdout
    (session,) = (tmp_path / "out").iterdir()
    assert session.stat().st_size > 100_000


def test_the_doctor_says_that_nobody_has_tried_bluetooth_there(settings: Path) -> None:
    more = '\n[[bluetooth]]\nsubject = "anna"\ndevice = "strap"\nname = "H10"\n'
    settings.write_text(settings.read_text(encoding="utf-8") + more, encoding="utf-8")
    done = told("doctor", "--agent", settings)
    assert "bluetooth: on win32 nobody has tried this yet" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_system_without_adjtimex_is_not_asked_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr("ctypes.CDLL", lambda *_, **__: pytest.fail("asked"))
    assert clocks.kernel_synchronised() is None
