"""A radio with devices for every Bluetooth client of this process, or for a command.

``python -m tests.fakes.radio [--devices strap,ppi,watch,ring] -- COMMAND …`` runs a command that
finds these devices, as ``diastole scan`` does, on a machine without Bluetooth.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

from dbus_fast import BusType, Message
from dbus_fast.aio import MessageBus

from diastole.edge.clock import Clock
from tests.fakes.bluez import FakeBluez
from tests.fakes.bus import PrivateBus
from tests.fakes.colmi import Ring
from tests.fakes.devices import Liar, Strap, Watch
from tests.fakes.peripheral import Char, Peripheral
from tests.fakes.polar import MotionStrap, PulseSensor
from tests.fakes.tree import CHAR
from tests.servers import Absent, find, needed

DEVICES: Final[dict[str, Callable[[], Peripheral]]] = {
    "strap": Strap,
    "motion": MotionStrap,
    "ppi": PulseSensor,
    "watch": Watch,
    "ring": Ring,
    "liar": Liar,
}


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
            await bluez.stop()
            bus.kill()
            await asyncio.sleep(0.01)  # clients of this process close what they have on the bus
    if bluez.broken:
        raise bluez.broken[0]


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


async def _run(devices: Sequence[Peripheral], command: Sequence[str]) -> int:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, lambda: None)  # the terminal tells the command as well
    async with radio(*devices):
        process = await asyncio.create_subprocess_exec(*command)
        loop.add_signal_handler(signal.SIGTERM, process.terminate)
        return await process.wait()


def main() -> int:
    """Run the command; its exit status, or 2 where the radio cannot be."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fakes.radio", description="Run a command beside a fake radio."
    )
    parser.add_argument(
        "--devices", default="strap,ppi,watch,ring", help=f"of {', '.join(DEVICES)}"
    )
    parser.add_argument("command", nargs="+", metavar="COMMAND", help="after --")
    given = parser.parse_args()
    names = given.devices.split(",")
    if unknown := [name for name in names if name not in DEVICES]:
        parser.error(f"no device {unknown[0]!r}: choose of {', '.join(DEVICES)}")
    try:
        for program in ("dbus-daemon", "bluetoothctl", given.command[0]):
            find(program)
    except Absent as absent:
        print(absent, file=sys.stderr)
        return 2
    return asyncio.run(_run([DEVICES[name]() for name in names], given.command))


if __name__ == "__main__":
    sys.exit(main())
