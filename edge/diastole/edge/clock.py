"""The one clock of what runs live, injected so that a test can run hours in seconds."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Where time comes from; the agent's and its sources' only one."""

    def wall_ns(self) -> int:
        """Return the time of day, UTC nanoseconds since the epoch; it may step."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The clock of the machine that this runs on."""

    def wall_ns(self) -> int:
        """Return the time of day."""
        return time.time_ns()

    def monotonic(self) -> float:
        """Return seconds since some moment."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)
