"""What hands records to the agent, whatever it is; and what a stepping clock does to it."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final, Protocol, TypeVar

import numpy as np

from diastole.edge.chunks import BREAK, BREAK_REASONS, Chunk, by_time, rows_of
from diastole.edge.clock import Clock
from diastole.edge.records import SECOND_NS, BreakReason

T = TypeVar("T")
STEP_NS: Final = SECOND_NS
"""A wall clock that moves by more against the monotonic one has been set."""
STEPPED: Final = BREAK_REASONS.index(BreakReason.CLOCK_STEPPED)


class Source(Protocol):
    """One thing that hands in a subject's records."""

    @property
    def name(self) -> str:
        """Name its cursor in the outbox; no two sources of an agent share one."""
        ...

    @property
    def live(self) -> bool:
        """Whether its times are this machine's clock, and it never ends by itself."""
        ...

    @property
    def paced(self) -> bool:
        """Whether its records come at a time of their own; else it can wait until it is taken."""
        ...

    @property
    def zone(self) -> str | None:
        """Return the wearer's time zone where the source knows it."""
        ...

    @property
    def simulated(self) -> bool:
        """Whether nobody wore it."""
        ...

    def chunks(self, clock: Clock, cursor: bytes | None) -> AsyncIterator[tuple[Chunk, bytes]]:
        """Yield chunks as they come, each with the cursor from which what follows is read.

        ``cursor`` is that of the last chunk that was kept, None at the very beginning. A chunk's
        records all lie before its ``until_ns``, but marks, which may be of any moment. A source
        that waits in silence for a device of which nothing is known goes on to say ``until_ns``,
        or it holds its wearer's others back. Raises an error of ours where it cannot go on.
        """
        ...


async def unstepped(
    source: Source, clock: Clock, cursor: bytes | None
) -> AsyncIterator[tuple[Chunk, bytes]]:
    """Yield a live source's chunks, with a Break of all its devices where the clock was set."""
    known: tuple[str, ...] = ()
    ahead_ns = _ahead_ns(clock)
    until_ns: int | None = None
    async with closed(source.chunks(clock, cursor)) as chunks:
        async for chunk, after in chunks:
            now_ns = _ahead_ns(clock)
            known = tuple(dict.fromkeys((*known, *chunk.devices)))
            if abs(now_ns - ahead_ns) > STEP_NS and until_ns is not None:
                yield _broken(chunk, known, until_ns), after
            else:
                yield chunk, after
            ahead_ns, until_ns = now_ns, chunk.until_ns


@asynccontextmanager
async def closed(chunks: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """Close a source's chunks in the end, so that it lets go of its device there and then."""
    try:
        yield chunks
    finally:
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()


def _ahead_ns(clock: Clock) -> int:
    """Return how far the wall clock is ahead of the monotonic one."""
    return clock.wall_ns() - round(clock.monotonic() * SECOND_NS)


def _broken(chunk: Chunk, known: tuple[str, ...], time_ns: int) -> Chunk:
    """Return the chunk with a Break of each device where the old time ended."""
    devices = (*chunk.devices, *(name for name in known if name not in chunk.devices))
    n = len(devices)
    breaks = rows_of(BREAK, n, time_ns=time_ns, device=range(n), reason=STEPPED)
    return replace(chunk, devices=devices, breaks=by_time(np.concatenate([breaks, chunk.breaks])))
