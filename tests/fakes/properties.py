"""What bluetoothd tells of its adapter and of a device."""

from typing import Final

from dbus_fast import Variant

from tests.fakes.peripheral import Peripheral

HCI: Final = "/org/bluez/hci0"


def adapter_properties(powered: bool) -> dict[str, Variant]:
    """Return the properties of the adapter."""
    return {
        "Address": Variant("s", "00:1A:7D:DA:71:00"),
        "AddressType": Variant("s", "public"),
        "Name": Variant("s", "fake"),
        "Alias": Variant("s", "fake"),
        "Powered": Variant("b", powered),
        "Discoverable": Variant("b", False),
        "Pairable": Variant("b", True),
        "Discovering": Variant("b", False),
        "UUIDs": Variant("as", []),
        "Roles": Variant("as", ["central", "peripheral"]),
    }


def device_properties(device: Peripheral, *, heard: bool) -> dict[str, Variant]:
    """Return the properties of a device; its signal only where it is ``heard``."""
    properties = {
        "Address": Variant("s", device.address),
        "AddressType": Variant("s", "random"),
        "Alias": Variant("s", device.name or device.address.replace(":", "-")),
        "Paired": Variant("b", False),
        "Trusted": Variant("b", False),
        "Blocked": Variant("b", False),
        "Connected": Variant("b", device.connected),
        "UUIDs": Variant("as", device.advertised),
        "Adapter": Variant("o", HCI),
        "ServicesResolved": Variant("b", device.resolved),
    }
    if device.name:
        properties["Name"] = Variant("s", device.name)
    if heard and device.audible:
        properties["RSSI"] = Variant("n", device.rssi)
    if device.maker_data:
        data = {maker: Variant("ay", each) for maker, each in device.maker_data.items()}
        properties["ManufacturerData"] = Variant("a{qv}", data)
    return properties
