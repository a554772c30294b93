"""One link with one device: bleak's client, a limit on each of its calls, and its end.

A link is used once. bleak keeps a D-Bus connection for each client, with the subscriptions on it,
until ``disconnect`` is called, also where the device is long gone: left alone, it would double
every packet of the next link.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from diastole.edge.clock import Clock
from diastole.edge.sources.ble.adapter import Seen, words
from diastole.edge.sources.ble.protocol import LinkError

if TYPE_CHECKING:
    from collections.abc import Awaitable

CONNECT_S: Final = 15.0
SUBSCRIBE_S: Final = 10.0
ASK_S: Final = 5.0
CLOSE_S: Final = 3.0
"""Limits of bleak's calls, which have none, in the machine's own seconds."""

UNPAIRED: Final = (0x05, 0x08, 0x0F)
"""ATT errors of a device that talks to hosts it is paired with (Core Specification 3.F.3.4.1.1)."""
PAIR: Final = ": pair it with this machine once (bluetoothctl pair ADDRESS)"

Took = Callable[[str, bytes, float], None]
"""What is told of a packet: characteristic, bytes, when it came (monotonic seconds)."""


class BleakLink:
    """A driver's ``Link``; ``took`` is called for each packet, ``dead`` holds why it ended."""

    def __init__(self, seen: Seen, adapter: str | None, clock: Clock, took: Took) -> None:
        from bleak import BleakClient

        self.dead: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._clock, self._took = clock, took
        self._open = True
        self._client = BleakClient(
            seen.device,
            lambda _: self.end("the link was lost"),
            timeout=CONNECT_S,
            bluez={"adapter": adapter} if adapter else {},
        )

    @property
    def clock(self) -> Clock:
        """Return the one clock."""
        return self._clock

    @property
    def chars(self) -> frozenset[str]:
        """UUIDs of the characteristics that the device has."""
        return frozenset(char.uuid.lower() for char in self._chars())

    @property
    def services(self) -> frozenset[str]:
        """UUIDs of the services that the device has."""
        return frozenset(service.uuid.lower() for service in self._client.services)

    @property
    def alive(self) -> bool:
        """Whether nothing has ended it yet."""
        return self._open and not self.dead.done()

    def end(self, why: str) -> None:
        """Take in that it is of no use any more."""
        if not self.dead.done():
            self.dead.set_result(why)

    async def connect(self) -> None:
        """Link with the device and learn its characteristics; raise LinkError."""
        await self._limited("connecting", CONNECT_S, self._client.connect())

    async def subscribe(self, char: str) -> None:
        """Have what the characteristic notifies; raise LinkError."""

        def came(_: object, data: bytearray) -> None:
            if self._open:  # a late packet belongs to no link
                self._took(char, bytes(data), self._clock.monotonic())

        begin = self._client.start_notify(self._char(char), came)
        await self._limited("subscribing", SUBSCRIBE_S, begin)

    def notifies(self, char: str) -> bool:
        """Return whether the characteristic can be subscribed to."""
        found = next((each for each in self._chars() if each.uuid.lower() == char), None)
        return found is not None and bool({"notify", "indicate"} & set(found.properties))

    async def read(self, char: str) -> bytes:
        """Return a characteristic's value; raise LinkError."""
        reading = self._client.read_gatt_char(self._char(char))
        return bytes(await self._limited("reading", ASK_S, reading))

    async def write(self, char: str, data: bytes, *, response: bool) -> None:
        """Write a characteristic, and wait for the device's word on it; raise LinkError."""
        writing = self._client.write_gatt_char(self._char(char), data, response=response)
        await self._limited("writing", ASK_S, writing)

    async def close(self) -> None:
        """Let go of the device, and of the D-Bus connection, whatever state they are in."""
        try:
            with suppress(Exception):  # what cannot be ended any more has ended
                async with asyncio.timeout(CLOSE_S):
                    await self._client.disconnect()
        finally:
            self._open = False

    def _chars(self) -> list[Any]:
        return [char for service in self._client.services for char in service.characteristics]

    def _char(self, uuid: str) -> Any:
        """Return a characteristic, the first of its UUID where there are several."""
        for char in self._chars():
            if char.uuid.lower() == uuid.lower():
                return char
        what = f"the device has no characteristic {uuid}"
        raise LinkError(what)

    async def _limited(self, doing: str, limit_s: float, call: "Awaitable[Any]") -> Any:
        from bleak.exc import BleakGATTProtocolError

        try:
            async with asyncio.timeout(limit_s):
                return await call
        except TimeoutError:
            what = f"{doing} took over {limit_s:g} s"
            raise LinkError(what) from None
        except BleakGATTProtocolError as error:
            remedy = PAIR if error.code in UNPAIRED else ""
            what = f"{doing} failed: {words(error)}{remedy}"
            raise LinkError(what, int(error.code)) from error
        except Exception as error:  # bleak and dbus-fast tell by many classes, also KeyError
            what = f"{doing} failed: {words(error)}"
            raise LinkError(what) from error
