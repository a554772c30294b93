"""Room on the disk: a low-water mark, and a ballast thrown off when the disk is full after all."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

BALLAST: Final = 4 << 20
LOW_WATER: Final = 32 << 20
"""Below it the file does not grow: what comes takes the place of what is dropped."""


class Room:
    """What the disk of one file has left."""

    def __init__(self, path: Path) -> None:
        self._folder = path.parent
        self.ballast = path.with_name(path.name + ".ballast")

    @property
    def is_low(self) -> bool:
        """Whether the file should not grow; a twentieth is low on a small disk."""
        free, whole = self._free()
        return free < min(LOW_WATER, whole // 20)

    def throw_off(self) -> bool:
        """Give the ballast's room to the outbox; return whether there was one."""
        with suppress(OSError):
            self.ballast.unlink()
            return True
        return False

    def take_on(self) -> bool:
        """Write the ballast where it is missing and there is ample room; return whether it is."""
        with suppress(OSError):
            if self.ballast.exists() and self.ballast.stat().st_size == BALLAST:
                return True
            free, whole = self._free()
            if free > 2 * BALLAST + min(LOW_WATER, whole // 20):
                with self.ballast.open("wb") as file:
                    file.write(os.urandom(BALLAST))  # zeros may be stored as nothing
                    file.flush()
                    os.fsync(file.fileno())
                return True
        self.throw_off()
        return False

    def _free(self) -> tuple[int, int]:
        disk = os.statvfs(self._folder)
        return disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
