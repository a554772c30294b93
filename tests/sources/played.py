"""A clock that runs as fast as it is asked to, and sources taken to their end by it."""

import asyncio

from diastole.edge.chunks import Chunk
from diastole.edge.records import SECOND_NS
from diastole.edge.sources.live import Source

NOW_NS = 1_800_000_000 * SECOND_NS + 37_123_456_789


class FakeClock:
    """Time passes only where somebody waits for it."""

    def __init__(self, now_ns: int = NOW_NS) -> None:
        self.start_ns = now_ns
        self.passed_s = 0.0
        self.stepped_ns = 0

    def wall_ns(self) -> int:
        return self.start_ns + round(self.passed_s * SECOND_NS) + self.stepped_ns

    def monotonic(self) -> float:
        return 1000.0 + self.passed_s

    async def sleep(self, seconds: float) -> None:
        self.passed_s += seconds
        await asyncio.sleep(0)


def played(
    source: Source, clock: FakeClock | None = None, cursor: bytes | None = None, most: int = 10**9
) -> list[tuple[Chunk, bytes, float]]:
    """Give the source's pieces, their cursors, and when each came."""
    using = clock or FakeClock()

    async def walk() -> list[tuple[Chunk, bytes, float]]:
        found: list[tuple[Chunk, bytes, float]] = []
        async for chunk, after in source.chunks(using, cursor):
            found.append((chunk, after, using.passed_s))
            if len(found) >= most:
                break
        return found

    return asyncio.run(walk())
