"""A device's captured session, and one link's life played from it without a radio.

JSON lines. The first says what the device is: ``{"name": …, "services": [UUID, …], "chars": {UUID:
value in hex, or null where it cannot be read}}``; each other one a packet: ``{"uuid": …, "hex": …,
"arrival": seconds}``, in order of arrival, what answered the driver's commands included.
"""

import asyncio
import heapq
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Final

import msgspec

from diastole.edge.clock import Clock
from diastole.edge.errors import BadFile
from diastole.edge.records import SECOND_NS
from diastole.edge.sources.ble.protocol import Driver, LinkError

REMEDY: Final = "write a line for the device, and one for each packet"
LONGEST_S: Final = 60.0
"""What starting and stopping may take."""
TICK_S: Final = 1.0
TURNS: Final = 20
"""So many turns of the event loop let everything that can go on come to rest."""


class Device(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a device showed of itself once it was linked."""

    name: str | None = None
    services: tuple[str, ...]
    chars: dict[str, str | None]


class Packet(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What it notified."""

    uuid: str
    hex: str
    arrival: float

    @property
    def data(self) -> bytes:
        """Return its bytes."""
        return bytes.fromhex(self.hex)


def read(path: Path) -> tuple[Device, list[Packet]]:
    """Read a captured session; raise BadFile."""
    lines = path.read_text(encoding="utf-8").splitlines()
    packets: list[Packet] = []
    device: Device | None = None
    for number, line in enumerate(lines, 1):
        try:
            if device is None:
                device = msgspec.json.decode(line, type=Device)
                continue
            packet = msgspec.json.decode(line, type=Packet)
            bytes.fromhex(packet.hex)
        except (msgspec.DecodeError, ValueError) as error:
            raise BadFile(path, str(error), REMEDY, line=number) from error
        if packets and packet.arrival < packets[-1].arrival:
            raise BadFile(path, "a packet arrives before the last one", REMEDY, line=number)
        packets.append(packet)
    if device is None or not packets:
        raise BadFile(path, "no packet is in it", REMEDY)
    return device, packets


class PlayedClock:
    """A clock that goes on only where it is moved."""

    def __init__(self, now_s: float) -> None:
        self._now_s = now_s
        self._sleeping: list[tuple[float, int, asyncio.Event]] = []
        self._nth = count()

    def wall_ns(self) -> int:
        """Return the same time as ``monotonic``."""
        return round(self._now_s * SECOND_NS)

    def monotonic(self) -> float:
        """Return seconds."""
        return self._now_s

    async def sleep(self, seconds: float) -> None:
        """Wait until it has been moved so far."""
        woken = asyncio.Event()
        heapq.heappush(self._sleeping, (self._now_s + seconds, next(self._nth), woken))
        await woken.wait()

    async def move(self, to_s: float) -> None:
        """Wake who sleeps, one after the other, up to a time."""
        await _rest()
        while self._sleeping and self._sleeping[0][0] <= to_s:
            due_s, _, woken = heapq.heappop(self._sleeping)
            self._now_s = max(self._now_s, due_s)
            woken.set()
            await _rest()
        self._now_s = max(self._now_s, to_s)


async def _rest() -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)


class PlayedLink:
    """A driver's link with a device that only says what was captured."""

    def __init__(self, device: Device, clock: PlayedClock) -> None:
        self._clock = clock
        self._values = {char.lower(): value for char, value in device.chars.items()}

    @property
    def clock(self) -> Clock:
        """Return the clock that the player moves."""
        return self._clock

    @property
    def chars(self) -> frozenset[str]:
        """Return what the device had."""
        return frozenset(self._values)

    async def read(self, char: str) -> bytes:
        """Return what was read when it was captured."""
        value = self._values.get(char.lower())
        if value is None:
            what = f"{char} was not read"
            raise LinkError(what)
        return bytes.fromhex(value)

    async def write(self, char: str, data: bytes, *, response: bool) -> None:
        """Take it; what answers it was captured."""
        if char.lower() not in self._values:
            what = f"the device has no characteristic {char}"
            raise LinkError(what)


class Player:
    """One link's life: the driver started, ticked, handed packets in their time, stopped."""

    def __init__(self, device: Device, driver: Driver, began_s: float) -> None:
        self.clock = PlayedClock(began_s)
        self.ended_by: LinkError | None = None
        self._link = PlayedLink(device, self.clock)
        self._driver = driver
        self._started = False
        self._life: asyncio.Task[None] = asyncio.create_task(self._live())

    async def move(self, to_s: float) -> None:
        """Let time pass; raise what the driver has raised and may not."""
        await self.clock.move(to_s)
        if self._life.done():
            self._life.result()

    async def end(self) -> bool:
        """Stop the driver; return whether it had started, and has stopped, in bounded time."""
        if not self._started and not self._life.done():
            await self.move(self.clock.monotonic() + LONGEST_S)
        in_time = self._started or self.ended_by is not None
        self._life.cancel()
        stopping = asyncio.create_task(self._stop())
        await self.clock.move(self.clock.monotonic() + LONGEST_S)
        in_time = in_time and stopping.done()
        stopping.cancel()
        done = await asyncio.gather(self._life, stopping, return_exceptions=True)
        for outcome in done:
            if isinstance(outcome, Exception):
                raise outcome
        return in_time

    async def _live(self) -> None:
        try:
            await self._driver.start(self._link)
            self._started = True
            while True:
                await self.clock.sleep(TICK_S)
                await self._driver.tick(self._link)
        except LinkError as error:
            self.ended_by = error

    async def _stop(self) -> None:
        with suppress(LinkError):
            await self._driver.stop(self._link)


def spread(n: int, most: int) -> Sequence[int]:
    """Return at most ``most`` whole numbers from 0 to n - 1, evenly."""
    return range(n) if n <= most else [k * n // most for k in range(most)]
