"""A live source through a clock that is set."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from diastole.edge.chunks import BREAK_REASONS, Chunk
from diastole.edge.clock import Clock
from diastole.edge.records import SECOND_NS, BreakReason
from diastole.edge.sources.live import unstepped
from tests.sources.played import NOW_NS, FakeClock


class Strap:
    """Says each second that nothing older will come."""

    name = "strap"
    live = True
    paced = True
    zone = None
    simulated = False

    def __init__(self, seconds: int, event: Callable[[int], None]) -> None:
        self.seconds, self.event = seconds, event

    async def chunks(
        self, clock: Clock, cursor: bytes | None
    ) -> AsyncIterator[tuple[Chunk, bytes]]:
        for second in range(self.seconds):
            self.event(second)
            await clock.sleep(1)
            yield Chunk(clock.wall_ns(), ("strap",)), b""


def breaks(step_ns: int) -> list[tuple[int, str]]:
    """Give the Breaks of a strap whose clock is set before the sixth second."""
    clock = FakeClock()

    def event(second: int) -> None:
        clock.stepped_ns = step_ns if second >= 5 else 0

    async def walk() -> list[tuple[int, str]]:
        found = []
        async for chunk, _ in unstepped(Strap(10, event), clock, None):
            found += [(int(row["time_ns"]), BREAK_REASONS[row["reason"]]) for row in chunk.breaks]
        return found

    return asyncio.run(walk())


@pytest.mark.parametrize("step_s", [-3600, -1.2, 1.2, 86_400])
def test_a_clock_that_is_set_breaks_the_wearing_where_the_old_time_ended(step_s: float) -> None:
    assert breaks(round(step_s * SECOND_NS)) == [
        (NOW_NS + 5 * SECOND_NS, BreakReason.CLOCK_STEPPED)
    ]


@pytest.mark.parametrize("step_s", [0, 0.9, -0.9])
def test_a_clock_that_is_slewed_breaks_nothing(step_s: float) -> None:
    assert breaks(round(step_s * SECOND_NS)) == []
