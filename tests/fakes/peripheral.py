"""A Bluetooth LE device as the air knows it: what it advertises, its services, its faults."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from socket import socket
from typing import Any, NamedTuple, Protocol

from diastole.edge.clock import Clock


class BluezError(Exception):
    """An error that bluetoothd answers a call with."""

    def __init__(self, name: str, text: str = "") -> None:
        super().__init__(name, text)
        self.name = name if "." in name else f"org.bluez.Error.{name}"
        self.text = text


def uuid16(number: int) -> str:
    """Return the long form of an assigned number."""
    return f"0000{number:04x}-0000-1000-8000-00805f9b34fb"


@dataclass(eq=False)
class Char:
    """A characteristic, and who has its notifications."""

    uuid: str
    flags: tuple[str, ...]
    value: bytes = b""
    on_write: Callable[[bytes], None] | None = None
    read_error: int | None = None
    """The ATT error that a read is answered with."""
    handle: int = 0
    path: str = ""
    sessions: dict[str, bool] = field(default_factory=dict)
    """Who called StartNotify, and whether the device has been told since the link came."""
    acquired: tuple[socket, str] | None = None
    """Our end of the socket of AcquireNotify, and who has the other."""

    @property
    def notifies(self) -> bool:
        return "notify" in self.flags or "indicate" in self.flags

    @property
    def subscribed(self) -> bool:
        return self.acquired is not None or any(self.sessions.values())


@dataclass(eq=False)
class Service:
    """A service of a device."""

    uuid: str
    chars: list[Char]
    handle: int = 0
    path: str = ""


class Sent(NamedTuple):
    """What went on air to somebody: when (the clock's monotonic seconds), from where, what."""

    at: float
    uuid: str
    data: bytes


class Host(Protocol):
    """What a device needs of the bluetoothd that it is linked with."""

    clock: Clock

    def deliver(self, char: Char, data: bytes) -> None: ...
    def link_down(self, device: "Peripheral") -> None: ...
    def spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]": ...


class Peripheral:
    """A device. Subclasses give its services and ``run``, which lives as long as a link does."""

    connect_s = 0.02
    """Real time from Connect to Connected, then to ServicesResolved."""
    resolve_s = 0.02
    advertise_s = 0.05
    """Real time between advertisements."""
    patience_s = 2.0
    """How long a Connect looks for an absent device; bluetoothd 5.66 takes 41 s."""

    def __init__(
        self,
        address: str,
        name: str | None,
        services: list[Service],
        *,
        advertised: Iterable[str] | None = None,
        maker_data: dict[int, bytes] | None = None,
        rssi: int = -60,
    ) -> None:
        self.address = address
        self.name = name
        self.services = services
        self.advertised = list(advertised or [])
        self.maker_data = maker_data or {}
        self.rssi = rssi
        self.on_air = True
        """False: switched off or out of range."""
        self.taken = False
        """Linked with somebody else's host: silent, and no link for us."""
        self.mute = False
        """The link stays, nothing comes."""
        self.fail_connect: list[BluezError] = []
        """What the next Connects are answered with, one each."""
        self.sent: list[Sent] = []
        self.links = 0
        self.connected = False
        self.resolved = False
        self.known = False
        """bluetoothd remembers a device that was once linked, over its own end."""
        self.host: Host | None = None
        self.path = ""
        self._tasks: set[asyncio.Task[None]] = set()
        handle = 9
        for service in services:
            service.handle, handle = handle, handle + 1
            for char in service.chars:
                char.handle, handle = handle, handle + (3 if char.notifies else 2)

    @property
    def chars(self) -> list[Char]:
        return [char for service in self.services for char in service.chars]

    @property
    def audible(self) -> bool:
        return self.on_air and not self.taken and not self.connected

    @property
    def clock(self) -> Clock:
        return self._host.clock

    @property
    def _host(self) -> Host:
        assert self.host is not None, f"{self.name} is in no FakeBluez"
        return self.host

    async def run(self) -> None:
        """Do what the device does while it is linked."""

    def notify(self, char: Char, data: bytes) -> bool:
        """Send one notification; return whether anybody had subscribed."""
        if not self.connected or self.mute or not char.subscribed:
            return False
        self.sent.append(Sent(self.clock.monotonic(), char.uuid, data))
        self._host.deliver(char, data)
        return True

    def payloads(self, char: Char) -> list[bytes]:
        """Return what went on air from one characteristic."""
        return [data for _, uuid, data in self.sent if uuid == char.uuid]

    def drop_link(self, away: float = 0) -> None:
        """Lose the link, and be off the air for so many seconds of the clock."""
        if away:
            self.on_air = False
            self._host.spawn(self._return_after(away))
        self._host.link_down(self)

    async def _return_after(self, away: float) -> None:
        await self.clock.sleep(away)
        self.on_air = True

    def linked(self) -> None:
        """Begin what lives as long as the link."""
        self.during_link(self.run())

    def during_link(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something until it ends or the link does."""
        task = self._host.spawn(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def unlinked(self) -> None:
        """End what lives as long as the link."""
        self.connected = self.resolved = False
        for task in self._tasks - {asyncio.current_task()}:
            task.cancel()
