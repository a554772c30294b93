"""What a device says of itself: the Battery (0x180F) and Device Information (0x180A) services."""

from typing import Final

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
LONGEST: Final = 64


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
    return "".join(c for c in told if c.isprintable()).strip()[:LONGEST]


def packet(data: bytes) -> Heard:
    """Decode a Battery Level that the device notified; raise Undecodable."""
    return Heard(battery_pct=battery(data))


async def level(link: Link) -> Heard:
    """Read the battery, if the device tells of it; never fails."""
    try:
        return packet(await link.read(BATTERY_LEVEL)) if BATTERY_LEVEL in link.chars else Heard()
    except Undecodable as error:
        return Heard(refused=(error.reason,))
    except LinkError:
        return Heard()


async def described(link: Link) -> dict[str, str]:
    """Read what the device tells of itself, of ``TEXTS``; never fails."""
    told: dict[str, str] = {}
    for name, char in TEXTS.items():
        if char not in link.chars:
            continue
        try:
            said = text(await link.read(char))
        except LinkError as error:
            if error.att is None:  # the link itself: the rest would fail, too
                break
        else:
            told |= {name: said} if said else {}
    return told
