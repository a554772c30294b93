"""How bluetoothd hands on what a device notifies, reads and is written.

A session belongs to a D-Bus connection and outlives the link: the device is told again at the next
link, and every session gets a signal of its own for each notification.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any, Final

from dbus_fast import Message, Variant

from tests.fakes.peripheral import BluezError, Char, Peripheral, uuid16
from tests.fakes.tree import BATTERY, CHAR, DESCRIPTOR, SERVICE, Tree

Answer = tuple[str, list[Any], list[int]]
"""Signature, body and file descriptors of a reply."""
NOTHING: Final[Answer] = ("", [], [])
_MTU: Final = 517
_AIR_S: Final = 0.002
"""What a request and its response take."""
_LEVEL: Final = uuid16(0x2A19)


class Gatt:
    """The attributes of the linked devices."""

    def __init__(self, tree: Tree, devices: list[Peripheral]) -> None:
        self._tree = tree
        self._devices = devices
        self._calls: dict[str, Callable[[Message, Peripheral, Char], Awaitable[Answer]]] = {
            "ReadValue": self._read,
            "WriteValue": self._write,
            "StartNotify": self._start_notify,
            "StopNotify": self._stop_notify,
            "AcquireNotify": self._acquire_notify,
        }

    async def call(self, message: Message) -> Answer | None:
        """Do what is asked of a characteristic; None where there is no such call."""
        do = self._calls.get(message.member or "")
        for device, char in self._all():
            if do is not None and char.path == message.path:
                return await do(message, device, char)
        return None

    def forget_all(self) -> None:
        """Begin without a session, as a new process does."""
        for _, char in self._all():
            _close(char)
            char.sessions.clear()

    def link_up(self, device: Peripheral) -> None:
        """Show the attributes, and tell the device of the sessions that outlived the last link."""
        for service in device.services:
            self._show_service(device, service.path, service.uuid)
            for char in service.chars:
                self._show_char(service.path, char)
                if char.sessions:
                    char.sessions = dict.fromkeys(char.sessions, True)
                    self._tree.set(char.path, CHAR, Notifying=Variant("b", True))
                if char.uuid == _LEVEL and char.value:
                    level = {"Percentage": Variant("y", char.value[0])}
                    self._tree.add(device.path, BATTERY, level)

    def link_down(self, device: Peripheral) -> None:
        """End the sockets; the sessions stay and wait."""
        for char in device.chars:
            self._release(char)
            char.sessions = dict.fromkeys(char.sessions, False)

    def sender_gone(self, name: str) -> None:
        """End what a D-Bus connection had."""
        for _, char in self._all():
            if char.sessions.pop(name, None) is not None and not char.sessions:
                self._tree.set(char.path, CHAR, Notifying=Variant("b", False))
            if char.acquired is not None and char.acquired[1] == name:
                self._release(char)

    def deliver(self, char: Char, data: bytes) -> None:
        """Hand on one notification: a signal for each session, or the socket."""
        char.value = data
        for told in list(char.sessions.values()):
            if told:
                self._tree.set(char.path, CHAR, Value=Variant("ay", data))
        if char.acquired is not None:
            try:
                char.acquired[0].send(data)
            except BlockingIOError:
                pass  # a full socket loses the notification
            except OSError:
                self._release(char)

    def _all(self) -> Iterator[tuple[Peripheral, Char]]:
        return ((device, char) for device in self._devices for char in device.chars)

    def _show_service(self, device: Peripheral, path: str, uuid: str) -> None:
        if path not in self._tree.objects:
            properties = {
                "UUID": Variant("s", uuid),
                "Device": Variant("o", device.path),
                "Primary": Variant("b", True),
                "Includes": Variant("ao", []),
            }
            self._tree.add(path, SERVICE, properties)

    def _show_char(self, service: str, char: Char) -> None:
        if char.path in self._tree.objects:
            return
        properties = {
            "UUID": Variant("s", char.uuid),
            "Service": Variant("o", service),
            "Value": Variant("ay", b""),
            "Flags": Variant("as", list(char.flags)),
            "MTU": Variant("q", _MTU),
        }
        if char.notifies:
            properties["Notifying"] = Variant("b", False)
        if "notify" in char.flags:  # what only indicates has no socket to acquire
            properties["NotifyAcquired"] = Variant("b", False)
        if "write-without-response" in char.flags:
            properties["WriteAcquired"] = Variant("b", False)
        self._tree.add(char.path, CHAR, properties)
        if char.notifies:
            properties = {
                "UUID": Variant("s", uuid16(0x2902)),
                "Characteristic": Variant("o", char.path),
                "Value": Variant("ay", b""),
            }
            self._tree.add(f"{char.path}/desc{char.handle + 2:04x}", DESCRIPTOR, properties)

    async def _read(self, _message: Message, device: Peripheral, char: Char) -> Answer:
        _linked(device)
        if "read" not in char.flags:
            raise BluezError("NotPermitted", "Read not permitted")
        await asyncio.sleep(_AIR_S)
        if char.read_error is not None:
            text = f"Operation failed with ATT error: 0x{char.read_error:02x}"
            raise BluezError("Failed", text)
        self._tree.set(char.path, CHAR, Value=Variant("ay", char.value))  # a read is signalled too
        return "ay", [char.value], []

    async def _write(self, message: Message, device: Peripheral, char: Char) -> Answer:
        _linked(device)
        if char.on_write is None:
            raise BluezError("NotPermitted", "Write not permitted")
        await asyncio.sleep(_AIR_S)
        char.on_write(bytes(message.body[0]))
        return NOTHING

    async def _start_notify(self, message: Message, device: Peripheral, char: Char) -> Answer:
        if char.acquired is not None:
            raise BluezError("NotPermitted", "Notify acquired")
        if not char.notifies:
            raise BluezError("NotSupported", "Operation is not supported")
        sender = message.sender or ""
        if sender in char.sessions:
            if char.sessions[sender]:
                return NOTHING
            raise BluezError("InProgress", "In Progress")
        char.sessions[sender] = device.connected
        await asyncio.sleep(_AIR_S)
        if device.connected:
            self._tree.set(char.path, CHAR, Notifying=Variant("b", True))
        return NOTHING

    async def _stop_notify(self, message: Message, _device: Peripheral, char: Char) -> Answer:
        if char.acquired is not None:
            self._release(char)
        elif char.sessions.pop(message.sender or "", None) is None:
            raise BluezError("Failed", "No notify session started")
        elif not char.sessions:
            self._tree.set(char.path, CHAR, Notifying=Variant("b", False))
        return NOTHING

    async def _acquire_notify(self, message: Message, device: Peripheral, char: Char) -> Answer:
        _linked(device)
        if char.acquired is not None:
            raise BluezError("NotPermitted", "Notify acquired")
        if char.sessions:
            raise BluezError("InProgress", "In Progress")
        if "notify" not in char.flags:
            raise BluezError("NotSupported", "Operation is not supported")
        await asyncio.sleep(_AIR_S)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (ours, theirs):
            end.setblocking(False)
        char.acquired = ours, message.sender or ""
        asyncio.get_running_loop().add_reader(ours.fileno(), self._hear, char, ours)
        self._tree.set(char.path, CHAR, NotifyAcquired=Variant("b", True))
        return "hq", [0, _MTU], [theirs.detach()]

    def _hear(self, char: Char, ours: socket.socket) -> None:
        with suppress(BlockingIOError):
            try:
                if ours.recv(512):
                    return
            except ConnectionError:
                pass
            self._release(char)

    def _release(self, char: Char) -> None:
        if _close(char):
            self._tree.set(char.path, CHAR, NotifyAcquired=Variant("b", False))


def _linked(device: Peripheral) -> None:
    if not device.connected:
        raise BluezError("Failed", "Not connected")


def _close(char: Char) -> bool:
    if char.acquired is None:
        return False
    ours, _ = char.acquired
    char.acquired = None
    asyncio.get_running_loop().remove_reader(ours.fileno())
    ours.close()
    return True
