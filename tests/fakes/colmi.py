"""A smart ring: packets of sixteen bytes, the last the sum of the others, on its own service."""

from itertools import count
from typing import TYPE_CHECKING, Final

from tests.fakes.devices import described
from tests.fakes.peripheral import Char, Peripheral, Service

if TYPE_CHECKING:
    import asyncio

SERVICE: Final = "6e40fff0-b5a3-f393-e0a9-e50e24dcca9e"
WRITE: Final = "6e400002-b5a3-f393-e0a9-e50e24dcca9e"
NOTIFY: Final = "6e400003-b5a3-f393-e0a9-e50e24dcca9e"
_SET_TIME, _BATTERY, _KEEP_ALIVE, _START, _STOP, _TOLD = 0x01, 0x03, 0x1E, 0x69, 0x6A, 0x73
_HEART_RATE: Final = 1
_NOT_WORN: Final = 1


def ring_packet(command: int, body: bytes = b"") -> bytes:
    """Return a packet."""
    packet = bytes([command]) + body.ljust(14, b"\0")
    return packet + bytes([sum(packet) & 0xFF])


class Ring(Peripheral):
    """Gives a heart rate each second once it is asked, zeros first; never an interval."""

    settles = 4
    """How many zeros come first."""

    def __init__(
        self,
        address: str = "30:35:47:33:00:30",
        name: str = "R02_A1B2",
        *,
        battery: int = 64,
        tires_after: int | None = None,
    ) -> None:
        self.write = Char(WRITE, ("write", "write-without-response"), on_write=self._asked)
        self.answers = Char(NOTIFY, ("notify",))
        service = Service(SERVICE, [self.write, self.answers])
        super().__init__(address, name, [service, described("Colmi", "R02", battery)[0]])
        self.battery = battery
        self.charging = False
        self.worn = True
        self.bpm = 66
        """The least that the wearer's heart beats."""
        self.tires_after = tires_after
        """After how many packets it ends a measurement by itself."""
        self.values: list[int] = []
        """The heart rates that went on air."""
        self.refused: list[bytes] = []
        """The commands that made no sense."""
        self._measurement: asyncio.Task[None] | None = None

    @property
    def measuring(self) -> bool:
        return self._measurement is not None and not self._measurement.done()

    def tell_battery(self) -> None:
        """Send the battery unasked."""
        self._answer(_TOLD, bytes([0x0C, self.battery, self.charging]))

    def _answer(self, command: int, body: bytes = b"") -> bool:
        return self.notify(self.answers, ring_packet(command, body))

    def _asked(self, packet: bytes) -> None:
        if len(packet) != 16 or packet[15] != sum(packet[:15]) & 0xFF:
            self.refused.append(packet)
            return
        command = packet[0]
        if command == _SET_TIME:
            self._answer(command, bytes.fromhex("00010022000000000100300110"))
        elif command == _BATTERY:
            self._answer(command, bytes([self.battery, self.charging]))
        elif command == _START and packet[1] == _HEART_RATE:
            if not self.measuring:
                self._measurement = self.during_link(self._measure())
        elif command == _STOP:
            if self._measurement is not None:
                self._measurement.cancel()
            self._answer(command, packet[1:2])
        elif command != _KEEP_ALIVE:
            self.refused.append(packet)
            self._answer(command | 0x80)

    async def _measure(self) -> None:
        for number in count() if self.tires_after is None else range(self.tires_after):
            await self.clock.sleep(1)
            bpm = self.bpm + number % 5 if self.worn and number >= self.settles else 0
            error = 0 if self.worn else _NOT_WORN
            if self._answer(_START, bytes([_HEART_RATE, error, bpm])) and bpm:
                self.values.append(bpm)
