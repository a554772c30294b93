"""How a program is asked to end: by a service manager, by Ctrl-C, by a terminal that closes."""

import asyncio
import signal
import sys
from collections.abc import Callable


def when_asked(stop: Callable[[], None]) -> None:
    """Call ``stop`` in the running loop where this process is asked to end."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, stop)
        except NotImplementedError:  # no loop of Windows hears signals
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop))


def interrupts() -> None:
    """Let whatever asks this process to end do it as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if sys.platform != "win32":
        signal.signal(signal.SIGHUP, signal.default_int_handler)
