"""Polar devices that measure on request: pulse intervals and motion over their own service."""

import random
import struct
from collections.abc import Iterable
from itertools import count, pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from tests.fakes.devices import Strap
from tests.fakes.peripheral import Char, Service

if TYPE_CHECKING:
    import asyncio

SERVICE: Final = "fb005c80-02e7-f387-1cad-8acd2d8df0c8"
CONTROL: Final = "fb005c81-02e7-f387-1cad-8acd2d8df0c8"
DATA: Final = "fb005c82-02e7-f387-1cad-8acd2d8df0c8"
MOTION: Final = 2
PULSES: Final = 3
_SETTINGS, _START, _STOP = 1, 2, 3
_OK, _NO_OPERATION, _NO_SUCH, _BAD_RATE, _ALREADY = 0, 1, 2, 8, 6
_EPOCH_NS: Final = 946_684_800 * 10**9
"""2000-01-01, where the devices count from."""
_FRAME: Final = 36
"""Samples of motion in a frame."""


class Pulse(NamedTuple):
    """A pulse as it went on air: its end (the clock's monotonic seconds), bpm, ms, ms, flags."""

    at: float
    bpm: int
    interval: int
    error: int
    flags: int


class _Measuring(Strap):
    kinds: tuple[int, ...] = (MOTION,)
    rates: tuple[int, ...] = (25, 50, 100, 200)
    packed = False
    """Whether motion is sent as differences."""

    def __init__(
        self, address: str, name: str, model: str, intervals: Iterable[int] | None
    ) -> None:
        features = sum(1 << kind for kind in self.kinds)
        self.control = Char(
            CONTROL, ("read", "write", "indicate"), bytes([0x0F, features, 0]), self._asked
        )
        self.data = Char(DATA, ("notify",))
        service = Service(SERVICE, [self.control, self.data])
        super().__init__(address, name, intervals=intervals, model=model, more=[service])
        self.maker_data = {0x006B: b"\x72\x08"}
        self.running: dict[int, asyncio.Task[None]] = {}
        """The kinds that were started and not stopped; a new link begins with none."""
        self.samples: list[tuple[int, int, int]] = []
        """The motion that went on air, in mG."""
        self.moving = False
        self.clock_error_s = 0.0
        """By how much the device's own clock is wrong."""

    async def run(self) -> None:
        self.running.clear()
        await super().run()

    def end(self, kind: int) -> None:
        """End a measurement as the device does on its own."""
        self.running.pop(kind).cancel()
        self.notify(self.control, bytes([_SETTINGS, kind]))

    def _asked(self, command: bytes) -> None:
        operation, kind, *rest = *command, *bytes(max(0, 2 - len(command)))
        if operation not in {_SETTINGS, _START, _STOP}:
            status, more = _NO_OPERATION, b""
        elif kind not in self.kinds:
            status, more = _NO_SUCH, b""
        elif operation == _SETTINGS:
            status, more = _OK, self._offered() if kind == MOTION else b""
        elif operation == _START:
            status, more = self._begin(kind, bytes(rest))
        else:
            status, more = self._end(kind), b""
        answer = bytes([0xF0, operation, kind, status])
        self.notify(self.control, answer + (b"\0" + more if status == _OK else b""))

    def _offered(self) -> bytes:
        rates = struct.pack(f"<BB{len(self.rates)}H", 0, len(self.rates), *self.rates)
        return rates + struct.pack("<BBHBBHBBB", 1, 1, 16, 2, 1, 8, 4, 1, 3)

    def _end(self, kind: int) -> int:
        if kind not in self.running:
            return _ALREADY
        self.running.pop(kind).cancel()
        return _OK

    def _begin(self, kind: int, settings: bytes) -> tuple[int, bytes]:
        if kind in self.running:
            return _ALREADY, b""
        if kind == PULSES:
            self.running[kind] = self.during_link(self._pulses())
            return _OK, b""
        rate = _rate(settings)
        if rate not in self.rates:
            return _BAD_RATE, b""
        self.running[kind] = self.during_link(self._motion(rate))
        return _OK, struct.pack("<BBf", 5, 1, 1.0)

    async def _pulses(self) -> None:
        raise NotImplementedError

    async def _motion(self, rate: int) -> None:
        chance, began = random.Random(2), self.clock.monotonic()
        kind, code = (0x81, _differences) if self.packed else (0x01, _raw)
        for sent in count(_FRAME, _FRAME):
            await self.clock.sleep(began + sent / rate - self.clock.monotonic())
            most = 60 if self.moving else 8
            axes = [[chance.randint(-most, most) for _ in range(_FRAME)] for _ in range(3)]
            frame = [(x, y, 980 + z) for x, y, z in zip(*axes, strict=True)]
            header = struct.pack("<BQB", MOTION, self._stamp(), kind)
            if self.notify(self.data, header + code(frame)):
                self.samples += frame

    def _stamp(self) -> int:
        return self.clock.wall_ns() + round(self.clock_error_s * 1e9) - _EPOCH_NS


class MotionStrap(_Measuring):
    """An H10 as it is, with motion on request."""

    def __init__(
        self,
        address: str = "F0:13:C3:00:00:11",
        name: str = "Polar H10 0D4E5F60",
        *,
        intervals: Iterable[int] | None = None,
    ) -> None:
        super().__init__(address, name, "H10", intervals)


class PulseSensor(_Measuring):
    """An optical sensor: the standard service without intervals, pulses on request, in batches.

    Its standard packets are as a watch's; what counts of its beats is ``pulses``.
    """

    kinds = (MOTION, PULSES)
    rates = (52,)
    packed = True
    first_s = 25
    """Seconds from the start to the first batch."""
    batch_s = 5

    def __init__(
        self,
        address: str = "A0:9E:1A:00:00:20",
        name: str = "Polar Sense 11223344",
        *,
        intervals: Iterable[int] | None = None,
    ) -> None:
        super().__init__(address, name, "INW4J", intervals)
        self.gives_intervals = False
        self.pulses: list[Pulse] = []
        self.worn: bool | None = True
        """What the pulses say of skin contact; None: nothing."""
        self.stamped = False
        """Whether pulses carry a time; older firmware sends 0."""

    async def _pulses(self) -> None:
        batch_at = self.clock.monotonic() + self.first_s
        last_at = batch_at - self.batch_s
        while True:
            await self.clock.sleep(batch_at - self.clock.monotonic())
            ended = [each for each in self.beats if each.at > last_at]
            last_at = self.beats[-1].at if self.beats else last_at
            flags = self.moving | (0 if self.worn is None else 4 | self.worn << 1)
            batch = []
            for beat in ended:
                interval = round(beat.n * 1000 / 1024)
                bpm = min(255, round(60_000 / max(interval, 1)))
                batch.append(Pulse(beat.at, bpm, interval, 5 + interval % 7, flags))
            frame = struct.pack("<BQB", PULSES, self._stamp() if self.stamped else 0, 0)
            frame += b"".join(struct.pack("<BHHB", *each[1:]) for each in batch)
            if batch and self.notify(self.data, frame):
                self.pulses += batch
            batch_at += self.batch_s


def _rate(settings: bytes) -> int:
    """Return the sample rate that a start asks for, 0 where it asks for none."""
    sizes, at = {0: 2, 1: 2, 2: 2, 3: 4, 4: 1}, 0
    while at + 2 <= len(settings):
        kind, count = settings[at], settings[at + 1]
        if kind == 0 and count == 1:
            return int.from_bytes(settings[at + 2 : at + 4], "little")
        at += 2 + count * sizes.get(kind, 1)
    return 0


def _raw(frame: list[tuple[int, int, int]]) -> bytes:
    return b"".join(struct.pack("<3h", *each) for each in frame)


def _differences(frame: list[tuple[int, int, int]]) -> bytes:
    """Return the first sample, then a block of differences of eight bits."""
    steps = [
        new - old
        for before, after in pairwise(frame)
        for old, new in zip(before, after, strict=True)
    ]
    block = struct.pack(f"{len(steps)}b", *steps)
    return _raw(frame[:1]) + bytes([8, len(frame) - 1]) + block
