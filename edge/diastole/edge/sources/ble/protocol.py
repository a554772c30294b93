"""What a device protocol is: recognised by what a device offers, asked to send, and decoded.

A ``Kind`` recognises a device; its ``Driver`` lives as long as one link. The supervisor links,
subscribes to what the driver watches, calls ``start``, hands it every packet and calls ``tick``
about once a second; before it lets go it calls ``stop``. A driver knows neither radio nor subject,
and gives intervals without time: the beat clock places them.
"""

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

import msgspec

from diastole.edge.chunks import Floats
from diastole.edge.clock import Clock
from diastole.edge.errors import DiastoleError
from diastole.edge.records import BeatKind

LIKELY_MS: Final = (200.0, 3000.0)
"""A beat interval outside this is none."""
_BLUETOOTH_BASE: Final = "0000{:04x}-0000-1000-8000-00805f9b34fb"


def uuid16(number: int) -> str:
    """Return the whole UUID of an assigned number."""
    return _BLUETOOTH_BASE.format(number)


class Refused(StrEnum):
    """Why a packet, or something in it, is left out."""

    CUT = "packet_cut"
    """Shorter than its own flags or counts say."""
    CHECKSUM = "bad_checksum"
    UNKNOWN = "unknown_packet"
    """Of a type that this protocol does not know, or on a characteristic that it does not watch."""
    ODD_BYTE = "odd_byte"
    """Half an interval at the end of a packet."""
    INTERVAL = "unlikely_interval"
    """An interval of 0, or outside ``LIKELY_MS``."""
    BATTERY = "battery_range"
    """A battery of more than 100 %."""
    DECLINED = "device_declined"
    """The device answered a command with an error, or not at all."""
    OVERFULL = "overfull"
    """More beats than there was time for."""
    SECOND = "second_source"
    """An interval of beats that the device gives in a better way, too."""


class Undecodable(DiastoleError, ValueError):
    """A packet that cannot be what it should be."""

    def __init__(self, reason: str, data: bytes) -> None:
        self.reason = reason
        """What it is counted as."""
        super().__init__(f"{reason}: {data.hex() or 'no bytes'}")


class LinkError(DiastoleError):
    """A read or write of a link that failed; ``att`` where the device itself answered so."""

    def __init__(self, what: str, att: int | None = None) -> None:
        self.att = att
        super().__init__(what)


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """A beat interval as it was sent; its beat is at its end, when that is stays open."""

    ticks: int
    per_s: int
    """Ticks a second: 1024 or 1000. A device's intervals all have the same."""
    kind: BeatKind
    error_ms: float | None = None
    contact: bool | None = None
    moving: bool | None = None

    @property
    def ms(self) -> float:
        """Return its length, exact."""
        return self.ticks * 1000 / self.per_s

    @property
    def likely(self) -> bool:
        """Whether it can be one beat's."""
        return LIKELY_MS[0] <= self.ms <= LIKELY_MS[1]


class Acceleration(msgspec.Struct, frozen=True, kw_only=True):
    """Consecutive samples of acceleration as one packet holds them."""

    rate_hz: float
    """As it was asked for; the device's own may be a little off."""
    xyz_mg: Floats
    """(n, 3)"""


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What one packet says."""

    hr_bpm: int | None = None
    """None: no reading."""
    contact: bool | None = None
    """Whether it is worn; None: not said."""
    intervals: tuple[Interval, ...] = ()
    """Oldest first, as sent: unlikely ones too, which are also counted in ``refused``."""
    acceleration: Acceleration | None = None
    battery_pct: int | None = None
    refused: tuple[str, ...] = ()
    """A reason for each thing that was left out."""


class Link(Protocol):
    """A linked device, as a driver sees it; ``read`` and ``write`` end in bounded time."""

    @property
    def clock(self) -> Clock:
        """Return the one clock."""
        ...

    @property
    def chars(self) -> Collection[str]:
        """UUIDs of the characteristics that the device has, in lower case."""
        ...

    async def read(self, char: str) -> bytes:
        """Return a characteristic's value; raise LinkError."""
        ...

    async def write(self, char: str, data: bytes, *, response: bool) -> None:
        """Write a characteristic, and wait for the device's word on it; raise LinkError."""
        ...


class Driver(Protocol):
    """One link's protocol. What a new kind of device needs."""

    @property
    def watched(self) -> tuple[str, ...]:
        """Characteristics to subscribe to, in this order, before ``start``; absent ones are not.

        A device that has none of them is none of this kind.
        """
        ...

    @property
    def quiet_s(self) -> float:
        """Seconds without any packet after which the link is dead; may change as packets come."""
        ...

    @property
    def beats_within_s(self) -> float:
        """A device that gives intervals gives one within so long of being worn."""
        ...

    async def start(self, link: Link) -> None:
        """Make the device send. Packets are handed in meanwhile, also those it waits for.

        Ends in bounded time where the link's reads and writes do; raises LinkError.
        """
        ...

    async def tick(self, link: Link) -> None:
        """Do what is due once it is started: keep it sending, begin again; as ``start`` else."""
        ...

    def packet(self, char: str, data: bytes, arrived_s: float) -> Heard:
        """Decode what came at ``arrived_s`` (monotonic); raise Undecodable, and nothing else."""
        ...

    async def stop(self, link: Link) -> None:
        """Make the device stop sending; as ``start`` else."""
        ...


class Gives(StrEnum):
    """What a device gives."""

    UNKNOWN = "unknown"
    """Not worn long enough to tell."""
    BEATS = "beats"
    HEART_RATE = "heart_rate"
    """A heart rate and no intervals: no variability, ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of device: how it is recognised, and what drives it."""

    name: str
    """As ``kind`` in agent.toml."""
    services: frozenset[str]
    """Any of them makes it this kind."""
    names: re.Pattern[str] | None = None
    """Matches a name that makes it this kind where its services say nothing."""
    gives: Gives = Gives.UNKNOWN
    """What can be said before it was worn."""
    driver: Callable[[], Driver]
    """Makes one for each link."""


def kind_of(services: Iterable[str], name: str | None, kinds: Iterable[Kind]) -> Kind | None:
    """Return the first kind by service, else the first by name.

    While scanning ``services`` are those that are advertised; once linked, all that the device has
    decide again.
    """
    has = {uuid.lower() for uuid in services}
    known = tuple(kinds)
    for kind in known:
        if kind.services & has:
            return kind
    for kind in known:
        if name and kind.names is not None and kind.names.match(name):
            return kind
    return None


class Given:
    """What a linked device gives, by what arrives."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._worn_s: float | None = None
        self.gives = Gives.UNKNOWN

    def add(self, heard: Heard, arrived_s: float) -> Gives:
        """Return what it gives after one more packet; a late interval still makes it beats."""
        if any(i.likely and i.contact is not False for i in heard.intervals):
            self.gives = Gives.BEATS
        if heard.contact is False:
            self._worn_s = None
        elif self._worn_s is None and heard.hr_bpm is not None:
            self._worn_s = arrived_s
        if (
            self.gives is Gives.UNKNOWN
            and self._worn_s is not None
            and arrived_s - self._worn_s >= self._driver.beats_within_s
        ):
            self.gives = Gives.HEART_RATE
        return self.gives


def counted(intervals: Iterable[Interval]) -> tuple[str, ...]:
    """Return the reason for each interval that is none."""
    return tuple(Refused.INTERVAL for interval in intervals if not interval.likely)
