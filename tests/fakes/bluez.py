"""A bluetoothd without a radio: what a GATT client meets of ``org.bluez``, over a real D-Bus.

Calibrated on bluetoothd 5.66: the order of the signals, the errors and their texts, discovery and
notify sessions that belong to a D-Bus connection. Without: pairing, a second adapter, passive scan.
"""

import asyncio
import os
from collections import defaultdict
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final, NamedTuple

from dbus_fast import BusType, Message, MessageType, RequestNameReply, Variant
from dbus_fast.aio import MessageBus

from diastole.edge.clock import Clock
from tests.fakes.bus import PrivateBus
from tests.fakes.clock import FastClock
from tests.fakes.gatt import NOTHING, Answer, Gatt
from tests.fakes.peripheral import BluezError, Char, Peripheral
from tests.fakes.properties import HCI, adapter_properties, device_properties
from tests.fakes.tree import ADAPTER, BATTERY, CHAR, DEVICE, OBJECTS, PROPERTIES, Tree

_SOON_S: Final = 0.005
_BUS: Final = "org.freedesktop.DBus"


class Call(NamedTuple):
    """A method call that came: when (the clock's monotonic seconds), who, on what, which."""

    at: float
    sender: str
    path: str
    member: str


class FakeBluez:
    """One bluetoothd with one adapter, on the bus of the environment. Its faults are methods."""

    def __init__(self, *devices: Peripheral, bus: PrivateBus, clock: Clock | None = None) -> None:
        self.bus = bus
        self.clock: Clock = clock or FastClock()
        self.devices = list(devices)
        self.powered = True
        self.wedged = False
        """Calls are taken, and answered when that ends."""
        self.disconnect_s = 0.02
        """What ending a link takes; bluetoothd 5.66 takes 2.5 s. Real time."""
        self.forget_s = 30.0
        """After how long a device that was never linked is forgotten. Real time."""
        self.fail_next: defaultdict[str, list[BluezError]] = defaultdict(list)
        """By the name of a method: what its next calls are answered with, one each."""
        self.calls: list[Call] = []
        self.broken: list[BaseException] = []
        """What failed in here, or in a device: a fault of the fake, none that it plays."""
        self._tree = Tree()
        self._gatt = Gatt(self._tree, self.devices)
        self._present = True
        self._filters: dict[str, set[str]] = {}
        self._scans: set[str] = set()
        self._connecting: dict[Peripheral, asyncio.Event] = {}
        self._forget: dict[Peripheral, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        for device in devices:
            device.host = self
            device.path = f"{HCI}/dev_{device.address.replace(':', '_')}"
            for service in device.services:
                service.path = f"{device.path}/service{service.handle:04x}"
                for char in service.chars:
                    char.path = f"{service.path}/char{char.handle:04x}"

    # The process

    async def start(self) -> None:
        """Come up, with what an earlier one has written down."""
        self._filters.clear()
        self._scans.clear()
        self._gatt.forget_all()
        self._tree.objects = {"/org/bluez": {"org.bluez.AgentManager1": {}}}
        bus = await MessageBus(bus_type=BusType.SYSTEM, negotiate_unix_fd=True).connect()
        self._tree.bus = bus
        bus.add_message_handler(self._heard)
        rule = f"type='signal',sender='{_BUS}',member='NameOwnerChanged',arg2=''"
        await self._ask_bus("AddMatch", "s", [rule])
        if await bus.request_name("org.bluez") is not RequestNameReply.PRIMARY_OWNER:
            raise RuntimeError("somebody has org.bluez already")
        if self._present:
            self.add_adapter()
        self.spawn(self._advertise())
        await self.settle()

    async def crash(self) -> None:
        """Be killed: the name is gone without a word, the links too."""
        for device in self.devices:
            device.unlinked()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._gatt.forget_all()
        if (bus := self._tree.bus) is not None:
            self._tree.bus = None
            with suppress(OSError, EOFError):
                bus.disconnect()
                await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]

    async def stop(self) -> None:
        """Be ended: links and objects first, then the name."""
        if self._present:
            self.remove_adapter()
            self._present = True
        await self.crash()

    async def lose_bus(self) -> None:
        """Die of the death of the D-Bus daemon."""
        self.bus.kill()
        await self.crash()

    async def regain_bus(self) -> None:
        """Come back with the D-Bus daemon."""
        self.bus.start()
        await self.start()

    async def settle(self) -> None:
        """Wait until clients in this process have what was signalled so far."""
        await self._ask_bus("GetId", "", [])
        await asyncio.sleep(0.01)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something that ends with the process at the latest."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.broken.append(error)

    async def _ask_bus(self, member: str, signature: str, body: list[Any]) -> None:
        assert self._tree.bus is not None
        path = "/org/freedesktop/DBus"
        await self._tree.bus.call(Message(_BUS, path, _BUS, member, signature=signature, body=body))

    # The adapter

    def set_powered(self, on: bool) -> None:
        """Switch the adapter off or on, as rfkill does."""
        if on == self.powered:
            return
        self.powered = on
        if not on:
            self._end_scans()
            for device in self.devices:
                self.link_down(device)
        self._tree.set(HCI, ADAPTER, Powered=Variant("b", on))

    def remove_adapter(self) -> None:
        """Pull the dongle."""
        self._present = False
        self._scans.clear()
        for device in self.devices:
            known = device.known
            self.link_down(device)
            self._forget_device(device)
            device.known = known
        self._tree.remove(HCI)

    def add_adapter(self) -> None:
        """Put the dongle back."""
        self._present = True
        self._tree.add(HCI, ADAPTER, adapter_properties(self.powered))
        for device in self.devices:
            if device.known:
                self._show_device(device)

    def _end_scans(self) -> None:
        self._scans.clear()
        self._tree.set(HCI, ADAPTER, Discovering=Variant("b", False))
        for device in self.devices:
            self._tree.set(device.path, DEVICE, gone=["RSSI"])
            self._forget_later(device)

    async def _advertise(self) -> None:
        while True:
            await asyncio.sleep(min((each.advertise_s for each in self.devices), default=0.05))
            for device in self.devices:
                if self.powered and self._present and device.audible and self._sought(device):
                    self._stay(device)
                    if device.path not in self._tree.objects:
                        self._show_device(device)
                    else:
                        self._tree.set(device.path, DEVICE, RSSI=Variant("n", device.rssi))

    def _sought(self, device: Peripheral) -> bool:
        wanted = [self._filters.get(sender, set()) for sender in self._scans]
        return any(not uuids or uuids & set(device.advertised) for uuids in wanted)

    # Devices

    def _show_device(self, device: Peripheral) -> None:
        properties = device_properties(device, heard=bool(self._scans))
        self._tree.add(device.path, DEVICE, properties)

    def _forget_device(self, device: Peripheral) -> None:
        device.known = False
        for char in device.chars:  # sessions go with their objects
            char.sessions.clear()
        self._tree.remove(device.path)

    def _forget_later(self, device: Peripheral) -> None:
        """Forget a device that was never linked, some seconds after it was last heard."""
        self._stay(device)
        if not device.known and device.path in self._tree.objects:
            self._forget[device] = self.spawn(self._forget_after(device))

    async def _forget_after(self, device: Peripheral) -> None:
        await asyncio.sleep(self.forget_s)
        self._forget_device(device)

    def _stay(self, device: Peripheral) -> None:
        if (task := self._forget.pop(device, None)) is not None:
            task.cancel()

    async def _connect(self, device: Peripheral) -> None:
        if not self.powered:
            raise BluezError("Failed", "Input/output error")
        if device.fail_connect:
            raise device.fail_connect.pop(0)
        if device.connected:
            return
        if device in self._connecting:
            raise BluezError("Failed", "Operation already in progress")
        self._connecting[device] = asyncio.Event()
        try:
            await self._link(device, self._connecting[device])
        finally:
            del self._connecting[device]

    async def _link(self, device: Peripheral, aborted: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        patient_until = loop.time() + device.patience_s
        while not device.audible:
            await asyncio.sleep(_SOON_S)
            if aborted.is_set() or loop.time() > patient_until:
                raise BluezError("Failed", "le-connection-abort-by-local")
        await asyncio.sleep(device.connect_s)
        if aborted.is_set() or not self.powered or device.path not in self._tree.objects:
            raise BluezError("Failed", "le-connection-abort-by-local")
        device.connected = device.known = True
        device.links += 1
        self._stay(device)
        self._tree.set(device.path, DEVICE, Connected=Variant("b", True))
        await asyncio.sleep(device.resolve_s)
        if not device.connected:
            raise BluezError("Failed", "le-connection-abort-by-remote")
        self._gatt.link_up(device)
        uuids = sorted({*device.advertised, *(each.uuid for each in device.services)})
        device.resolved = True
        self._tree.set(device.path, DEVICE, UUIDs=Variant("as", uuids))
        self._tree.set(device.path, DEVICE, ServicesResolved=Variant("b", True))
        device.linked()

    async def _disconnect(self, device: Peripheral) -> None:
        if device in self._connecting:
            self._connecting[device].set()
        if device.connected:
            await asyncio.sleep(self.disconnect_s)
            self.link_down(device)

    def link_down(self, device: Peripheral) -> None:
        """Lose the link of a device, if it has one."""
        if device.connected:
            device.unlinked()
            self._gatt.link_down(device)
            self._tree.set(device.path, DEVICE, ServicesResolved=Variant("b", False))
            self._tree.set(device.path, DEVICE, Connected=Variant("b", False))
            self._tree.remove(device.path, BATTERY)

    def deliver(self, char: Char, data: bytes) -> None:
        """Hand on what a device notifies."""
        self._gatt.deliver(char, data)

    # Calls

    def _heard(self, message: Message) -> bool:
        if message.message_type is MessageType.SIGNAL and message.member == "NameOwnerChanged":
            self._sender_gone(message.body[0])
        if message.message_type is not MessageType.METHOD_CALL or not message.destination:
            return False
        if message.interface == "org.freedesktop.DBus.Peer":
            return False
        sender, path, member = message.sender or "", message.path or "", message.member or ""
        self.calls.append(Call(self.clock.monotonic(), sender, path, member))
        self.spawn(self._handle(message))
        return True

    def _sender_gone(self, name: str) -> None:
        self._filters.pop(name, None)
        if name in self._scans:
            self._scans.discard(name)
            if not self._scans:
                self._end_scans()
        self._gatt.sender_gone(name)

    async def _handle(self, message: Message) -> None:
        bus = self._tree.bus
        while self.wedged:  # noqa: ASYNC110 - a switch that a test sets
            await asyncio.sleep(_SOON_S)
        try:
            if queue := self.fail_next[message.member or ""]:
                raise queue.pop(0)
            signature, body, fds = await self._answer(message)
            reply = Message.new_method_return(message, signature, body, fds)
        except BluezError as error:
            reply = Message.new_error(message, error.name, error.text)
        if bus is not None and bus.connected:
            sending = bus.send(reply)
            if reply.unix_fds:
                with suppress(OSError, EOFError):
                    await sending
        for fd in reply.unix_fds:
            os.close(fd)

    async def _answer(self, message: Message) -> Answer:
        path, interface = message.path or "", message.interface or ""
        if interface == OBJECTS and message.member == "GetManagedObjects":
            return "a{oa{sa{sv}}}", [self._tree.objects], []
        answer = None
        if interface == PROPERTIES and path in self._tree.objects:
            answer = self._properties(message)
        elif interface in self._tree.objects.get(path, {}):
            if interface == ADAPTER:
                answer = await self._adapter(message)
            elif interface == DEVICE:
                answer = await self._device(message)
            elif interface == CHAR:
                answer = await self._gatt.call(message)
        if answer is None:
            text = f'Method "{message.member}" with signature "{message.signature}" on interface '
            text += f'"{interface}" doesn\'t exist\n'
            raise BluezError(f"{_BUS}.Error.UnknownObject", text)
        return answer

    def _properties(self, message: Message) -> Answer | None:
        mine = self._tree.objects[message.path or ""]
        if message.member == "GetAll":
            return "a{sv}", [mine.get(message.body[0], {})], []
        if message.member == "Get" and message.body[1] in mine.get(message.body[0], {}):
            return "v", [mine[message.body[0]][message.body[1]]], []
        if message.member == "Set" and message.body[:2] == [ADAPTER, "Powered"]:
            self.set_powered(message.body[2].value)
            return NOTHING
        return None

    async def _device(self, message: Message) -> Answer | None:
        device = next(each for each in self.devices if each.path == message.path)
        if message.member == "Connect":
            await self._connect(device)
        elif message.member == "Disconnect":
            await self._disconnect(device)
        else:
            return None
        return NOTHING

    async def _adapter(self, message: Message) -> Answer | None:
        sender = message.sender or ""
        if message.member == "SetDiscoveryFilter":
            uuids = message.body[0].get("UUIDs")
            self._filters[sender] = set(uuids.value) if uuids else set()
        elif message.member in {"StartDiscovery", "StopDiscovery"} and not self.powered:
            raise BluezError("NotReady", "Resource Not Ready")
        elif message.member == "StartDiscovery":
            if sender in self._scans:
                raise BluezError("InProgress", "Operation already in progress")
            self._scans.add(sender)
            await asyncio.sleep(_SOON_S)
            self._tree.set(HCI, ADAPTER, Discovering=Variant("b", True))
        elif message.member == "StopDiscovery":
            if sender not in self._scans:
                raise BluezError("Failed", "No discovery started")
            self._scans.discard(sender)
            if not self._scans:
                self._end_scans()
        elif message.member == "RemoveDevice":
            device = next((each for each in self.devices if each.path == message.body[0]), None)
            if device is None or device.path not in self._tree.objects:
                raise BluezError("DoesNotExist", "Does Not Exist")
            self.link_down(device)
            self._forget_device(device)
        else:
            return None
        return NOTHING
