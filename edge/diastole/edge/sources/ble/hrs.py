"""The Heart Rate Service (0x180D), version 1.0: straps, armbands, watches that broadcast."""

import struct
from contextlib import suppress
from typing import Final

import msgspec

from diastole.edge.records import BeatKind
from diastole.edge.sources.ble.protocol import (
    Heard,
    Interval,
    Kind,
    Link,
    LinkError,
    Refused,
    Undecodable,
    counted,
    uuid16,
)

SERVICE: Final = uuid16(0x180D)
MEASUREMENT: Final = uuid16(0x2A37)
LOCATION: Final = uuid16(0x2A38)
LOCATIONS: Final = ("other", "chest", "wrist", "finger", "hand", "ear_lobe", "foot")
OPTICAL: Final = LOCATIONS[2:]
"""Places where no heart's current is felt: what comes from there are pulse intervals."""
TICKS_PER_S: Final = 1024
QUIET_S: Final = 10.0
"""A packet comes each second, also one without beats."""
BEATS_WITHIN_S: Final = 30.0

_WIDE, _TOUCHING, _FEELS, _ENERGY, _INTERVALS = (1 << bit for bit in range(5))


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """One packet as it was sent."""

    hr_bpm: int
    """0: no reading."""
    contact: bool | None
    """None: the device does not feel for skin."""
    energy_kj: int | None
    rr_1024: tuple[int, ...]
    """Intervals in 1/1024 s, oldest first."""
    odd_bytes: int
    """Left over at the end."""


def decode(data: bytes) -> Measurement:
    """Return what a Heart Rate Measurement says; raise Undecodable where it is cut short."""
    try:
        flags = data[0]
        (hr_bpm,) = struct.unpack_from("<H" if flags & _WIDE else "<B", data, 1)
        at = 3 if flags & _WIDE else 2
        energy_kj: int | None = None
        if flags & _ENERGY:
            (energy_kj,) = struct.unpack_from("<H", data, at)
            at += 2
    except (IndexError, struct.error):
        raise Undecodable(Refused.CUT, data) from None
    n, odd = divmod(len(data) - at, 2) if flags & _INTERVALS else (0, 0)
    return Measurement(
        hr_bpm=hr_bpm,
        contact=bool(flags & _TOUCHING) if flags & _FEELS else None,
        energy_kj=energy_kj,
        rr_1024=struct.unpack_from(f"<{n}H", data, at),
        odd_bytes=odd,
    )


def location(data: bytes) -> str:
    """Return where the sensor is meant to be worn; raise Undecodable."""
    if not data:
        raise Undecodable(Refused.CUT, data)
    if data[0] >= len(LOCATIONS):
        raise Undecodable(Refused.UNKNOWN, data)
    return LOCATIONS[data[0]]


class HeartRateDriver:
    """Listens; such a device sends by itself."""

    watched = (MEASUREMENT,)
    quiet_s = QUIET_S
    beats_within_s = BEATS_WITHIN_S

    def __init__(self) -> None:
        self._kind = BeatKind.RR

    async def start(self, link: Link) -> None:
        """Ask where it is worn: an optical sensor's intervals are not between R peaks."""
        if LOCATION in link.chars:
            with suppress(LinkError, Undecodable):  # many do not say
                optical = location(await link.read(LOCATION)) in OPTICAL
                self._kind = BeatKind.PPI if optical else BeatKind.RR

    async def tick(self, link: Link) -> None:
        """Do nothing."""

    def packet(self, char: str, data: bytes, arrived_s: float) -> Heard:
        """Decode a measurement."""
        if char != MEASUREMENT:
            raise Undecodable(Refused.UNKNOWN, data)
        sent = decode(data)
        intervals = tuple(
            Interval(ticks=n, per_s=TICKS_PER_S, kind=self._kind, contact=sent.contact)
            for n in sent.rr_1024
        )
        return Heard(
            hr_bpm=sent.hr_bpm or None,
            contact=sent.contact,
            intervals=intervals,
            refused=(*counted(intervals), *(Refused.ODD_BYTE,) * sent.odd_bytes),
        )

    async def stop(self, link: Link) -> None:
        """Do nothing."""


KIND: Final = Kind(name="heart_rate_service", services=frozenset({SERVICE}), driver=HeartRateDriver)
