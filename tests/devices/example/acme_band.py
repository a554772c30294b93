"""The Acme Band, which does not exist: a device protocol of another package, whole.

It sends once it was told to: a byte of flags (bit 0: worn), a heart rate, then pulse intervals of
two bytes each, in milliseconds.
"""

import struct

from diastole.edge.records import BeatKind
from diastole.edge.sources.ble.protocol import (
    Gives,
    Heard,
    Interval,
    Kind,
    Link,
    Refused,
    Undecodable,
    counted,
)

SERVICE = "ac3e0001-7b1d-4c5e-9d2a-0123456789ab"
COMMAND = "ac3e0002-7b1d-4c5e-9d2a-0123456789ab"
PULSE = "ac3e0003-7b1d-4c5e-9d2a-0123456789ab"
START, STOP = b"\x01", b"\x00"


def decode(data: bytes) -> tuple[bool, int, tuple[int, ...]]:
    """Return whether it is worn, the heart rate, and the intervals in milliseconds."""
    if len(data) < 2 or len(data) % 2:
        raise Undecodable(Refused.CUT, data)
    return bool(data[0] & 1), data[1], struct.unpack(f"<{len(data) // 2 - 1}H", data[2:])


class BandDriver:
    """One link with a band."""

    watched = (PULSE,)
    quiet_s = 10.0
    beats_within_s = 30.0

    async def start(self, link: Link) -> None:
        """Tell it to send."""
        await link.write(COMMAND, START, response=True)

    async def tick(self, link: Link) -> None:
        """Do nothing: it goes on by itself."""

    def packet(self, char: str, data: bytes, arrived_s: float) -> Heard:
        """Decode what it sends."""
        if char != PULSE:
            raise Undecodable(Refused.UNKNOWN, data)
        worn, hr_bpm, pulses_ms = decode(data)
        intervals = tuple(
            Interval(ticks=ms, per_s=1000, kind=BeatKind.PPI, contact=worn) for ms in pulses_ms
        )
        return Heard(
            hr_bpm=hr_bpm or None, contact=worn, intervals=intervals, refused=counted(intervals)
        )

    async def stop(self, link: Link) -> None:
        """Tell it to rest."""
        await link.write(COMMAND, STOP, response=True)


KIND = Kind(
    name="acme_band",
    services=frozenset({SERVICE}),
    gives=Gives.BEATS,
    driver=BandDriver,
)
