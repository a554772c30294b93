"""The parts of the path as real processes that can be killed, frozen and started again."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tests.servers import find, free_port

BROKER = """\
listener {port} 127.0.0.1
allow_anonymous true
max_inflight_messages 2000
max_queued_messages 0
"""
KEEPING = """\
persistence true
persistence_location {folder}/
autosave_interval 1
"""
STORE = """\
bind-address = "127.0.0.1:{rpc}"
reporting-disabled = true
[meta]
dir = "{folder}/meta"
[data]
dir = "{folder}/data"
wal-dir = "{folder}/wal"
query-log-enabled = false
[http]
bind-address = "127.0.0.1:{port}"
flux-enabled = false
log-enabled = false
[monitor]
store-enabled = false
"""


class Part:
    """One process of the path; what it says goes into ``NAME.log``."""

    def __init__(self, name: str, command: Sequence[str], folder: Path) -> None:
        self.name = name
        self.kills = 0
        self._command = list(command)
        self._log: IO[bytes] = (folder / f"{name}.log").open("ab")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, unless it runs."""
        if not self.running:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log
            )

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def code(self) -> int | None:
        """How it ended."""
        return None if self._process is None else self._process.poll()

    def kill(self) -> None:
        """Take it away without a word."""
        self.kills += self.running
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
        self._send(signal.SIGCONT)
        self._send(signal.SIGTERM)
        if self._process is not None:
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
        self._log.close()

    def _send(self, what: signal.Signals) -> None:
        if self._process is not None and self.running:
            self._process.send_signal(what)


def diastole(*words: str) -> list[str]:
    """Return the command line of a verb."""
    return [sys.executable, "-m", "diastole", *words]


def broker(folder: Path, port: int, *, keeps: bool) -> Part:
    """Return Mosquitto; one that does not keep forgets sessions and queues when it is killed."""
    place = folder / "broker"
    place.mkdir()
    place.chmod(0o777)  # where root starts it, it goes on as a user of its own
    text = BROKER.format(port=port) + (KEEPING.format(folder=place) if keeps else "")
    conf = place / "mosquitto.conf"
    conf.write_text(text, encoding="utf-8")
    return Part("broker", [find("mosquitto"), "-c", str(conf)], folder)


def store(folder: Path, port: int) -> Part:
    """Return InfluxDB 1.8."""
    place = folder / "store"
    place.mkdir()
    conf = place / "influxdb.conf"
    conf.write_text(STORE.format(folder=place, port=port, rpc=free_port()), encoding="utf-8")
    return Part("store", [find("influxd"), "-config", str(conf)], folder)


@contextmanager
def scratch() -> Iterator[Path]:
    """Give a folder that any user of this machine may enter, and remove it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="diastole-faults-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        if os.environ.get("DIASTOLE_KEEP_FAULTS"):
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
