"""Devices that wear somebody: what each sends, and the truth to compare with."""

import math
import random
import struct
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from tests.fakes.peripheral import Char, Peripheral, Service, uuid16

HEART_RATE: Final = uuid16(0x180D)
MEASUREMENT: Final = uuid16(0x2A37)
LOCATION: Final = uuid16(0x2A38)
BATTERY_SERVICE: Final = uuid16(0x180F)
BATTERY_LEVEL: Final = uuid16(0x2A19)
INFORMATION: Final = uuid16(0x180A)
_MOST: Final = 9
"""Intervals that one packet of 20 bytes holds."""


class Beat(NamedTuple):
    """A beat: when it ended, in the clock's monotonic seconds; 1/1024 s; whether it was sent."""

    at: float
    n: int
    heard: bool


def heart_rate_packet(
    bpm: int,
    intervals: Iterable[int] = (),
    *,
    contact: bool | None = None,
    energy: int | None = None,
) -> bytes:
    """Return a Heart Rate Measurement; intervals in 1/1024 s, None: the device tells no contact."""
    given = list(intervals)
    flags = (bpm > 255) | (energy is not None) << 3 | bool(given) << 4
    flags |= 0 if contact is None else 4 | contact << 1
    packet = struct.pack("<BH" if bpm > 255 else "<BB", flags, bpm)
    packet += b"" if energy is None else struct.pack("<H", energy)
    return packet + struct.pack(f"<{len(given)}H", *given)


def resting(seed: int = 1, mean_s: float = 0.82) -> Iterator[int]:
    """Give the intervals (1/1024 s) of somebody who breathes, with a slow wave and some noise."""
    chance, at = random.Random(seed), 0.0
    while True:
        breath, slow = math.sin(math.tau * 0.25 * at), math.sin(math.tau * 0.1 * at)
        interval = mean_s + 0.035 * breath + 0.03 * slow + chance.gauss(0, 0.008)
        at += interval
        yield round(interval * 1024)


def described(maker: str, model: str, battery: int) -> list[Service]:
    """Return what a device tells of itself: Device Information and Battery."""
    texts = {
        0x2A29: maker,
        0x2A24: model,
        0x2A25: "0A1B2C3D",
        0x2A26: "3.1.1\0",
        0x2A27: "39044024.10",
    }
    chars = [Char(uuid16(number), ("read",), text.encode()) for number, text in texts.items()]
    level = Char(BATTERY_LEVEL, ("read", "notify"), bytes([battery]))
    return [Service(INFORMATION, chars), Service(BATTERY_SERVICE, [level])]


class Strap(Peripheral):
    """A chest strap: each second a packet with the beats that ended in it.

    The heart beats from the first link on, linked or not; what ends while nobody listens is lost.
    """

    def __init__(
        self,
        address: str = "F0:13:C3:00:00:10",
        name: str = "Polar H10 0A1B2C3D",
        *,
        intervals: Iterable[int] | None = None,
        contact: bool | None = None,
        battery: int = 87,
        maker: str = "Polar Electro Oy",
        model: str = "H10",
        location: int = 1,
        more: Iterable[Service] = (),
    ) -> None:
        self.measurement = Char(MEASUREMENT, ("notify",))
        place = Char(LOCATION, ("read",), bytes([location]))
        heart = Service(HEART_RATE, [self.measurement, place])
        services = [heart, *described(maker, model, battery), *more]
        super().__init__(address, name, services, advertised=[HEART_RATE])
        self.contact = contact
        """What the packets say of the contact."""
        self.gives_intervals = True
        self.beats: list[Beat] = []
        self._intervals = iter(resting() if intervals is None else intervals)
        self._next = next(self._intervals, None)
        self._ends = (self._next or 0) / 1024
        self._began: float | None = None

    @property
    def heard(self) -> list[int]:
        """The intervals that went on air to somebody."""
        return [beat.n for beat in self.beats if beat.heard]

    @property
    def missed(self) -> list[Beat]:
        """The beats that ended while nobody listened."""
        return [beat for beat in self.beats if not beat.heard]

    async def run(self) -> None:
        if self._began is None:
            self._began = self.clock.monotonic()
        second = math.floor(self.clock.monotonic() - self._began)
        self._keep(self._until(second), heard=False)
        while True:
            second += 1
            await self.clock.sleep(self._began + second - self.clock.monotonic())
            ended = self._until(second)
            self._keep(ended, heard=self.notify(self.measurement, self._packet(ended)))

    def _packet(self, ended: list[tuple[float, int]]) -> bytes:
        intervals = [n for _, n in ended][:_MOST]
        recent = intervals or [beat.n for beat in self.beats[-1:]] or [1024]
        bpm = round(60 * 1024 * len(recent) / sum(recent))
        return heart_rate_packet(
            bpm, intervals if self.gives_intervals else (), contact=self.contact
        )

    def _until(self, second: float) -> list[tuple[float, int]]:
        ended = []
        while self._next is not None and self._ends <= second:
            ended.append((self._ends, self._next))
            self._next = next(self._intervals, None)
            self._ends += (self._next or 0) / 1024
        return ended

    def _keep(self, ended: list[tuple[float, int]], *, heard: bool) -> None:
        began = self._began or 0.0
        self.beats += [
            Beat(began + at, n, heard and place < _MOST) for place, (at, n) in enumerate(ended)
        ]


class Watch(Strap):
    """A watch that broadcasts its heart rate: a figure each second, never an interval."""

    def __init__(
        self,
        address: str = "C4:AA:10:00:00:02",
        name: str = "Forerunner 255",
        *,
        intervals: Iterable[int] | None = None,
        battery: int = 71,
    ) -> None:
        super().__init__(
            address,
            name,
            intervals=intervals,
            battery=battery,
            maker="Garmin",
            model="Forerunner 255",
            location=2,
        )
        self.gives_intervals = False


LIES: Final = (
    b"",
    b"\x10",
    b"\x10\x48",
    b"\x10\x48\x00",
    b"\x10\x48\x00\x00",
    b"\x10\x48\x52\x03\x01",
    b"\x01\x48",
    b"\x08\x48\x01",
    b"\xe0\x48",
    b"\xff" * 20,
    heart_rate_packet(0),
    heart_rate_packet(72, [850], contact=False),
    heart_rate_packet(73, [842, 0], energy=0xFFFF),
    heart_rate_packet(300, [700, 0, 65535], contact=True, energy=4660),
    heart_rate_packet(240, [256] * 9, contact=True),
)
"""Odd lengths, intervals of 0 and of 64 s, no contact, no heart rate, energy, nine intervals."""


class Liar(Peripheral):
    """Sends its packets over and over, one each second."""

    def __init__(self, packets: Iterable[bytes] = LIES, address: str = "DE:AD:00:00:00:01") -> None:
        self.measurement = Char(MEASUREMENT, ("notify",))
        services = [Service(HEART_RATE, [self.measurement]), *described("", "H6\0\0", 255)]
        super().__init__(address, "CooSpo 0001", services, advertised=[HEART_RATE])
        self.packets = list(packets)

    async def run(self) -> None:
        while True:
            for packet in self.packets:
                await self.clock.sleep(1)
                self.notify(self.measurement, packet)
