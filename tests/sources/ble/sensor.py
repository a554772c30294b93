"""A Polar sensor that answers its control point, without a radio."""

import struct

from diastole.edge.sources.ble import hrs, pmd, polar
from tests.sources.ble.linked import Linked

OFFERED = bytes.fromhex("0004 1900 3200 6400 c800 0101 1000 0203 0200 0400 0800")
"""Settings of acceleration, as a strap has them."""


def features(*measurements: int) -> bytes:
    return bytes([0x0F, sum(1 << m for m in measurements), 0]) + bytes(14)


def device(
    *measurements: int, factor: float = 1.0, deaf: bool = False, status: int = 0
) -> tuple[Linked, polar.PolarDriver]:
    def answer(_char: str, data: bytes) -> list[tuple[str, bytes]]:
        if deaf:
            return []
        head = bytes([0xF0, data[0], data[1]])
        if data == b"\x01\x02":  # in two replies, as long ones come
            return [
                (pmd.CONTROL, head + b"\0\1" + OFFERED[:7]),
                (pmd.CONTROL, head + b"\0\0" + OFFERED[7:]),
            ]
        if data[0] == pmd.START and data[1] == pmd.ACC and not status:
            return [(pmd.CONTROL, head + b"\0\0" + struct.pack("<BBf", 5, 1, factor))]
        return [(pmd.CONTROL, head + bytes([status, 0]))]

    link = Linked(
        {hrs.MEASUREMENT: None, pmd.CONTROL: features(*measurements), pmd.DATA: None}, answer
    )
    driver = link.driver = polar.PolarDriver()
    return link, driver
