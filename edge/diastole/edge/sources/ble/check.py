"""What a device protocol promises, run on one captured session: the contract of a new one."""

import asyncio
import random
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import numpy as np

from diastole.edge.chunks import Chunk, join
from diastole.edge.formats.check import check_order, equal, hold
from diastole.edge.records import SECOND_NS, BreakReason
from diastole.edge.sources.ble import info
from diastole.edge.sources.ble.captured import Device, Packet, Player, read, spread
from diastole.edge.sources.ble.kinds import COMMON, KINDS, SPECIAL
from diastole.edge.sources.ble.placing import Placing
from diastole.edge.sources.ble.protocol import (
    Driver,
    Given,
    Gives,
    Heard,
    Kind,
    Undecodable,
    kind_of,
)

NAME: Final = re.compile(r"[a-z][a-z0-9_]*\Z")
"""Of a kind, and of a reason: both stand in settings and in fields of a store."""
DEVICE: Final = "device"
CUTS: Final = 12
"""At so many places at most the session is cut in two, and a packet short."""
LEAD_S: Final = 1.0
"""The link is there so long before the first packet."""


def check_source(kind: Kind, session_path: Path) -> None:
    """Raise AssertionError with a sentence where ``kind`` breaks its contract on the session.

    A kind recognises its device, gives records of it and the same twice, keeps to the silences that
    it announced, starts and stops in bounded time; and whatever comes, the session cut anywhere,
    packets cut, doubled or of other bytes, its driver gives what can be, or raises Undecodable, and
    times rise. Raises BadFile where the session cannot be read; layout: ``captured``.
    """
    device, packets = read(session_path)
    _check_kind(kind, device)
    chunks = _records(kind, device, packets, true=True)
    whole = join(chunks)
    beats, rates = len(whole.beats), len(whole.heart_rates)
    hold(beats + rates + len(whole.motions) > 0, "it gives no record of its session")
    hold(
        kind.gives is not Gives.BEATS or beats > 0,
        "it says that it gives intervals, and gives none",
    )
    hold(
        kind.gives is not Gives.HEART_RATE or not beats,
        "it says that it gives no intervals, and gives some",
    )
    again = _records(kind, device, packets, true=True)
    same = len(again) == len(chunks) and all(map(equal, chunks, again))
    hold(same, "played twice it gives other records: a driver of an earlier link is remembered")
    for bad in (_doubled(packets), _short(packets), _garbage(packets)):
        _records(kind, device, list(bad))
    for at in spread(len(packets), CUTS):
        for part in (packets[:at], packets[at:]):
            if part:
                _records(kind, device, part)


def _check_kind(kind: Kind, device: Device) -> None:
    hold(bool(NAME.match(kind.name)), f"its name {kind.name!r} is not of a-z, 0-9 and _")
    lower = all(uuid == uuid.lower() and len(uuid) == 36 for uuid in kind.services)
    hold(lower, "its services are no whole UUIDs in lower case")
    asked = KINDS if kind in KINDS else (*SPECIAL, kind, *COMMON)
    found = kind_of(device.services, device.name, asked)
    taken = "no kind" if found is None else found.name
    hold(found is kind, f"it does not recognise its device: {taken} does")
    driver = kind.driver()
    hold(driver is not kind.driver(), "its links share one driver")
    watched = driver.watched
    hold(bool(watched), "its driver watches nothing")
    hold(all(uuid == uuid.lower() for uuid in watched), "it watches UUIDs that are not lower case")
    has = {char.lower() for char in device.chars}
    hold(bool(has & set(watched)), "the device has nothing of what its driver watches")


def _records(
    kind: Kind, device: Device, packets: list[Packet], *, true: bool = False
) -> list[Chunk]:
    """Play a session and return its records; hold what holds of any, ``true`` ones or not."""
    return asyncio.run(_played(kind.driver(), device, packets, true=true))


async def _played(
    driver: Driver, device: Device, packets: list[Packet], *, true: bool
) -> list[Chunk]:
    last_s = packets[0].arrival - LEAD_S
    player, given = Player(device, driver, last_s), Given(driver)
    placing = Placing(DEVICE, round(last_s * SECOND_NS))
    placing.begin(round(last_s * SECOND_NS))
    chunks: list[Chunk] = []
    per_s: set[int] = set()
    for packet in packets:
        if true:
            silent_s = packet.arrival - last_s
            what = f"it was silent for {silent_s:.1f} s, over its driver's {driver.quiet_s:g}"
            hold(silent_s <= driver.quiet_s, what)
        if packet.arrival > last_s:
            await player.move(packet.arrival)
        last_s = packet.arrival
        heard = _heard(driver, packet)
        per_s |= {interval.per_s for interval in heard.intervals}
        placing.heard(heard, round(last_s * SECOND_NS), given.add(heard, last_s))
        chunks.append(placing.cut())
    hold(
        not true or len(per_s) <= 1,
        f"its intervals are counted in several ticks: {sorted(per_s)} a second",
    )
    hold(await player.end(), "its driver does not start or stop in bounded time")
    hold(not true or player.ended_by is None, f"the session ends its driver: {player.ended_by}")
    placing.broke(BreakReason.LINK_LOST)
    chunks.append(placing.cut())
    _check_times(chunks)
    return chunks


def _heard(driver: Driver, packet: Packet) -> Heard:
    """Hand a packet in, and hold that what comes of it is a record or the typed error."""
    if packet.uuid == info.BATTERY_LEVEL and packet.uuid not in driver.watched:
        return Heard()  # taken in for every device
    what = f"{packet.hex or 'no bytes'} on {packet.uuid}"
    try:
        heard = driver.packet(packet.uuid, packet.data, packet.arrival)
    except Undecodable as error:
        hold(bool(NAME.match(error.reason)), f"{error.reason!r} is no name of a reason ({what})")
        return Heard()
    except Exception as error:
        message = f"it raises {error!r} on {what}"
        raise AssertionError(message) from error
    hold(isinstance(heard, Heard), f"it gives no Heard on {what}")
    hold(_can_be(heard), f"it gives what cannot be on {what}: {heard}")
    return heard


def _can_be(heard: Heard) -> bool:
    moved = heard.acceleration
    return (
        (heard.hr_bpm is None or 0 < heard.hr_bpm <= 0xFFFF)
        and (heard.battery_pct is None or 0 <= heard.battery_pct <= 100)
        and all(i.ticks >= 0 and i.per_s > 0 for i in heard.intervals)
        and all(NAME.match(reason) for reason in heard.refused)
        and (
            moved is None
            or (
                moved.rate_hz > 0
                and moved.xyz_mg.shape == (len(moved.xyz_mg), 3)
                and bool(np.isfinite(moved.xyz_mg).all())
            )
        )
    )


def _check_times(chunks: list[Chunk]) -> None:
    check_order(chunks)
    whole = join(chunks)
    hold(set(whole.devices) <= {DEVICE}, "it gives records of another device")
    for rows in (whole.beats, whole.heart_rates, whole.motions):
        hold(bool((np.diff(rows["time_ns"]) > 0).all()), "two of its records have one time")


def _doubled(packets: Iterable[Packet]) -> Iterator[Packet]:
    for packet in packets:
        yield from (packet, packet)


def _short(packets: Iterable[Packet]) -> Iterator[Packet]:
    """Give each packet cut short, too."""
    for packet in packets:
        for length in spread(len(packet.data), CUTS):
            yield _like(packet, packet.data[:length])
        yield packet


def _garbage(packets: Iterable[Packet]) -> Iterator[Packet]:
    """Give other bytes beside each packet: chance, one bit of it turned, elsewhere."""
    chance = random.Random(0)
    for packet in packets:
        data = packet.data
        yield _like(packet, chance.randbytes(chance.randrange(len(data) + 8)))
        if data:
            bit = chance.randrange(8 * len(data))
            turned = int.from_bytes(data, "big") ^ (1 << bit)
            yield _like(packet, turned.to_bytes(len(data), "big"))
        yield Packet(uuid=info.TEXTS["model"], hex=packet.hex, arrival=packet.arrival)
        yield packet


def _like(packet: Packet, data: bytes) -> Packet:
    return Packet(uuid=packet.uuid, hex=data.hex(), arrival=packet.arrival)
