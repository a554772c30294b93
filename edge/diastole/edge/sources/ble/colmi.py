"""COLMI rings R02 to R10: a heart rate while asked for, and the battery; never an interval.

Packets have 16 bytes: command, 14 of payload, the sum of the rest. An answer repeats the command,
with bit 7 set where the ring refuses. Layout: the open clients colmi_r02_client and Gadgetbridge.
"""

import re
from typing import Final

import msgspec

from diastole.edge.sources.ble import info
from diastole.edge.sources.ble.protocol import Gives, Heard, Kind, Link, Refused, Undecodable

SERVICE: Final = "6e40fff0-b5a3-f393-e0a9-e50e24dcca9e"
WRITE: Final = "6e400002-b5a3-f393-e0a9-e50e24dcca9e"
NOTIFY: Final = "6e400003-b5a3-f393-e0a9-e50e24dcca9e"

_SET_TIME, _BATTERY, _KEEP, _START, _STOP, _TOLD = 0x01, 0x03, 0x1E, 0x69, 0x6A, 0x73
_ASKED: Final = (_SET_TIME, _BATTERY, _KEEP, _START, _STOP)
_HEART_RATE: Final = 1
_TOLD_BATTERY: Final = 0x0C
_NOT_WORN: Final = 1

SETTLE_S: Final = 2.0
"""It wants to be left alone for so long after linking."""
RESTART_S: Final = 10.0
"""It falls silent by itself at times: asked again."""
QUIET_S: Final = 15.0
KEEP_S: Final = 20.0
BATTERY_S: Final = 600.0


class Packet(msgspec.Struct, frozen=True, kw_only=True):
    """One packet; ``command`` without the bit that says ``failed``."""

    command: int
    failed: bool
    payload: bytes


def decode(data: bytes) -> Packet:
    """Return a whole packet; raise Undecodable."""
    if len(data) != 16:
        raise Undecodable(Refused.CUT, data)
    if sum(data[:15]) & 0xFF != data[15]:
        raise Undecodable(Refused.CHECKSUM, data)
    failed = data[0] & 0x80 != 0 and data[0] & 0x7F in _ASKED  # others have commands up there
    command = data[0] & 0x7F if failed else data[0]
    return Packet(command=command, failed=failed, payload=data[1:15])


def encode(command: int, *payload: int) -> bytes:
    """Return a packet to send."""
    sent = bytes([command, *payload]).ljust(15, b"\0")
    return sent + bytes([sum(sent) & 0xFF])


ASK_BATTERY: Final = encode(_BATTERY)
START: Final = encode(_START, _HEART_RATE, 1)
KEEP: Final = encode(_KEEP, ord("3"))
STOP: Final = encode(_STOP, _HEART_RATE)


class ColmiDriver:
    """Asks for the heart rate, and again where it does not come."""

    watched = (NOTIFY,)
    quiet_s = QUIET_S
    beats_within_s = 0.0

    def __init__(self) -> None:
        self._rate_s = self._kept_s = self._battery_s = 0.0

    async def start(self, link: Link) -> None:
        """Let it settle, and ask."""
        await link.clock.sleep(SETTLE_S)
        await link.write(WRITE, ASK_BATTERY, response=False)
        await link.write(WRITE, START, response=False)
        self._rate_s = self._kept_s = self._battery_s = link.clock.monotonic()

    async def tick(self, link: Link) -> None:
        """Keep the heart rate coming."""
        now_s = link.clock.monotonic()
        if now_s - self._rate_s >= RESTART_S:
            self._rate_s = self._kept_s = now_s
            await link.write(WRITE, START, response=False)
        elif now_s - self._kept_s >= KEEP_S:
            self._kept_s = now_s
            await link.write(WRITE, KEEP, response=False)
        if now_s - self._battery_s >= BATTERY_S:
            self._battery_s = now_s
            await link.write(WRITE, ASK_BATTERY, response=False)

    def packet(self, char: str, data: bytes, arrived_s: float) -> Heard:
        """Decode what the ring says."""
        if char != NOTIFY:
            raise Undecodable(Refused.UNKNOWN, data)
        packet = decode(data)
        said = packet.payload
        if packet.failed:
            return Heard(refused=(Refused.DECLINED,))
        if packet.command == _START and said[0] == _HEART_RATE:
            self._rate_s = arrived_s
            return _rate(error=said[1], value=said[2])
        if packet.command == _BATTERY:
            return info.packet(said[:1])
        if packet.command == _TOLD and said[0] == _TOLD_BATTERY:
            return info.packet(said[1:2])
        known = packet.command in (*_ASKED, _TOLD)
        return Heard() if known else Heard(refused=(Refused.UNKNOWN,))

    async def stop(self, link: Link) -> None:
        """Let its light go out."""
        await link.write(WRITE, STOP, response=False)


def _rate(*, error: int, value: int) -> Heard:
    if error == _NOT_WORN:
        return Heard(contact=False)
    if error or not value:  # still settling
        return Heard()
    return Heard(hr_bpm=value, contact=True)


KIND: Final = Kind(
    name="colmi",
    services=frozenset({SERVICE}),
    names=re.compile(r"(COLMI )?R\d\d_"),
    gives=Gives.HEART_RATE,
    driver=ColmiDriver,
)
