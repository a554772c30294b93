"""A private D-Bus daemon that plays the system bus of a test."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final, Self

from tests.servers import needed

VARIABLE: Final = "DBUS_SYSTEM_BUS_ADDRESS"
_CONF: Final = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={path}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
  </policy>
  <limit name="max_connections_per_user">2048</limit>
</busconfig>
"""


class PrivateBus:
    """The daemon and, while it is open, the address that every D-Bus client of this process takes.

    A context; between ``kill`` and ``start`` nobody answers, then the same address does.
    """

    def __init__(self) -> None:
        self._program = needed("dbus-daemon")
        self._folder = Path(tempfile.mkdtemp(prefix="bus-"))  # a socket's path is short
        self._socket = self._folder / "bus"
        self._conf = self._folder / "bus.conf"
        self._conf.write_text(_CONF.format(path=self._socket), encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None
        self._before: str | None = None
        self.address = f"unix:path={self._socket}"

    def start(self) -> None:
        """Start the daemon; return when it listens."""
        command = [self._program, f"--config-file={self._conf}", "--nofork", "--nopidfile"]
        said = self._folder / "said"
        with said.open("wb") as out:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        deadline = time.monotonic() + 10
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"dbus-daemon did not start: {said.read_text()}")
            time.sleep(0.002)

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self._socket)) == 0

    def kill(self) -> None:
        """Take the daemon away; every client loses its connection."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        self._socket.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        self.start()
        self._before = os.environ.get(VARIABLE)
        os.environ[VARIABLE] = self.address
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        if self._before is None:
            os.environ.pop(VARIABLE, None)
        else:
            os.environ[VARIABLE] = self._before
        shutil.rmtree(self._folder, ignore_errors=True)
