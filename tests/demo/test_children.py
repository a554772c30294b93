"""Child processes: started, watched, and none of them left."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from diastole.edge.demo import children as room
from diastole.edge.demo.children import ChildEnded, Children
from tests.conftest import ROOT
from tests.demo.processes import working_in
from tests.servers import free_port, listens, until

STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("begun", flush=True)
time.sleep(600)
"""


def test_they_end_with_the_block_even_where_it_fails(tmp_path: Path) -> None:
    def failing() -> None:
        port = free_port()
        with Children(tmp_path) as children:
            children.start("broker", "diastole.edge.demo.broker", str(port))
            until(lambda: listens(port), "the broker")
            assert len(working_in(tmp_path)) == 1
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        failing()
    assert working_in(tmp_path) == []


def test_one_that_will_not_end_is_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "PATIENCE_S", 0.2)
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    with Children(tmp_path) as children:
        children.start("stubborn", "stubborn")
        until(lambda: "begun" in children.log("stubborn").read_text(), "it to begin")
        children.end("stubborn")
        assert working_in(tmp_path) == []


def test_a_failed_one_is_told_with_its_last_words(tmp_path: Path) -> None:
    (tmp_path / "failing.py").write_text("import sys\nsys.exit('no strength left')\n")
    with Children(tmp_path) as children:
        children.start("failing", "failing")
        with pytest.raises(ChildEnded, match=r"ended with code 1, see .*failing.log: no strength"):
            until(lambda: children.ended("failing"), "it to fail")
        with pytest.raises(ChildEnded, match="failing has failed: no strength left"):
            children.run("failing")


def test_one_that_is_done_has_ended_well(tmp_path: Path) -> None:
    (tmp_path / "brief.py").write_text("print(6 * 7)\n")
    with Children(tmp_path) as children:
        assert children.run("brief") == "42\n"
        children.start("brief", "brief")
        until(lambda: children.ended("brief"), "it to end")


def test_the_broker_ends_with_whoever_started_it(tmp_path: Path) -> None:
    port = free_port()
    code = (
        "import sys, time\nfrom pathlib import Path\n"
        "from diastole.edge.demo.children import Children\n"
        f"children = Children(Path({str(tmp_path)!r}))\n"
        f"children.start('broker', 'diastole.edge.demo.broker', '{port}')\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT) as parent:
        until(lambda: listens(port), "the broker")
        os.kill(parent.pid, signal.SIGKILL)
    until(lambda: working_in(tmp_path) == [], "the broker to end")
