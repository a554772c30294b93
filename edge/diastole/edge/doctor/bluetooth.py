"""Whether the devices of ``agent.toml`` can be had over Bluetooth: adapter, bluetoothd, device."""

import asyncio
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from diastole.edge.agent.devices import Bluetooth
from diastole.edge.agent.record import is_recording
from diastole.edge.agent.settings import Agent
from diastole.edge.clock import SystemClock
from diastole.edge.doctor import outbox
from diastole.edge.doctor.finding import Finding
from diastole.edge.sources.ble.adapter import Adapter, Seen
from diastole.edge.sources.ble.bluez import Away, Bluez, Known, ask
from diastole.edge.sources.ble.kinds import kinds
from diastole.edge.sources.ble.scan import Look, look

RFKILL: Final = Path("/sys/class/rfkill")
OLDEST: Final = (5, 55)
SCAN_S: Final = 12.0
"""A strap advertises each second, a ring less often."""


def of_bluetooth(agent: Agent) -> Iterator[Finding]:
    """Yield what stands between the agent and its devices; nothing for an agent without any."""
    if not agent.bluetooth:
        return
    if sys.platform != "linux":
        what = f"on {sys.platform} nobody has tried this yet, and nothing can be asked"
        yield Finding("bluetooth", "warn", what, "diastole scan shows whether it works")
        return
    yield from blocked(RFKILL)
    yield _version()
    try:
        bluez = asyncio.run(ask())
    except Away as away:
        remedy = "sudo apt install bluez; sudo systemctl enable --now bluetooth"
        if away.refused:
            remedy = "sudo usermod -aG bluetooth USER of the agent, and log in again"
        yield Finding("bluetooth", "fail", str(away), remedy)
        return
    usable = True
    for name in dict.fromkeys(item.adapter for item in agent.bluetooth):
        adapter = _adapter(bluez, name)
        usable &= adapter.state == "ok"
        yield adapter
    if usable:
        yield from _devices(agent, bluez)


def blocked(folder: Path) -> Iterator[Finding]:
    """Yield what rfkill blocks, by its files."""
    for switch in sorted(folder.glob("*")):
        try:
            told = {name: (switch / name).read_text().strip() for name in ("type", "soft", "hard")}
        except OSError:
            continue
        if told["type"] != "bluetooth":
            continue
        if told["hard"] == "1":
            remedy = "switch it on by the machine's own switch or its firmware"
            yield Finding("bluetooth", "fail", f"{switch.name} is switched off", remedy)
        elif told["soft"] == "1":
            what = f"{switch.name} is blocked by rfkill"
            yield Finding("bluetooth", "fail", what, "sudo rfkill unblock bluetooth")


def _version() -> Finding:
    program = shutil.which("bluetoothctl")
    if program is None:
        what = "bluetoothctl is not here, so BlueZ's version is not known"
        return Finding("bluez", "warn", what, "sudo apt install bluez")
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return Finding("bluez", "warn", "bluetoothctl does not tell its version", "see its log")
    number = re.search(r"(\d+)\.(\d+)", done.stdout)
    if number is None:
        return Finding("bluez", "warn", "bluetoothctl does not tell its version", "see its log")
    what = f"BlueZ {number[0]}"
    if (int(number[1]), int(number[2])) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        return Finding("bluez", "fail", f"{what}, older than {oldest}", "update the system")
    return Finding("bluez", "ok", what)


def _adapter(bluez: Bluez, name: str | None) -> Finding:
    there = ", ".join(bluez.adapters) or "none"
    if not bluez.adapters or (name is not None and name not in bluez.adapters):
        what = "no adapter is here" if name is None else f"no adapter {name} is here ({there})"
        remedy = "plug one in; dmesg tells of one that does not start"
        return Finding("adapter", "fail", what, remedy)
    chosen = [name] if name is not None else list(bluez.adapters)
    if not any(bluez.adapters[each] for each in chosen):
        what = f"{', '.join(chosen)} is not powered"
        return Finding("adapter", "fail", what, "bluetoothctl power on")
    return Finding("adapter", "ok", f"{', '.join(chosen)} is powered")


def _devices(agent: Agent, bluez: Bluez) -> Iterator[Finding]:
    ours = _ours(agent)
    linked = {
        k: device
        for k, item in enumerate(agent.bluetooth)
        if (device := next((d for d in bluez.devices if d.connected and _is(item, d)), None))
    }
    sought = [item for k, item in enumerate(agent.bluetooth) if k not in linked]
    seen = asyncio.run(_seen(sought)) if sought else []
    for k, item in enumerate(agent.bluetooth):
        name = f"device {item.device}"
        if k in linked:
            yield _linked(name, linked[k], ours)
        else:
            yield _found(name, item, [one for one in seen if _is(item, one)])


def _ours(agent: Agent) -> str | None:
    """Return which program of ours has the agent's devices, as far as its folder tells."""
    if outbox.owned(agent.folder / "outbox.db"):
        return "the agent"
    return "diastole record" if is_recording(agent) else None


def _linked(name: str, device: Known, ours: str | None) -> Finding:
    """Return whose a linked device is; bluetoothd does not tell."""
    if ours is not None:
        return Finding(name, "ok", f"{device.address} is linked, and {ours} is running")
    doing = "subscribed to" if device.notifying else "linked with"
    what = f"a program of this machine is {doing} {device.address}, and none of this state folder"
    remedy = (
        "a diastole run or record of another folder is asked for by --state DIR; "
        f"any other program: end it, or bluetoothctl disconnect {device.address}"
    )
    return Finding(name, "warn", what, remedy)


def _found(name: str, item: Bluetooth, fit: list[Seen]) -> Finding:
    if not fit:
        what = f"{item.address or item.name} is not heard within {SCAN_S:g} s"
        remedy = "put it on; end the phone's app that has it; switch its broadcast on"
        return Finding(name, "warn", what, remedy)
    if len(fit) > 1:
        what = f"{len(fit)} devices call themselves {item.name}"
        remedy = f"write address = one of {', '.join(one.address for one in fit)}"
        return Finding(name, "fail", what, remedy)
    return Finding(name, "ok", f"{fit[0].address} is heard, {fit[0].rssi_dbm} dBm")


async def _seen(sought: list[Bluetooth]) -> list[Seen]:
    """Scan on each adapter until all are heard."""
    found: list[Seen] = []
    for name in dict.fromkeys(item.adapter for item in sought):
        mine = [item for item in sought if item.adapter == name]

        def enough(heard: Look, mine: list[Bluetooth] = mine) -> bool:
            # one that is known by its name alone may have a namesake: that takes the whole time
            return all(
                item.address and any(_is(item, one) for one in heard.seen.values()) for item in mine
            )

        clock = SystemClock()
        heard = await look(Adapter(name, clock), clock, kinds(), SCAN_S, enough)
        found += [one for one in heard.seen.values() if any(_is(item, one) for item in mine)]
    return found


def _is(item: Bluetooth, device: Known | Seen) -> bool:
    if item.address is not None:
        return item.address.lower() == device.address.lower()
    return item.name == device.name
