"""A clock that runs faster than the machine's."""

import asyncio
import time
from collections.abc import Sequence


class FastClock:
    """``speed`` of its seconds pass in one of ours, from the same moment on.

    ``epoch`` is that of another process's clock, which this one is to agree with.
    """

    def __init__(self, speed: float = 1, epoch: Sequence[str] | None = None) -> None:
        self.speed = speed
        self._wall_ns = time.time_ns() if epoch is None else int(epoch[0])
        self._began = time.monotonic() if epoch is None else float(epoch[1])
        self._skipped_s = 0.0

    @property
    def epoch(self) -> tuple[str, str]:
        return str(self._wall_ns), repr(self._began)

    def wall_ns(self) -> int:
        return self._wall_ns + round((self.monotonic() - self._began) * 1e9)

    def monotonic(self) -> float:
        return self._began + (time.monotonic() - self._began) * self.speed + self._skipped_s

    def skip(self, seconds: float) -> None:
        """Let so much time pass at once, as where the machine stood still."""
        self._skipped_s += seconds

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(seconds, 0) / self.speed)
