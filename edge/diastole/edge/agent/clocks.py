"""Whether this machine's clock tells the time of day: a board without a battery boots in 1970."""

import asyncio
import ctypes
import logging
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from diastole.edge.clock import Clock

UNSYNCHRONISED: Final = 0x40
"""STA_UNSYNC of ``<sys/timex.h>``."""
TIMEX_BYTES: Final = 512
STATUS: Final = struct.Struct("@I4xlllli")
"""The head of ``struct timex``: modes, offset, freq, maxerror, esterror, status."""
TIMESYNCD: Final = "run/systemd/timesync"
CHRONY: Final = ("run/chrony", "run/chronyd.pid")
AGAIN_S: Final = 2.0

log = logging.getLogger(__name__)


class Trust(NamedTuple):
    """Whether the clock is trusted, and by what."""

    trusted: bool
    why: str


def system_trust(root: Path = Path("/")) -> Trust:
    """Ask the kernel, and the marks of timesyncd and chrony below ``root``."""
    kernel = kernel_synchronised()
    timesyncd = root / TIMESYNCD
    if kernel:
        return Trust(True, "the kernel says that it is synchronised")
    if (timesyncd / "synchronized").exists():
        return Trust(True, "systemd-timesyncd has synchronised it")
    if timesyncd.is_dir():
        return Trust(False, "systemd-timesyncd has not synchronised it yet")
    if any((root / mark).exists() for mark in CHRONY):
        return Trust(False, "chrony has not synchronised it yet")
    if kernel is None:
        return Trust(True, "this system does not tell whether it is synchronised")
    return Trust(False, "the kernel says that nothing has synchronised it")


async def until_trusted(
    trust: Callable[[], Trust], clock: Clock, alive: Callable[[], None]
) -> None:
    """Wait until the clock tells the time of day; ``alive`` is called as long as that takes."""
    said: str | None = None
    while not (told := await asyncio.to_thread(trust)).trusted:
        if told.why != said:
            said = told.why
            log.warning(
                'clock=untrusted why="%s" nothing is said or recorded until it is, '
                'or agent.toml says clock = "trusted"',
                said,
            )
        alive()
        await clock.sleep(AGAIN_S)
    log.info('clock=trusted why="%s"', told.why)


def kernel_synchronised() -> bool | None:
    """Return what adjtimex says; None where there is none."""
    if sys.platform != "linux":
        return None
    try:
        call = ctypes.CDLL(None, use_errno=True).adjtimex
    except (AttributeError, OSError):
        return None
    timex = ctypes.create_string_buffer(TIMEX_BYTES)  # modes 0: only read
    if call(timex) < 0:
        return None
    status = STATUS.unpack_from(timex)[-1]
    return not status & UNSYNCHRONISED
