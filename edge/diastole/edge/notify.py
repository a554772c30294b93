"""What systemd is told by a service of ``Type=notify``: that it is ready, alive, or ending."""

import os
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

READY: Final = "READY=1"
STOPPING: Final = "STOPPING=1"
ALIVE: Final = "WATCHDOG=1"


def notify(state: str) -> None:
    """Tell systemd, where it asked to be told; never fails."""
    place = os.environ.get("NOTIFY_SOCKET", "")
    if sys.platform == "win32" or place[:1] not in ("/", "@"):
        return
    address = "\0" + place[1:] if place.startswith("@") else place
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
        to.setblocking(False)
        to.sendto(state.encode(), address)


class Watchdog:
    """Says that the work goes on, as often as ``WatchdogSec`` needs, when ``alive`` is called."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic, self._told_s = monotonic, float("-inf")
        limit = os.environ.get("WATCHDOG_USEC", "")
        mine = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.every_s = int(limit) / 3e6 if mine and limit.isdecimal() and int(limit) else None
        """A third of the limit; None: nobody waits for it."""

    def alive(self) -> None:
        """Call from the loop that does the work."""
        if self.every_s is not None and self._monotonic() - self._told_s >= self.every_s:
            self._told_s = self._monotonic()
            notify(ALIVE)
