"""What ends the data of a device, and how long it takes to come again."""

from typing import Final

from tests.fakes.bluez import FakeBluez
from tests.fakes.devices import Strap
from tests.radio.listening import until

CAUSES: Final = ("link", "adapter", "bluetoothd", "dbus")


async def back_s(bluez: FakeBluez, strap: Strap, cause: str) -> float:
    """Bring the cause about and to its end; return after how many seconds of it data came again."""
    if cause == "link":
        strap.drop_link(away=3)
        await until(lambda: strap.on_air)
    elif cause == "adapter":
        bluez.set_powered(False)
        await bluez.clock.sleep(2)
        bluez.set_powered(True)
    elif cause == "bluetoothd":
        await bluez.crash()
        await bluez.clock.sleep(1)
        await bluez.start()
    else:
        await bluez.lose_bus()
        await bluez.clock.sleep(1)
        await bluez.regain_bus()
    ended_s, sent = bluez.clock.monotonic(), len(strap.sent)
    await until(lambda: len(strap.sent) > sent)
    return bluez.clock.monotonic() - ended_s
