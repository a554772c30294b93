"""The demo's child processes: none of them outlives it, however it ends."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from diastole.edge.errors import DiastoleError, shown

PATIENCE_S: Final = 10.0
"""A child that is asked to end has so long."""
LAST_LINES: Final = 3


class ChildEnded(DiastoleError):
    """A process that should have gone on has not."""


class Children:
    """Processes that work in one folder, each with its log there; a context that ends them all.

    They form sessions of their own: Ctrl-C reaches the parent alone, which ends them in order.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *words: str) -> None:
        """Start ``python -m WORDS``; its standard input ends when the parent does."""
        with self.log(name).open("ab") as log:
            self._running[name] = self._opened(words, log)

    def run(self, *words: str) -> str:
        """Return what ``python -m WORDS`` prints; raise ChildEnded where it fails."""
        done = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=self.folder,
            env=_environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if done.returncode:
            failed = f"{' '.join(words)} has failed: {done.stderr.strip()}"
            raise ChildEnded(failed)
        return done.stdout

    def log(self, name: str) -> Path:
        """Return where a child's words go."""
        return self.folder / f"{name}.log"

    def ended(self, name: str) -> bool:
        """Return whether a child has ended well; raise ChildEnded where it has ended otherwise."""
        code = self._running[name].poll()
        if code:
            said = self.log(name).read_text(encoding="utf-8", errors="replace").splitlines()
            failed = f"the {name} has ended with code {code}, see {shown(self.log(name))}: "
            raise ChildEnded(failed + " | ".join(said[-LAST_LINES:]))
        return code is not None

    def kill(self, name: str) -> None:
        """Take a child away without a word."""
        process = self._running.pop(name)
        process.kill()
        _waited(process)

    def end(self, name: str) -> None:
        """Ask a child to end, and wait; one that does not is taken away."""
        process = self._running.pop(name)
        process.terminate()
        _waited(process)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, _error: BaseException | None, _t: TracebackType | None
    ) -> None:
        for process in self._running.values():
            process.terminate()
        while self._running:
            _waited(self._running.popitem()[1])

    def _opened(self, words: Sequence[str], log: IO[bytes]) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=self.folder,
            env=_environment(),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _waited(process: "subprocess.Popen[bytes]") -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _environment() -> dict[str, str]:
    """Return ours, its paths of Python such that they hold in another folder, too."""
    places = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(str(Path(place).absolute()) for place in places if place),
    }
