"""``diastole`` as on Windows, as far as another system can tell.

``python -m tests.fakes.windows WORDS …`` runs the command where our modules find a ``sys.platform``
of win32, nothing to import that POSIX alone has, and no event loop that hears signals. The standard
library and others' are loaded before, as they are here: what they do on Windows is not shown.
"""

import asyncio
import fcntl
import signal
import sys
from importlib import import_module
from pkgutil import walk_packages
from types import ModuleType
from typing import Any, Final, NoReturn

import diastole.edge

POSIX: Final = ("fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty")


class Msvcrt(ModuleType):
    """Locks as Windows does, which calls what another holds an access that is denied."""

    LK_UNLCK, LK_NBLCK = 0, 2

    def locking(self, file: int, mode: int, _bytes: int) -> None:
        how = fcntl.LOCK_UN if mode == self.LK_UNLCK else fcntl.LOCK_EX | fcntl.LOCK_NB
        try:
            fcntl.flock(file, how)
        except BlockingIOError:
            raise PermissionError(13, "Permission denied") from None


def become_windows() -> None:
    """Load all that our modules need, then each of them anew, as on Windows."""
    names = [found.name for found in walk_packages(diastole.edge.__path__, "diastole.edge.")]
    for name in names:
        import_module(name)
    for name in [name for name in sys.modules if name.startswith("diastole.")]:
        del sys.modules[name]
    modules: Any = sys.modules
    modules |= dict.fromkeys(POSIX)  # an import of what is None fails
    sys.modules["msvcrt"] = Msvcrt("msvcrt")
    del signal.SIGHUP
    loop: Any = asyncio.SelectorEventLoop
    loop.add_signal_handler = _not_there
    sys.platform = "win32"
    for name in names:
        import_module(name)


def _not_there(*_: Any) -> NoReturn:
    raise NotImplementedError


if __name__ == "__main__":
    become_windows()
    from diastole.edge.cli import main

    sys.exit(main())
