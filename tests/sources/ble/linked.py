"""A link without a radio: it answers as it is told, and keeps what was written."""

import asyncio
from collections.abc import Callable, Mapping

from diastole.edge.sources.ble.protocol import Driver, Heard, LinkError


class ByHand:
    """A clock that only stands still or is moved; who sleeps is woken by that."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.sleeping: list[tuple[float, asyncio.Event]] = []

    def wall_ns(self) -> int:
        return round(self.now_s * 1e9)

    def monotonic(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        self.sleeping.append((self.now_s + seconds, woken))
        await woken.wait()

    async def move(self, seconds: float) -> None:
        """Let everything come to rest, move the time, and again."""
        await rest()
        self.now_s += seconds
        for due_s, woken in self.sleeping:
            if due_s <= self.now_s:
                woken.set()
        await rest()


async def rest() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


class Linked:
    """A device of these characteristics; what it answers to a write goes to the driver."""

    def __init__(
        self,
        values: Mapping[str, bytes | LinkError | None],
        answer: Callable[[str, bytes], list[tuple[str, bytes]]] = lambda _char, _data: [],
    ) -> None:
        self.clock = ByHand()
        self.values = dict(values)
        self.answer = answer
        self.driver: Driver | None = None
        self.written: list[bytes] = []
        self.heard: list[Heard] = []

    @property
    def chars(self) -> list[str]:
        return list(self.values)

    async def read(self, char: str) -> bytes:
        value = self.values[char]
        if isinstance(value, LinkError):
            raise value
        assert value is not None
        return value

    async def write(self, char: str, data: bytes, *, response: bool) -> None:
        assert char in self.values
        self.written.append(data)
        for sender, packet in self.answer(char, data):
            self.send(sender, packet)

    def send(self, char: str, data: bytes) -> Heard:
        assert self.driver is not None
        assert char in self.driver.watched
        heard = self.driver.packet(char, data, self.clock.now_s)
        self.heard.append(heard)
        return heard
