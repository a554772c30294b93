"""Our own processes on the path: killed, frozen and started again like the servers beside them."""

import signal
import subprocess
import sys
from pathlib import Path


class Child:
    """One Python process; what it says goes into ``NAME.log``."""

    def __init__(self, name: str, folder: Path, *words: str) -> None:
        self.log = folder / f"{name}.log"
        self._command = [sys.executable, "-m", *words]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, unless it runs or has ended well."""
        if self.running or self.code == 0:
            return
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    @property
    def running(self) -> bool:
        """Whether it is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def code(self) -> int | None:
        """How it ended; None while it runs."""
        return None if self._process is None else self._process.poll()

    def kill(self) -> None:
        """Take it away without a word."""
        self._send(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def freeze(self) -> None:
        """Let it hang, its connections open."""
        self._send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._send(signal.SIGCONT)

    def stop(self) -> None:
        """Ask it to end, and wait."""
        self.thaw()
        self._send(signal.SIGTERM)
        if self._process is not None:
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()

    def _send(self, what: signal.Signals) -> None:
        if self._process is not None and self.running:
            self._process.send_signal(what)


def diastole(name: str, folder: Path, *words: str | Path) -> Child:
    """Return a verb as a child that is called ``name``."""
    return Child(name, folder, "diastole", *map(str, words))
