"""Straps, rings and what devices say of themselves; of Polar's own see test_polar."""

import asyncio

import pytest

from diastole.edge.records import BeatKind
from diastole.edge.sources.ble import colmi, hrs, info
from diastole.edge.sources.ble.protocol import Heard, LinkError, Refused, Undecodable
from tests.sources.ble.linked import ByHand, Linked


@pytest.mark.parametrize(
    ("worn", "kind"),
    [
        (b"\x01", BeatKind.RR),
        (b"\x00", BeatKind.RR),
        (b"\x02", BeatKind.PPI),
        (b"\x05", BeatKind.PPI),
        (b"", BeatKind.RR),
        (b"\x09", BeatKind.RR),
        (LinkError("not permitted", 2), BeatKind.RR),
        (LinkError("no answer in 5 s"), BeatKind.RR),
    ],
)
def test_intervals_of_an_optical_sensor_are_not_between_r_peaks(
    worn: bytes | LinkError, kind: BeatKind
) -> None:
    link = Linked({hrs.MEASUREMENT: None, hrs.LOCATION: worn})
    driver = hrs.HeartRateDriver()
    asyncio.run(driver.start(link))
    heard = driver.packet(hrs.MEASUREMENT, bytes.fromhex("1648 5203"), 0.0)
    (interval,) = heard.intervals
    assert interval.kind is kind
    assert interval.contact is True
    assert interval.ms == 850 * 1000 / 1024


def test_intervals_of_0_and_of_64_s_are_kept_as_sent_and_counted() -> None:
    data = bytes.fromhex("1048 5203 0000 ffff 4803")
    heard = hrs.HeartRateDriver().packet(hrs.MEASUREMENT, data, 0.0)
    assert [interval.ticks for interval in heard.intervals] == [850, 0, 65535, 840]
    assert heard.refused == (Refused.INTERVAL,) * 2


def test_more_intervals_than_20_bytes_hold_are_all_read() -> None:
    data = bytes.fromhex("1e48 1027") + b"\x52\x03" * 120
    heard = hrs.HeartRateDriver().packet(hrs.MEASUREMENT, data, 0.0)
    assert [interval.ticks for interval in heard.intervals] == [850] * 120
    assert heard.refused == ()


# ---- what a device says of itself


def test_a_device_tells_what_it_is() -> None:
    link = Linked(
        {
            info.BATTERY_LEVEL: b"\x57",
            info.TEXTS["maker"]: b"Polar Electro Oy",
            info.TEXTS["model"]: b"\0",
            info.TEXTS["firmware"]: b"3.1.1\0\0",
            info.TEXTS["hardware"]: LinkError("not permitted", 2),
            info.TEXTS["software"]: b"\xffA\nB",
        }
    )
    assert asyncio.run(info.level(link)) == Heard(battery_pct=87)
    assert asyncio.run(info.described(link)) == {
        "maker": "Polar Electro Oy",
        "firmware": "3.1.1",
        "software": "\N{REPLACEMENT CHARACTER}AB",
    }


def test_a_battery_of_255_is_refused_and_counted() -> None:
    link = Linked({info.BATTERY_LEVEL: b"\xff"})
    assert asyncio.run(info.level(link)) == Heard(refused=(Refused.BATTERY,))
    with pytest.raises(Undecodable, match=r"^battery_range: ff$"):
        info.packet(b"\xff")


def test_a_link_that_does_not_answer_is_not_asked_again() -> None:
    link = Linked(
        {
            info.BATTERY_LEVEL: LinkError("no answer in 5 s"),
            info.TEXTS["maker"]: LinkError("no answer in 5 s"),
            info.TEXTS["model"]: b"H6",
        }
    )
    assert asyncio.run(info.level(link)) == Heard()
    assert asyncio.run(info.described(link)) == {}


# ---- the ring


def ring() -> tuple[Linked, colmi.ColmiDriver]:
    link = Linked({colmi.WRITE: None, colmi.NOTIFY: None})
    driver = link.driver = colmi.ColmiDriver()
    return link, driver


async def started(link: Linked, driver: colmi.ColmiDriver) -> None:
    starting = asyncio.create_task(driver.start(link))
    await link.clock.move(1.9)
    assert link.written == []
    await link.clock.move(0.1)
    await starting
    assert link.written == [colmi.ASK_BATTERY, colmi.START]
    link.written.clear()


async def ticked(link: Linked, driver: colmi.ColmiDriver, seconds: int, *, rate: bool) -> None:
    for _ in range(seconds):
        await link.clock.move(1)
        if rate:
            link.send(colmi.NOTIFY, colmi.encode(0x69, 1, 0, 66))
        await driver.tick(link)


def test_a_ring_that_sends_is_kept_awake() -> None:
    async def life() -> None:
        link, driver = ring()
        await started(link, driver)
        await ticked(link, driver, 19, rate=True)
        assert link.written == []
        await ticked(link, driver, 1, rate=True)
        assert link.written == [colmi.KEEP]
        await ticked(link, driver, 580, rate=True)
        assert link.written == [colmi.KEEP] * 30 + [colmi.ASK_BATTERY]
        await driver.stop(link)
        assert link.written[-1] == colmi.STOP

    asyncio.run(life())


def test_a_ring_that_falls_silent_is_asked_again_after_10_s() -> None:
    async def life() -> None:
        link, driver = ring()
        await started(link, driver)
        await ticked(link, driver, 5, rate=True)
        await ticked(link, driver, 9, rate=False)
        assert link.written == []
        await ticked(link, driver, 1, rate=False)
        assert link.written == [colmi.START]
        await ticked(link, driver, 10, rate=False)
        assert link.written == [colmi.START] * 2

    asyncio.run(life())


@pytest.mark.parametrize(
    ("packet", "heard"),
    [
        (colmi.encode(0x69, 1, 0, 72), Heard(hr_bpm=72, contact=True)),
        (colmi.encode(0x69, 1, 0, 0), Heard()),
        (colmi.encode(0x69, 1, 1, 0), Heard(contact=False)),
        (colmi.encode(0x69, 1, 2, 0), Heard()),
        (colmi.encode(0x69, 3, 0, 97), Heard()),
        (colmi.encode(0x03, 64, 0), Heard(battery_pct=64)),
        (colmi.encode(0x73, 0x0C, 100, 1), Heard(battery_pct=100)),
        (colmi.encode(0x73, 0x12, 200, 1), Heard()),
        (colmi.encode(0x6A, 1), Heard()),
        (colmi.encode(0xE9), Heard(refused=(Refused.DECLINED,))),
        (colmi.encode(0xA1, 3), Heard(refused=(Refused.UNKNOWN,))),
    ],
)
def test_a_ring_says(packet: bytes, heard: Heard) -> None:
    assert colmi.ColmiDriver().packet(colmi.NOTIFY, packet, 0.0) == heard


@pytest.mark.parametrize("packet", [colmi.encode(0x03, 255), colmi.encode(0x73, 0x0C, 101)])
def test_a_ring_with_too_much_battery_is_not_believed(packet: bytes) -> None:
    with pytest.raises(Undecodable) as refusal:
        colmi.ColmiDriver().packet(colmi.NOTIFY, packet, 0.0)
    assert refusal.value.reason == Refused.BATTERY


def test_the_clock_by_hand_wakes_who_is_due() -> None:
    async def sleeper() -> None:
        clock = ByHand()
        asleep = asyncio.create_task(clock.sleep(2))
        await clock.move(1)
        assert not asleep.done()
        await clock.move(1)
        assert asleep.done()

    asyncio.run(sleeper())
