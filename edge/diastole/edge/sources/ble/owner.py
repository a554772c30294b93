"""A watch over who owns ``org.bluez``: bleak does not notice that bluetoothd has ended."""

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from diastole.edge.clock import Clock

if TYPE_CHECKING:
    from dbus_fast import Message

BLUEZ: Final = "org.bluez"
_BUS: Final = "org.freedesktop.DBus"
AGAIN_S: Final = 1.0

log = logging.getLogger(__name__)


async def watch(clock: Clock, changed: Callable[[bool], None]) -> None:
    """Call ``changed`` with whether there is a bluetoothd, at each change, until cancelled."""
    lost = False
    while True:
        try:
            await _until_lost(changed, again=lost)
        except Exception as error:  # no D-Bus, no permission: dbus-fast tells by many classes
            log.debug('dbus=away why="%s"', error)
        else:
            changed(False)
        lost = True
        await clock.sleep(AGAIN_S)


async def _until_lost(changed: Callable[[bool], None], *, again: bool) -> None:
    """Watch on a connection of its own, until that ends."""
    from dbus_fast import BusType, Message, MessageType
    from dbus_fast.aio import MessageBus

    def heard(message: "Message") -> None:
        signal = message.message_type is MessageType.SIGNAL
        if signal and message.member == "NameOwnerChanged" and message.body[0] == BLUEZ:
            changed(bool(message.body[2]))

    bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
    try:
        bus.add_message_handler(heard)
        rule = f"type='signal',sender='{_BUS}',member='NameOwnerChanged',arg0='{BLUEZ}'"
        path = "/org/freedesktop/DBus"
        await bus.call(Message(_BUS, path, _BUS, "AddMatch", signature="s", body=[rule]))
        if again:
            changed(True)
        with suppress(EOFError, OSError):
            await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]
    finally:
        bus.disconnect()
