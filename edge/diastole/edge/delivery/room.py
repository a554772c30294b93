"""Room on the disk: a low-water mark, and a ballast thrown off when the disk is full after all."""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

BALLAST: Final = 4 << 20
LOW_WATER: Final = 32 << 20
"""Below it the file does not grow: what comes takes the place of what is dropped."""
LEAST: Final = 4 << 20
"""... on a small disk, of which a twentieth is less: the log of the changes needs half of it."""


class Room:
    """What the disk of one file has left."""

    def __init__(self, path: Path) -> None:
        self._folder = path.parent
        self.ballast = path.with_name(path.name + ".ballast")
        self._thrown = False

    @property
    def is_low(self) -> bool:
        """Whether the file should not grow."""
        free, low = self._free()
        return free < low or self._thrown

    def throw_off(self) -> bool:
        """Give the ballast's room to the outbox; return whether there was one."""
        with suppress(OSError):
            self.ballast.unlink()
            self._thrown = True
            return True
        return False

    def take_on(self) -> None:
        """Write the ballast where it is missing and there is ample room."""
        with suppress(OSError):
            if self.ballast.exists() and self.ballast.stat().st_size == BALLAST:
                return
            free, low = self._free()
            if free > BALLAST + low:
                with self.ballast.open("wb") as file:
                    file.write(os.urandom(BALLAST))  # zeros may be stored as nothing
                    file.flush()
                    os.fsync(file.fileno())
                self._thrown = False
                return
        with suppress(OSError):
            self.ballast.unlink(missing_ok=True)  # half of one

    def _free(self) -> tuple[int, int]:
        """Return how many bytes are free, and how many should stay so; none without a folder."""
        try:
            disk = shutil.disk_usage(self._folder)
        except OSError:  # what became of it is for the file's own check to say
            return 0, 0
        low = min(LOW_WATER, max(LEAST, disk.total // 20))
        return disk.free, low
