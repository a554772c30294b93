"""Polar's own service: what is asked for, what comes, what is begun again."""

import asyncio
import struct
from collections.abc import Coroutine

import numpy as np
import pytest

from diastole.edge.records import BeatKind
from diastole.edge.sources.ble import hrs, pmd
from diastole.edge.sources.ble.protocol import Heard, LinkError, Refused, Undecodable
from tests.sources.ble.linked import Linked, rest
from tests.sources.ble.sensor import device

ACC_START = bytes.fromhex("0202 0001 1900 0101 1000 0201 0800")
"""25 Hz, 16 bit, 8 g."""
PPI_START, PPI_STOP, ACC_STOP = (bytes.fromhex(c) for c in ("0203", "0303", "0302"))


def ppi(*samples: tuple[int, int, int, int]) -> bytes:
    return bytes.fromhex("03 0000000000000000 00") + b"".join(
        struct.pack("<BHHB", *sample) for sample in samples
    )


async def slowly(link: Linked, doing: Coroutine[object, object, None], seconds: int) -> None:
    """Let time pass while something is done."""
    task = asyncio.create_task(doing)
    for _ in range(seconds):
        await link.clock.move(1)
    await rest()
    assert task.done()
    await task


def test_a_strap_is_asked_for_acceleration_and_nothing_is_left_running() -> None:
    async def life() -> None:
        link, driver = device(pmd.ECG, pmd.ACC)
        await driver.start(link)
        assert link.written == [b"\x01\x02", ACC_START]
        assert (driver.quiet_s, driver.beats_within_s) == (10, 30)
        beats = link.send(hrs.MEASUREMENT, bytes.fromhex("1048 5203"))
        assert [(i.ticks, i.per_s, i.kind) for i in beats.intervals] == [(850, 1024, BeatKind.RR)]
        raw = bytes.fromhex("02 0094357700000000 01 f7ff ffff e703 f8ff feff e503")
        moved = link.send(pmd.DATA, raw).acceleration
        assert moved is not None
        assert moved.rate_hz == 25
        assert moved.xyz_mg.tolist() == [[-9, -1, 999], [-8, -2, 997]]
        await driver.stop(link)
        assert link.written[2:] == [ACC_STOP]
        await rest()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(life())


def test_an_optical_sensor_is_asked_for_its_pulses() -> None:
    async def life() -> None:
        link, driver = device(pmd.PPI, pmd.ACC)
        await driver.start(link)
        assert link.written == [PPI_START, b"\x01\x02", ACC_START]
        await driver.stop(link)
        assert link.written[3:] == [PPI_STOP, ACC_STOP]

    asyncio.run(life())


def test_pulses_come_with_their_error_their_movement_and_their_contact() -> None:
    async def life() -> None:
        link, driver = device(pmd.PPI)
        await driver.start(link)
        heard = link.send(
            pmd.DATA, ppi((60, 1068, 6, 6), (61, 930, 40, 7), (61, 0, 0, 4), (62, 950, 5, 0))
        )
        assert [
            (i.ticks, i.per_s, i.kind, i.error_ms, i.moving, i.contact) for i in heard.intervals
        ] == [
            (1068, 1000, BeatKind.PPI, 6, False, True),
            (930, 1000, BeatKind.PPI, 40, True, True),
            (0, 1000, BeatKind.PPI, 0, False, False),
            (950, 1000, BeatKind.PPI, 5, False, None),
        ]
        assert heard.refused == (Refused.INTERVAL,)
        assert heard.hr_bpm == 62
        assert heard.contact is None
        half = link.send(pmd.DATA, ppi((60, 1068, 6, 6)) + b"\x3c\x01")
        assert [i.ticks for i in half.intervals] == [1068]
        assert half.refused == (Refused.ODD_BYTE,) * 2
        assert link.send(pmd.DATA, ppi()) == Heard()

    asyncio.run(life())


def test_its_heart_rate_is_told_once_and_its_beats_are() -> None:
    async def life() -> None:
        link, driver = device(pmd.PPI)
        await driver.start(link)
        assert link.send(hrs.MEASUREMENT, bytes.fromhex("1048 5203")).intervals
        assert link.send(pmd.DATA, ppi((60, 1000, 6, 6))).hr_bpm is None
        both = link.send(hrs.MEASUREMENT, bytes.fromhex("1048 5203 5203"))
        assert (both.hr_bpm, both.intervals, both.refused) == (72, (), (Refused.SECOND,) * 2)

    asyncio.run(life())


def test_the_first_batch_may_be_slow_and_the_next_may_not() -> None:
    async def life() -> None:
        link, driver = device(pmd.PPI)
        await driver.start(link)
        assert (driver.quiet_s, driver.beats_within_s) == (60, 90)
        for _ in range(59):
            await link.clock.move(1)
            await driver.tick(link)
        assert link.written == [PPI_START]
        link.send(pmd.DATA, ppi((60, 1000, 6, 6)))
        assert driver.quiet_s == 20
        await link.clock.move(19)
        await driver.tick(link)
        assert link.written == [PPI_START]
        await link.clock.move(1)
        await driver.tick(link)
        assert link.written[1:] == [PPI_STOP, PPI_START]
        await link.clock.move(59)
        await driver.tick(link)
        assert link.written[3:] == []

    asyncio.run(life())


def test_what_never_comes_is_asked_for_ever_more_rarely() -> None:
    async def life() -> None:
        link, driver = device(pmd.PPI, status=12)
        await driver.start(link)
        asked: list[int] = []
        for second in range(1, 2000):
            link.clock.now_s += 1
            await driver.tick(link)
            asked += [second] * link.written[1:].count(PPI_START)
            del link.written[1:]
        assert asked == [60, 180, 420, 900, 1500]
        assert driver.quiet_s == 60

    asyncio.run(life())


def test_pulses_that_came_and_then_nothing_answers_are_asked_for_ever_more_rarely() -> None:
    async def life() -> None:
        link, driver = device(pmd.PPI)
        await driver.start(link)
        link.send(pmd.DATA, ppi((60, 1000, 6, 6)))
        link.answer = lambda _char, _data: []
        asked = []
        for second in range(4000):
            ticking = asyncio.create_task(driver.tick(link))
            before = len(link.written)
            await rest()
            while not ticking.done():
                await link.clock.move(1)
            asked += [second] * (len(link.written) > before)
            await link.clock.move(1)
            assert driver.quiet_s == 20 or not asked
        assert asked[0] == 20
        assert len(asked) <= 12

    asyncio.run(life())


def test_what_the_sensor_ends_by_itself_is_begun_again_at_once() -> None:
    async def life() -> None:
        link, driver = device(pmd.PPI, pmd.ACC)
        await driver.start(link)
        link.written.clear()
        assert link.send(pmd.CONTROL, b"\x01\x03") == Heard()
        await driver.tick(link)
        assert link.written == [PPI_STOP, PPI_START]
        await driver.tick(link)
        assert link.written == [PPI_STOP, PPI_START]

    asyncio.run(life())


def test_a_sensor_that_already_measures_is_one_that_measures() -> None:
    async def life() -> None:
        link, driver = device(pmd.PPI, status=pmd.ALREADY)
        await driver.start(link)
        assert link.heard == [Heard()]
        assert link.send(pmd.DATA, ppi((60, 1000, 6, 6))).intervals

    asyncio.run(life())


def test_a_sensor_that_declines_is_counted_and_its_heart_rate_goes_on() -> None:
    async def life() -> None:
        link, driver = device(pmd.PPI, status=12)
        await driver.start(link)
        assert link.heard == [Heard(refused=(Refused.DECLINED,))]
        assert link.send(hrs.MEASUREMENT, b"\x00\x48").hr_bpm == 72

    asyncio.run(life())


def test_a_sensor_that_does_not_reply_is_waited_for_in_bounded_time() -> None:
    async def life() -> None:
        link, driver = device(pmd.PPI, pmd.ACC, deaf=True)
        await slowly(link, driver.start(link), 15)
        assert link.written == [PPI_START, b"\x01\x02", b"\x02\x02"]
        assert link.send(hrs.MEASUREMENT, b"\x00\x48").hr_bpm == 72
        await slowly(link, driver.stop(link), 3)

    asyncio.run(life())


def test_replies_that_come_twice_answer_once() -> None:
    async def life() -> None:
        link, driver = device(pmd.ACC)
        once = link.answer
        link.answer = lambda char, data: [each for each in once(char, data) for _ in range(2)]
        await driver.start(link)
        assert link.written == [b"\x01\x02", ACC_START]

    asyncio.run(life())


def test_a_late_reply_to_another_command_answers_nothing() -> None:
    async def life() -> None:
        link, driver = device(pmd.PPI, deaf=True)
        starting = asyncio.create_task(driver.start(link))
        await rest()
        link.send(pmd.CONTROL, bytes.fromhex("f0 03 03 00 00"))
        await rest()
        assert not starting.done()
        for _ in range(100):  # and any number of them is survived
            link.send(pmd.CONTROL, bytes.fromhex("f0 02 01 00 00"))
        await rest()
        link.send(pmd.CONTROL, bytes.fromhex("f0 02 03 00 00"))
        await rest()
        assert starting.done()

    asyncio.run(life())


@pytest.mark.parametrize("says", [b"", b"\x0e\x00", b"\x0f", LinkError("not permitted", 2)])
def test_a_sensor_whose_own_service_is_closed_still_gives_its_heart_rate(
    says: bytes | LinkError,
) -> None:
    async def life() -> None:
        link, driver = device()
        link.values[pmd.CONTROL] = says
        await driver.start(link)
        assert link.written == []
        assert link.send(hrs.MEASUREMENT, b"\x00\x48").hr_bpm == 72
        assert driver.quiet_s == 10

    asyncio.run(life())


def test_a_lost_link_is_told_to_who_holds_it() -> None:
    async def life() -> None:
        link, driver = device()
        link.values[pmd.CONTROL] = LinkError("lost")
        with pytest.raises(LinkError, match="lost"):
            await driver.start(link)

    asyncio.run(life())


def test_compressed_acceleration_is_in_mg_by_the_factor_of_the_reply() -> None:
    async def life() -> None:
        link, driver = device(pmd.ACC, factor=2.44e-4)
        await driver.start(link)
        packed = bytes.fromhex("02 0094357700000000 80 7107 f06a 9e8d 0a 01 be5cbeba")
        heard = link.send(pmd.DATA, packed).acceleration
        assert heard is not None
        sent = np.array([[1905, 27376, -29282], [2095, 27271, -29367]])
        np.testing.assert_allclose(heard.xyz_mg, sent * 0.244, rtol=1e-6)

    asyncio.run(life())


@pytest.mark.parametrize("factor", [float("nan"), float("inf"), 0.0, -1.0, 1e9])
def test_a_factor_that_is_none_is_one(factor: float) -> None:
    async def life() -> None:
        link, driver = device(pmd.ACC, factor=factor)
        await driver.start(link)
        packed = bytes.fromhex("02 6500000000000000 81 f1ff 1400 f003 06 01 7b0f08")
        heard = link.send(pmd.DATA, packed).acceleration
        assert heard is not None
        assert heard.xyz_mg.tolist() == [[-15, 20, 1008], [-20, 17, 1008]]

    asyncio.run(life())


def test_another_programs_ecg_is_passed_over() -> None:
    link, _ = device(pmd.ECG)
    assert link.send(pmd.DATA, bytes.fromhex("00 0094357700000000 00 0280ff 028000")) == Heard()


def test_a_frame_of_more_samples_than_one_can_hold_is_refused() -> None:
    packed = bytes.fromhex("02 0094357700000000 81 f1ff 1400 f003")
    frame = pmd.decode(packed + b"\0\xff" * 3)  # steps of no bits are none
    assert isinstance(frame, pmd.Acc)
    assert frame.xyz.tolist() == [[-15, 20, 1008]] * 766
    with pytest.raises(Undecodable) as refusal:
        pmd.decode(packed + b"\0\xff" * 4)
    assert refusal.value.reason == Refused.UNKNOWN
