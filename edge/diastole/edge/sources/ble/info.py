"""What a device says of itself: the Battery (0x180F) and Device Information (0x180A) services."""

from typing import Final

import msgspec

from diastole.edge.sources.ble.protocol import (
    Heard,
    Link,
    LinkError,
    Refused,
    Undecodable,
    uuid16,
)

BATTERY_LEVEL: Final = uuid16(0x2A19)
TEXTS: Final = {
    "maker": uuid16(0x2A29),
    "model": uuid16(0x2A24),
    "firmware": uuid16(0x2A26),
    "hardware": uuid16(0x2A27),
    "software": uuid16(0x2A28),
}
"""The serial number is not asked for: devices go by pseudonyms."""


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """What a device told of itself; None: nothing."""

    maker: str | None = None
    model: str | None = None
    firmware: str | None = None
    hardware: str | None = None
    software: str | None = None
    battery_pct: int | None = None
    refused: tuple[str, ...] = ()
    """A reason for each value that was left out."""


def battery(data: bytes) -> int:
    """Return a Battery Level in percent; raise Undecodable."""
    if not data:
        raise Undecodable(Refused.CUT, data)
    if data[0] > 100:
        raise Undecodable(Refused.BATTERY, data)
    return data[0]


def text(data: bytes) -> str:
    """Return a text as it can be printed, on one line."""
    told = data.decode("utf-8", "replace")
    return "".join(c for c in told if c.isprintable()).strip()


def packet(data: bytes) -> Heard:
    """Decode a Battery Level that the device notified; raise Undecodable."""
    return Heard(battery_pct=battery(data))


async def ask(link: Link) -> Described:
    """Read what the device has of it, before anything is subscribed to; never fails."""
    told: dict[str, str] = {}
    battery_pct: int | None = None
    refused: list[str] = []
    for name, char in {"battery": BATTERY_LEVEL, **TEXTS}.items():
        if char not in link.chars:
            continue
        try:
            data = await link.read(char)
            if name == "battery":
                battery_pct = battery(data)
            elif said := text(data):
                told[name] = said
        except Undecodable as error:
            refused.append(error.reason)
        except LinkError as error:
            if error.att is None:  # the link itself: the rest would fail, too
                break
    return Described(battery_pct=battery_pct, refused=tuple(refused), **told)
