"""A file that one process at a time holds, on any system."""

import errno
import os
import sys
from pathlib import Path
from typing import Final

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

FAR: Final = 1 << 30
"""Windows locks bytes, and nobody else may read them: one is locked that no file of ours has."""


class Lock:
    """Holds a file, made where it is missing, until it is closed or the process ends.

    Raises BlockingIOError where another holds it.
    """

    def __init__(self, path: Path) -> None:
        self.file = open(path, "r+b", buffering=0, opener=_made)  # noqa: SIM115 - held open
        try:
            self._take()
        except BaseException:
            self.file.close()
            raise

    def close(self) -> None:
        """Let another hold it."""
        if sys.platform == "win32":  # which lets go of a closed file's lock when it gets to it
            self.file.seek(FAR)
            msvcrt.locking(self.file.fileno(), msvcrt.LK_UNLCK, 1)
        self.file.close()

    def _take(self) -> None:
        if sys.platform == "win32":
            self.file.seek(FAR)
            try:
                msvcrt.locking(self.file.fileno(), msvcrt.LK_NBLCK, 1)
            except OSError as error:
                raise BlockingIOError(errno.EWOULDBLOCK, "is held") from error
        else:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_held(path: Path) -> bool:
    """Return whether a process holds it; False where that cannot be asked."""
    try:
        if not path.exists():
            return False
        if sys.platform == "win32":
            Lock(path).close()
        else:
            with path.open("rb") as file:  # shared: who asks is not taken for who holds
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def _made(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CREAT, 0o600)
