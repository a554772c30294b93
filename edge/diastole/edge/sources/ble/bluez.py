"""What bluetoothd says of adapters and devices, asked once; nothing is changed."""

import asyncio
from typing import Any, Final

import msgspec

from diastole.edge.errors import DiastoleError
from diastole.edge.sources.ble.owner import BLUEZ

ASK_S: Final = 5.0
_ADAPTER: Final = "org.bluez.Adapter1"
_DEVICE: Final = "org.bluez.Device1"
_CHAR: Final = "org.bluez.GattCharacteristic1"
REFUSED: Final = ("AccessDenied", "AuthFailed")


class Away(DiastoleError):
    """bluetoothd cannot be asked; ``refused`` where this user may not."""

    def __init__(self, what: str, *, refused: bool = False) -> None:
        self.refused = refused
        super().__init__(what)


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A device that bluetoothd knows."""

    address: str
    name: str | None
    connected: bool
    notifying: bool
    """Some program of this machine is subscribed to it."""


class Bluez(msgspec.Struct, frozen=True, kw_only=True):
    """Adapters by name, with whether they are powered; and devices."""

    adapters: dict[str, bool]
    devices: list[Known]


async def ask() -> Bluez:
    """Return what it manages; raise Away."""
    from dbus_fast import BusType, Message, MessageType
    from dbus_fast.aio import MessageBus

    try:
        async with asyncio.timeout(ASK_S):
            bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
    except Exception as error:  # no socket, no permission, no answer: many classes
        what = f"the D-Bus system bus cannot be reached ({error or type(error).__name__})"
        raise Away(what) from None
    manager = "org.freedesktop.DBus.ObjectManager"
    try:
        async with asyncio.timeout(ASK_S):
            answer = await bus.call(Message(BLUEZ, "/", manager, "GetManagedObjects"))
    except Exception as error:
        what = f"bluetoothd does not answer within {ASK_S:g} s ({error or type(error).__name__})"
        raise Away(what) from None
    finally:
        bus.disconnect()
    if answer is None or answer.message_type is not MessageType.METHOD_RETURN:
        name = "" if answer is None else answer.error_name or ""
        refused = name.endswith(REFUSED)
        what = "this user may not ask bluetoothd" if refused else "no bluetoothd is running"
        raise Away(what, refused=refused)
    return _read(answer.body[0])


def _read(objects: dict[str, dict[str, dict[str, Any]]]) -> Bluez:
    notifying = [
        path for path, has in objects.items() if _CHAR in has and _value(has[_CHAR], "Notifying")
    ]
    return Bluez(
        adapters={
            path.rsplit("/", 1)[-1]: bool(_value(has[_ADAPTER], "Powered"))
            for path, has in objects.items()
            if _ADAPTER in has
        },
        devices=[
            Known(
                address=str(_value(has[_DEVICE], "Address")),
                name=_value(has[_DEVICE], "Name"),
                connected=bool(_value(has[_DEVICE], "Connected")),
                notifying=any(char.startswith(f"{path}/") for char in notifying),
            )
            for path, has in objects.items()
            if _DEVICE in has
        ],
    )


def _value(properties: dict[str, Any], name: str) -> Any:
    return properties[name].value if name in properties else None
