"""A clock that runs faster than the machine's."""

import asyncio
import time


class FastClock:
    """``speed`` of its seconds pass in one of ours, from the same moment on."""

    def __init__(self, speed: float = 1) -> None:
        self.speed = speed
        self._wall_ns = time.time_ns()
        self._began = time.monotonic()

    def wall_ns(self) -> int:
        return self._wall_ns + round((self.monotonic() - self._began) * 1e9)

    def monotonic(self) -> float:
        return self._began + (time.monotonic() - self._began) * self.speed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(seconds, 0) / self.speed)
