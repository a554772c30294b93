"""Write down what a device shows and sends, as ``check_source`` reads it.

``python -m diastole.edge.sources.ble.capture ADDRESS FILE --kind NAME [--seconds 60]``
"""

import argparse
import asyncio
import sys
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, Final

import msgspec

from diastole.edge.clock import Clock, SystemClock
from diastole.edge.errors import DiastoleError, InputError
from diastole.edge.sources.ble.adapter import Adapter, Seen
from diastole.edge.sources.ble.captured import Device, Packet
from diastole.edge.sources.ble.kinds import kinds
from diastole.edge.sources.ble.link import BleakLink
from diastole.edge.sources.ble.protocol import Kind, LinkError, uuid16
from diastole.edge.sources.ble.radio import Radio

FIND_S: Final = 60.0
TICK_S: Final = 1.0
SERIAL: Final = uuid16(0x2A25)
"""Is not asked for."""


async def capture(kind: Kind, address: str, seconds: float, clock: Clock) -> bytes:
    """Link with a device, let its driver run, and return the session; raise InputError."""
    adapter = Radio().adapter(None, clock)
    seen = await _found(kind, address, adapter, clock)
    packets: list[Packet] = []

    def took(char: str, data: bytes, arrived_s: float) -> None:
        packets.append(Packet(uuid=char, hex=data.hex(), arrival=round(arrived_s, 4)))

    link = BleakLink(seen, None, clock, took)
    try:
        async with adapter.lock:
            await link.connect()
        device = await _shown(link, seen)
        await _run(kind, link, seconds)
    except LinkError as error:
        raise InputError(str(error), "try again, nearer to the device") from error
    finally:
        await link.close()
    lines = [msgspec.json.encode(line) for line in (device, *packets)]
    return b"\n".join([*lines, b""])


async def _found(kind: Kind, address: str, adapter: Adapter, clock: Clock) -> Seen:
    def fits(seen: Seen) -> bool | None:
        return True if seen.address.lower() == address.lower() else None

    with adapter.seeking(fits, kind.services) as seeker:
        limit = asyncio.ensure_future(clock.sleep(FIND_S))
        either: set[asyncio.Future[Any]] = {seeker.found, limit}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        limit.cancel()
        if not seeker.found.done():
            what = f"no device with the address {address} was heard in {FIND_S:.0f} s"
            raise InputError(adapter.trouble or what, "wear it, and end other links with it")
        found = seeker.found.result()
    await adapter.settled()
    return found


async def _shown(link: BleakLink, seen: Seen) -> Device:
    values: dict[str, str | None] = {}
    for char in sorted(link.chars):
        values[char] = None if char == SERIAL else await _tried(link.read(char))
    return Device(name=seen.name, services=tuple(sorted(link.services)), chars=values)


async def _tried(read: Awaitable[bytes]) -> str | None:
    try:
        return (await read).hex()
    except LinkError:
        return None  # many cannot be read


async def _run(kind: Kind, link: BleakLink, seconds: float) -> None:
    driver = kind.driver()
    for char in driver.watched:
        if char in link.chars:
            await link.subscribe(char)
    await driver.start(link)
    end_s = link.clock.monotonic() + seconds
    while link.alive and link.clock.monotonic() < end_s:
        await link.clock.sleep(TICK_S)
        await driver.tick(link)
    await driver.stop(link)


def main() -> int:
    """Capture into a new file."""
    parser = argparse.ArgumentParser(description="Write down what a device shows and sends.")
    parser.add_argument("address", metavar="ADDRESS", help="as diastole scan tells it")
    parser.add_argument("file", metavar="FILE", type=Path)
    parser.add_argument("--kind", required=True, choices=[kind.name for kind in kinds()])
    parser.add_argument("--seconds", type=float, default=60.0)
    given = parser.parse_args()
    (kind,) = [kind for kind in kinds() if kind.name == given.kind]
    try:
        told = asyncio.run(capture(kind, given.address, given.seconds, SystemClock()))
        with given.file.open("xb") as out:
            out.write(told)
    except FileExistsError:
        print(f"{given.file} is there already: name another file", file=sys.stderr)
        return 2
    except DiastoleError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
