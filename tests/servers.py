"""Real servers, started for a test and gone with it: Mosquitto and InfluxDB 1.8."""

import atexit
import fcntl
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Self, TypeVar

import pytest

T = TypeVar("T")

INSTALL: Final = {
    "mosquitto": "apt-get install -y --no-install-recommends mosquitto",
    "mosquitto_passwd": "apt-get install -y --no-install-recommends mosquitto",
    "strace": "apt-get install -y --no-install-recommends strace",
    "openssl": "apt-get install -y --no-install-recommends openssl",
    "dbus-daemon": "apt-get install -y --no-install-recommends dbus",
    "bluetoothctl": "apt-get install -y --no-install-recommends bluez",
    "systemd-analyze": "apt-get install -y --no-install-recommends systemd",
    "influxd": "GOBIN=~/.cache/diastole/bin go install "
    "github.com/influxdata/influxdb/cmd/influxd@v1.8.10",
}
_STORE: Final = """\
bind-address = "127.0.0.1:{rpc}"
reporting-disabled = true
[meta]
dir = "meta"
[data]
dir = "data"
wal-dir = "wal"
query-log-enabled = false
[http]
bind-address = "127.0.0.1:{port}"
auth-enabled = {auth}
flux-enabled = false
log-enabled = false
[monitor]
store-enabled = false
"""


class Absent(LookupError):
    """A server that this machine has not; the message is how to get it."""


def find(name: str) -> str:
    """Return the path of a program, or raise Absent with the line that installs it.

    Looked for in the environment (``DIASTOLE_INFLUXD``, …), on the PATH and where Go installs.
    """
    named = os.environ.get(f"DIASTOLE_{name.upper().replace('-', '_')}")
    go = Path(os.environ.get("GOPATH", "~/go")).expanduser() / "bin"
    own = Path("~/.cache/diastole/bin").expanduser()
    places = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", str(go), str(own)])
    found = shutil.which(named) if named else None
    found = found or shutil.which(name, path=places)
    if found is None:
        text = f"{name} is not here: {INSTALL.get(name, f'install {name}')}"
        raise Absent(text)
    return found


def needed(name: str) -> str:
    """Return the path of a program; without it the test is skipped, in CI it fails."""
    try:
        return find(name)
    except Absent as absent:
        if os.environ.get("CI"):
            pytest.fail(str(absent))
        pytest.skip(str(absent))


def until(condition: Callable[[], T], what: str, seconds: float = 20) -> T:
    """Return what ``condition`` gives as soon as it is true; fail when that takes too long."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds:g} s for: {what}")
        time.sleep(0.01)
    return value


def free_port() -> int:
    """Return a port that nobody has, below those that outgoing connections are given."""
    while True:
        port = random.SystemRandom().randint(15_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@contextmanager
def alone_on(port: int) -> Iterator[None]:
    """Hold a port that a file names against the other tests; skip where somebody else has it."""
    with (Path(tempfile.gettempdir()) / f"diastole-tests-{port}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if listens(port):
            reason = f"port {port} is taken: stop the server that listens there"
            if os.environ.get("CI"):
                pytest.fail(reason)
            pytest.skip(reason)
        yield


class Running:
    """A server process on ``port``; what it says goes into ``log``. A context that stops it.

    It runs in ``folder``: name files of it relative to that, as root's Mosquitto goes on as a user
    who may not pass the folders above.
    """

    def __init__(
        self, command: Sequence[str], folder: Path, port: int, ready: Callable[[int], bool]
    ) -> None:
        self.port = port
        self.folder = folder
        self.log = folder / f"{Path(command[0]).name}-{port}.log"
        self.conf = Path(command[-1])
        self._command = list(command)
        self._ready = ready
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self.kill)
        self.start()

    @property
    def pid(self) -> int:
        """Its process, running or not."""
        return self._process.pid if self._process else 0

    @property
    def running(self) -> bool:
        """Whether it is there."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it (again) on the same port with the same files; return when it answers."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        until(lambda: self._ready(self.port) or not self.running, f"{self._command[0]} to answer")
        if not self.running:
            pytest.fail(f"{' '.join(self._command)} ended: {self.said()[-2000:]}")

    def said(self) -> str:
        """Return its log."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def stop(self) -> None:
        """End it as a supervisor does, and wait."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Take it away without a word."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Let it hang, its connections open."""
        self._send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._send(signal.SIGCONT)

    def reload(self) -> None:
        """Have it read its files again."""
        self._send(signal.SIGHUP)

    def _send(self, what: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(what)

    def _end(self, how: signal.Signals) -> None:
        self._send(how)
        self._send(signal.SIGCONT)
        if self._process is not None:
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def mosquitto(folder: Path, *lines: str, port: int | None = None) -> Running:
    """Start Mosquitto in ``folder`` with these further lines of configuration.

    Anonymous and in plaintext on the loopback, unless a line says ``listener …`` (with ``{port}``)
    or ``allow_anonymous …``. It keeps nothing unless a line says so.
    """
    port = port or free_port()
    given = [line.replace("{port}", str(port)) for line in lines]
    if not any(line.startswith("listener ") for line in given):
        given.insert(0, f"listener {port} 127.0.0.1")
    if not any(line.startswith("allow_anonymous ") for line in given):
        given.append("allow_anonymous true")
    conf = folder / f"mosquitto-{port}.conf"
    conf.write_text("\n".join([*given, ""]), encoding="utf-8")
    return mosquitto_as_it_stands(conf, port)


def mosquitto_as_it_stands(conf: Path, port: int) -> Running:
    """Start Mosquitto with a file that is left as it is, in the folder of the file."""
    program = needed("mosquitto")
    give_to_broker(conf.parent)
    return Running([program, "-c", conf.name], conf.parent, port, listens)


def influxd(folder: Path, *, auth: bool = False, port: int | None = None) -> Running:
    """Start InfluxDB 1.8 with its data in ``folder``; ``http://127.0.0.1:PORT`` is its address."""
    program = needed("influxd")
    port = port or free_port()
    conf = folder / f"influxdb-{port}.conf"
    text = _STORE.format(port=port, rpc=free_port(), auth=str(auth).lower())
    conf.write_text(text, encoding="utf-8")
    return Running([program, "-config", conf.name], folder, port, _answers)


def give_to_broker(folder: Path) -> None:
    """Let Mosquitto read and write there, also where root starts it and it becomes another user."""
    if os.geteuid() != 0:
        return
    with suppress(KeyError):
        user = pwd.getpwnam("mosquitto")
        for path in (folder, *folder.rglob("*")):
            os.chown(path, user.pw_uid, user.pw_gid)


def listens(port: int) -> bool:
    """Return whether somebody answers on a port of the loopback."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _answers(port: int) -> bool:
    if not listens(port):
        return False
    with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=2):
        return True
    return False
