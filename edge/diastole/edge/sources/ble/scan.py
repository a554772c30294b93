"""``diastole scan``: which devices are in reach, and what each can give, and never will."""

import asyncio
import re
from argparse import Namespace
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from diastole.edge.clock import Clock, SystemClock
from diastole.edge.errors import InputError
from diastole.edge.sources.ble.adapter import Adapter, Seen
from diastole.edge.sources.ble.kinds import kinds
from diastole.edge.sources.ble.protocol import Gives, Kind, kind_of
from diastole.edge.views.phrases import clean
from diastole.edge.views.words import GREY, ORANGE

FRAME_S: Final = 0.5
HINTS: Final = (
    (re.compile(r"Polar (H\d|Sense|OH1|360|Loop)|HRM-(Dual|Pro)|TICKR|TRACKR|Movesense"), "beats"),
    (
        re.compile(
            r"(?i)forerunner|fenix|instinct|venu|vivo|epix|amazfit|suunto|coros|pixel watch"
            r"|whoop|infinitime|(mi|xiaomi)( smart)? band"
        ),
        "heart_rate",
    ),
)
"""What devices of these names have been seen to give; what arrives decides."""
SERVICES: Final = {
    "0000180d": "heart rate",
    "0000180f": "battery",
    "0000180a": "information",
    "fb005c80": "Polar measurements",
    "6e40fff0": "COLMI ring",
}
GIVES_WORDS: Final = {
    Gives.BEATS: "yes",
    Gives.HEART_RATE: "no, heart rate only",
    Gives.UNKNOWN: "told 30 s after it is put on",
}
NEVER_WORDS: Final = {
    Gives.BEATS: "",
    Gives.HEART_RATE: "variability: no RMSSD, ever",
    Gives.UNKNOWN: "variability, if no interval comes",
}


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A device in reach."""

    address: str
    name: str | None
    rssi_dbm: int | None
    """None: linked with this machine, and so not heard."""
    services: list[str]
    kind: str | None
    """By what it advertises, once linked all that it has decides; None: nothing can be taken."""
    intervals: Gives | None
    never: str


def found(seen: Seen, known: Sequence[Kind]) -> Found:
    """Return what can be said of a device before it is worn."""
    kind = kind_of(seen.services, seen.name, known)
    gives = None if kind is None else _gives(kind, seen.name)
    return Found(
        address=seen.address,
        name=None if seen.name is None else clean(seen.name),
        rssi_dbm=seen.rssi_dbm,
        services=sorted(SERVICES.get(uuid[:8], uuid) for uuid in seen.services),
        kind=None if kind is None else kind.name,
        intervals=gives,
        never="" if gives is None else NEVER_WORDS[gives],
    )


def _gives(kind: Kind, name: str | None) -> Gives:
    if kind.gives is not Gives.UNKNOWN:
        return kind.gives
    hint = next((told for names, told in HINTS if name and names.search(name)), Gives.UNKNOWN)
    return Gives(hint)


class Look:
    """What one scan has heard, the latest of each device."""

    def __init__(self) -> None:
        self.seen: dict[str, Seen] = {}

    def take(self, seen: Seen) -> None:
        """Take a device in; what it told before and leaves out this time still holds."""
        if (before := self.seen.get(seen.address)) is not None:
            seen = seen._replace(
                name=seen.name or before.name, services=seen.services | before.services
            )
        self.seen[seen.address] = seen

    def devices(self, known: Sequence[Kind]) -> list[Found]:
        """Return them, those of use first, the nearer ones before the others."""
        told = [found(seen, known) for seen in self.seen.values()]
        return sorted(told, key=lambda one: (one.kind is None, -(one.rssi_dbm or 0), one.address))


async def look(
    adapter: Adapter,
    clock: Clock,
    known: Sequence[Kind],
    seconds: float,
    shown: Callable[[Look], object],
) -> Look:
    """Scan for so long, or until ``shown``, given all that was heard so far, returns True."""
    heard = Look()
    services = frozenset[str]().union(*(kind.services for kind in known))
    end_s = clock.monotonic() + seconds
    with adapter.seeking(heard.take, services):
        while (left_s := end_s - clock.monotonic()) > 0:
            await clock.sleep(min(FRAME_S, left_s))
            if shown(heard) is True:
                break
    await adapter.settled()
    return heard


def scan(given: Namespace, console: Console) -> int:
    """Show what is in reach; return 1 where nothing of use is, raise InputError without a radio."""
    known = kinds()
    adapter_trouble, devices = asyncio.run(_scan(given, console, known))
    if adapter_trouble and not devices:
        what = f"Bluetooth cannot be used ({adapter_trouble})"
        raise InputError(what, "diastole doctor says why")
    if given.json:
        for one in devices:
            print(msgspec.json.encode(one).decode())
    elif not _live(console):
        console.print(drawn(devices))
    return 0 if any(one.kind for one in devices) else 1


async def _scan(
    given: Namespace, console: Console, known: Sequence[Kind]
) -> tuple[str | None, list[Found]]:
    clock = SystemClock()
    adapter = Adapter(given.adapter, clock)
    if given.json or not _live(console):
        heard = await look(adapter, clock, known, given.seconds, lambda _: None)
    else:
        with Live(console=console, auto_refresh=False) as live:
            heard = await look(
                adapter,
                clock,
                known,
                given.seconds,
                lambda so_far: live.update(drawn(so_far.devices(known)), refresh=True),
            )
    return adapter.trouble, heard.devices(known)


def _live(console: Console) -> bool:
    return console.is_terminal and not console.is_dumb_terminal


def drawn(devices: Iterable[Found]) -> Table:
    """Return the devices of use as a table; the others are counted under it."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for heading in ("name", "address", "signal", "services", "intervals", "never gives"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "address")  # to be copied
    others = 0
    for one in devices:
        if one.intervals is None:
            others += 1
            continue
        signal = "linked here" if one.rssi_dbm is None else f"{one.rssi_dbm} dBm"
        table.add_row(
            Text(one.name or "?"),
            one.address,
            signal,
            ", ".join(one.services),
            GIVES_WORDS[one.intervals],
            Text(one.never, ORANGE if one.intervals is Gives.HEART_RATE else GREY),
        )
    if not table.row_count:
        table.caption = "nothing of use is in reach: is it worn, is its broadcast on?"
    elif others:
        table.caption = f"and {others} that this version can take nothing from"
    table.caption_justify = "left"
    return table
