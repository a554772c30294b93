"""A file that one process at a time holds."""

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from diastole.edge.locks import Lock, is_held

HOLDS = """
import sys
from pathlib import Path
from diastole.edge.locks import Lock
lock = Lock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_one_holds_it_and_who_asks_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "held"
    assert not is_held(path)
    assert not path.exists()
    lock = Lock(path)
    lock.file.write(b"token")
    assert is_held(path)
    with pytest.raises(BlockingIOError):
        Lock(path)
    lock.close()
    assert not is_held(path)
    assert path.read_bytes() == b"token"
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(sys.platform == "win32", reason="a shared lock is POSIX's")
def test_who_asks_is_not_taken_for_who_holds(tmp_path: Path) -> None:
    path = tmp_path / "held"
    Lock(path).close()
    with path.open("rb") as asking:
        fcntl.flock(asking, fcntl.LOCK_SH)
        assert not is_held(path)


def test_a_process_that_is_killed_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "held"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", HOLDS, path], stdin=pipe, stdout=pipe) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        assert is_held(path)
        other.kill()
        other.wait()
    assert not is_held(path)


def test_what_may_not_be_asked_is_not_held(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert not is_held(tmp_path / "file" / "held")
    assert not is_held(tmp_path)
