"""The objects that bluetoothd shows on the bus, and the signals of their changes."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from dbus_fast import Message, MessageType, Variant

if TYPE_CHECKING:
    from dbus_fast.aio import MessageBus

OBJECTS: Final = "org.freedesktop.DBus.ObjectManager"
PROPERTIES: Final = "org.freedesktop.DBus.Properties"
ADAPTER: Final = "org.bluez.Adapter1"
DEVICE: Final = "org.bluez.Device1"
SERVICE: Final = "org.bluez.GattService1"
CHAR: Final = "org.bluez.GattCharacteristic1"
DESCRIPTOR: Final = "org.bluez.GattDescriptor1"
BATTERY: Final = "org.bluez.Battery1"
Interfaces = dict[str, dict[str, Variant]]


class Tree:
    """Objects by path. A change is signalled while there is a bus."""

    def __init__(self) -> None:
        self.bus: MessageBus | None = None
        self.objects: dict[str, Interfaces] = {}

    def add(self, path: str, interface: str, properties: dict[str, Variant]) -> None:
        """Show an object, or one more interface of it."""
        new: Interfaces = {interface: properties}
        if path not in self.objects:
            new |= {"org.freedesktop.DBus.Introspectable": {}, PROPERTIES: {}}
        self.objects.setdefault(path, {}).update(new)
        self._signal("/", OBJECTS, "InterfacesAdded", "oa{sa{sv}}", [path, new])

    def remove(self, path: str, interface: str | None = None) -> None:
        """Take away one interface, or the object with all that lies below it."""
        if interface is not None:
            if self.objects.get(path, {}).pop(interface, None) is not None:
                self._signal("/", OBJECTS, "InterfacesRemoved", "oas", [path, [interface]])
            return
        below = [each for each in self.objects if each.startswith(f"{path}/")]
        for each in (*sorted(below, reverse=True), path):
            if (gone := self.objects.pop(each, None)) is not None:
                self._signal("/", OBJECTS, "InterfacesRemoved", "oas", [each, list(gone)])

    def set(
        self, path: str, interface: str, *, gone: Iterable[str] = (), **properties: Variant
    ) -> None:
        """Change properties of an object, if it is there; an equal value is signalled too."""
        if interface not in self.objects.get(path, {}):
            return
        mine = self.objects[path][interface]
        lost = [name for name in gone if mine.pop(name, None) is not None]
        mine.update(properties)
        body = [interface, properties, lost]
        self._signal(path, PROPERTIES, "PropertiesChanged", "sa{sv}as", body)

    def _signal(
        self, path: str, interface: str, member: str, signature: str, body: list[Any]
    ) -> None:
        if self.bus is not None and self.bus.connected:
            self.bus.send(
                Message(
                    message_type=MessageType.SIGNAL,
                    path=path,
                    interface=interface,
                    member=member,
                    signature=signature,
                    body=body,
                )
            )
