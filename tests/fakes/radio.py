"""A radio with devices for every Bluetooth client of this process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from dbus_fast import BusType, Message
from dbus_fast.aio import MessageBus

from diastole.edge.clock import Clock
from tests.fakes.bluez import FakeBluez
from tests.fakes.bus import PrivateBus
from tests.fakes.peripheral import Char, Peripheral
from tests.fakes.tree import CHAR
from tests.servers import needed


@asynccontextmanager
async def radio(*devices: Peripheral, clock: Clock | None = None) -> AsyncIterator[FakeBluez]:
    """Run a bus and a bluetoothd with these devices in this event loop, for every client of it."""
    needed("bluetoothctl")  # bleak asks it for the version
    with PrivateBus() as bus:
        bluez = FakeBluez(*devices, bus=bus, clock=clock)
        await bluez.start()
        try:
            yield bluez
        finally:
            bluez.wedged = False
            await bluez.stop()
            bus.kill()
            await asyncio.sleep(0.01)  # clients of this process close what they have on the bus


@asynccontextmanager
async def another_subscriber(char: Char) -> AsyncIterator[None]:
    """Let another program of the host subscribe to the same notifications."""
    bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
    try:
        await bus.call(Message("org.bluez", char.path, CHAR, "StartNotify"))
        yield
    finally:
        bus.disconnect()
        with suppress(OSError, EOFError):
            await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]
