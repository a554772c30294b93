"""Devices of an agent beside the fake radio, with bleak as it is, and the truth to compare with."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import numpy as np

from diastole.edge.chunks import BREAK_REASONS, Chunk, join
from diastole.edge.clock import Clock
from diastole.edge.records import Status
from diastole.edge.sources.ble.kinds import KINDS
from diastole.edge.sources.ble.radio import Radio
from diastole.edge.sources.ble.source import BleSource
from diastole.edge.sources.ble.supervisor import Wanted
from tests.fakes.bluez import FakeBluez
from tests.fakes.clock import FastClock
from tests.fakes.devices import Strap
from tests.fakes.peripheral import Peripheral
from tests.fakes.radio import radio

LIMIT_S = 25


class Listener:
    """A device's source, and what has come of it."""

    def __init__(self, wanted: Wanted, clock: Clock, shared: Radio) -> None:
        self.source = BleSource(wanted, None, shared, KINDS)
        self.clock = clock
        self.chunks: list[Chunk] = []
        self.task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for chunk, _ in self.source.chunks(self.clock, None):
            self.chunks.append(chunk)

    async def close(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    @property
    def all(self) -> Chunk:
        return join(self.chunks) if self.chunks else Chunk(0)

    @property
    def intervals(self) -> list[int]:
        """The intervals in 1/1024 s; 0 for a beat that follows a gap."""
        return [round(ms * 1.024) for ms in self.all.beats["rr_ms"]]

    @property
    def breaks(self) -> list[str]:
        return [BREAK_REASONS[code] for code in self.all.breaks["reason"]]

    @property
    def status(self) -> Status:
        status = self.source.status(self.clock)
        assert status is not None
        return status

    @property
    def trouble(self) -> str:
        status = self.source.status(self.clock)
        return "" if status is None else status.text["trouble"]

    @property
    def linked(self) -> bool:
        return self.status.text["link"] == "linked"

    async def beats(self, more: int) -> None:
        """Wait for so many more beats."""
        enough = len(self.intervals) + more
        await until(lambda: len(self.intervals) >= enough)


def wanted(device: Peripheral, called: str = "strap") -> Wanted:
    return Wanted(device=called, address=device.address)


@asynccontextmanager
async def listening(bluez: FakeBluez, *wants: Wanted) -> AsyncIterator[list[Listener]]:
    """Run the sources of these devices, as one agent does, until the end."""
    shared = Radio()
    listeners = [Listener(want, bluez.clock, shared) for want in wants]
    try:
        await asyncio.sleep(0)
        yield listeners
    finally:
        await asyncio.gather(*(each.close() for each in listeners))


def play(
    story: Callable[[FakeBluez], Awaitable[None]], *devices: Peripheral, speed: float = 20
) -> None:
    async def run() -> None:
        async with asyncio.timeout(LIMIT_S), radio(*devices, clock=FastClock(speed)) as bluez:
            await story(bluez)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        ours = [task for task in left if "diastole" in repr(task)]
        assert not ours, ours

    asyncio.run(run())


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110 - what bleak and the fake do has no event
        await asyncio.sleep(0.005)


async def all_told(listener: Listener, strap: Strap) -> None:
    """Hold that every beat which the strap sent to somebody has come once, as it was sent."""
    strap.mute = True
    await until(lambda: len(listener.intervals) >= len(strap.heard))
    await listener.clock.sleep(1.5)
    assert_same(listener.intervals, strap.heard)


def assert_same(got: Sequence[int], sent: Sequence[int]) -> None:
    """Hold that the intervals are those that were sent, less those that follow a gap."""
    assert len(got) == len(sent)
    for mine, theirs in zip(got, sent, strict=True):
        assert mine in (theirs, 0)


def in_order(chunk: Chunk) -> bool:
    return bool((np.diff(chunk.beats["time_ns"]) > 0).all())
