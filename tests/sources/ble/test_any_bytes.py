"""Whatever a device sends is records or the typed error."""

import asyncio
import math
import struct
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diastole.edge.sources.ble import colmi, hrs, info, pmd
from diastole.edge.sources.ble.kinds import KINDS
from diastole.edge.sources.ble.protocol import Driver, Heard, Refused, Undecodable
from tests.sources.ble.sensor import device

ANYTHING = st.binary(max_size=64)
LIKE_PMD = st.builds(
    lambda kind, stamp, frame, body: struct.pack("<BQB", kind, stamp, frame) + body,
    st.sampled_from([0, 2, 3, 0x42, 0xFF]),
    st.integers(0, 2**64 - 1),
    st.sampled_from([0, 1, 2, 3, 0x80, 0x81, 0xFF]),
    st.binary(max_size=240),
)
LIKE_CONTROL = st.builds(
    lambda head, rest: bytes([head]) + rest, st.sampled_from([0xF0, 0x0F, 0x01]), ANYTHING
)
LIKE_RING = st.binary(min_size=15, max_size=15).map(lambda b: b + bytes([sum(b) & 0xFF]))
PACKETS = ANYTHING | LIKE_PMD | LIKE_CONTROL | LIKE_RING
CHARS = (hrs.MEASUREMENT, pmd.CONTROL, pmd.DATA, colmi.NOTIFY, "elsewhere")


def told(driver: Driver, char: str, data: bytes) -> Heard | None:
    """Return what a packet says; None where it was refused, with a reason that can be counted."""
    try:
        return driver.packet(char, data, 1.0)
    except Undecodable as error:
        refused = error
    assert refused.reason in set(Refused)
    return None


def measuring() -> Driver:
    """Return a Polar driver that has asked for all it can."""
    link, driver = device(pmd.PPI, pmd.ACC)
    asyncio.run(driver.start(link))
    return driver


@pytest.mark.parametrize("driver", [*(kind.driver for kind in KINDS), measuring])
@given(sent=st.lists(st.tuples(st.sampled_from(CHARS), PACKETS), max_size=8))
def test_any_bytes_are_records_or_the_typed_error(
    driver: Callable[[], Driver], sent: list[tuple[str, bytes]]
) -> None:
    linked = driver()
    for char, data in sent:
        heard = told(linked, char, data)
        if heard is None:
            continue
        assert heard.hr_bpm is None or 0 < heard.hr_bpm <= 0xFFFF
        assert heard.battery_pct is None or 0 <= heard.battery_pct <= 100
        assert set(heard.refused) <= set(Refused)
        unlikely = sum(not interval.likely for interval in heard.intervals)
        assert heard.refused.count(Refused.INTERVAL) == unlikely
        assert len({interval.per_s for interval in heard.intervals}) <= 1


@given(data=LIKE_PMD)
def test_any_frame_is_decoded_to_as_much_as_it_can_hold(data: bytes) -> None:
    try:
        frame = pmd.decode(data)
    except Undecodable:
        return
    if isinstance(frame, pmd.Acc):
        assert frame.xyz.shape[1:] == (3,)
        assert 0 < len(frame.xyz) <= pmd.LONGEST
        assert np.isfinite(frame.in_mg(1.0)).all()
    elif isinstance(frame, pmd.Ppi):
        assert 6 * len(frame.samples) + frame.odd_bytes + 10 == len(data)


@given(data=ANYTHING)
def test_any_settings_are_values_or_the_typed_error(data: bytes) -> None:
    try:
        offered = pmd.settings(data)
    except Undecodable:
        return
    command = pmd.command(pmd.START, pmd.ACC, pmd.chosen(offered, {}))
    again = pmd.settings(command[2:])
    kept = {name: (min(v),) for name, v in offered.items() if v and name != "factor"}
    assert again == kept


@given(data=ANYTHING)
def test_any_text_of_a_device_can_be_printed(data: bytes) -> None:
    assert info.text(data).isprintable()


@st.composite
def measurements(draw: st.DrawFn) -> tuple[bytes, hrs.Measurement]:
    """Draw a packet, and what it says, by the layout of the service."""
    wide = draw(st.booleans())
    rate = draw(st.integers(0, 0xFFFF if wide else 0xFF))
    contact = draw(st.none() | st.booleans())
    energy = draw(st.none() | st.integers(0, 0xFFFF))
    intervals = draw(st.lists(st.integers(0, 0xFFFF), max_size=20))
    flags = wide | (0 if contact is None else 4 | contact << 1)
    flags |= (energy is not None) << 3 | bool(intervals) << 4 | draw(st.integers(0, 7)) << 5
    data = struct.pack("<BH" if wide else "<BB", flags, rate)
    data += b"" if energy is None else struct.pack("<H", energy)
    data += struct.pack(f"<{len(intervals)}H", *intervals)
    sent = hrs.Measurement(
        hr_bpm=rate, contact=contact, energy_kj=energy, rr_1024=tuple(intervals), odd_bytes=0
    )
    return data, sent


@given(packet=measurements())
def test_every_measurement_is_read_back(packet: tuple[bytes, hrs.Measurement]) -> None:
    data, sent = packet
    assert hrs.decode(data) == sent


@given(
    first=st.tuples(*[st.integers(-(2**15), 2**15 - 1)] * 3),
    blocks=st.lists(
        st.integers(1, 16).flatmap(
            lambda bits: st.tuples(
                st.just(bits),
                st.lists(
                    st.tuples(*[st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)] * 3),
                    max_size=12,
                ),
            )
        ),
        max_size=4,
    ),
)
def test_every_compressed_frame_is_read_back(
    first: tuple[int, int, int], blocks: list[tuple[int, list[tuple[int, int, int]]]]
) -> None:
    data = struct.pack("<BQB3h", pmd.ACC, 1, 0x81, *first)
    steps = [first]
    for bits, rows in blocks:
        packed = 0
        for place, step in enumerate(value for row in rows for value in row):
            packed |= (step & (1 << bits) - 1) << bits * place
        size = math.ceil(bits * 3 * len(rows) / 8)
        data += bytes([bits, len(rows)]) + packed.to_bytes(size, "little")
        steps += rows
    frame = pmd.decode(data)
    assert isinstance(frame, pmd.Acc)
    assert frame.xyz.tolist() == np.cumsum(steps, axis=0).tolist()
