"""What a device is, and what it gives."""

import pytest

from diastole.edge.records import BeatKind
from diastole.edge.sources.ble import colmi, hrs, pmd, polar
from diastole.edge.sources.ble.kinds import KINDS
from diastole.edge.sources.ble.protocol import (
    Given,
    Gives,
    Heard,
    Interval,
    Kind,
    Refused,
    counted,
    kind_of,
)

BATTERY = "0000180f-0000-1000-8000-00805f9b34fb"


@pytest.mark.parametrize(
    ("services", "name", "kind"),
    [
        ([hrs.SERVICE], "TICKR 0001", hrs.KIND),
        ([hrs.SERVICE.upper()], None, hrs.KIND),
        ([hrs.SERVICE], "Polar Sense 11223344", hrs.KIND),  # while it advertises no more
        ([hrs.SERVICE, pmd.SERVICE], "Polar Sense 11223344", polar.KIND),
        ([hrs.SERVICE, pmd.SERVICE], "mine", polar.KIND),
        ([], "Polar H10 0A1B2C3D", polar.KIND),
        ([colmi.SERVICE], "ring", colmi.KIND),
        ([BATTERY], "R02_A1B2", colmi.KIND),
        ([], "COLMI R10_00FF", colmi.KIND),
        ([hrs.SERVICE], "R02_A1B2", hrs.KIND),
        ([], "R2D2_1234", None),
        ([], "Bipolar 12", None),
        ([BATTERY], None, None),
    ],
)
def test_services_decide_before_names(
    services: list[str], name: str | None, kind: Kind | None
) -> None:
    assert kind_of(services, name, KINDS) is kind


def test_kinds_have_names_of_their_own() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS)


def beat(ticks: int = 850) -> Interval:
    return Interval(ticks=ticks, per_s=1024, kind=BeatKind.RR)


def test_intervals_soon_after_contact_make_it_a_device_of_beats() -> None:
    given = Given(hrs.HeartRateDriver())
    assert given.add(Heard(hr_bpm=70), 0.0) is Gives.UNKNOWN
    assert given.add(Heard(hr_bpm=70), 29.9) is Gives.UNKNOWN
    assert given.add(Heard(hr_bpm=70, intervals=(beat(),)), 29.95) is Gives.BEATS
    assert given.add(Heard(hr_bpm=70), 300.0) is Gives.BEATS


def test_a_heart_rate_alone_for_so_long_makes_it_a_device_of_heart_rate() -> None:
    given = Given(hrs.HeartRateDriver())
    given.add(Heard(hr_bpm=70), 0.0)
    assert given.add(Heard(hr_bpm=70), 30.0) is Gives.HEART_RATE
    assert given.add(Heard(hr_bpm=70, intervals=(beat(),)), 90.0) is Gives.BEATS


def test_nothing_is_said_of_a_device_that_nobody_wears() -> None:
    given = Given(hrs.HeartRateDriver())
    given.add(Heard(), 0.0)
    assert given.add(Heard(contact=False, hr_bpm=60), 100.0) is Gives.UNKNOWN
    assert given.add(Heard(contact=True, hr_bpm=60), 101.0) is Gives.UNKNOWN
    assert given.add(Heard(contact=False), 120.0) is Gives.UNKNOWN
    assert given.add(Heard(contact=True, hr_bpm=60), 132.0) is Gives.UNKNOWN
    assert given.add(Heard(contact=True, hr_bpm=60), 162.0) is Gives.HEART_RATE


def test_intervals_without_contact_make_no_device_of_beats() -> None:
    given = Given(hrs.HeartRateDriver())
    off = Interval(ticks=850, per_s=1024, kind=BeatKind.RR, contact=False)
    assert given.add(Heard(contact=False, intervals=(off,)), 0.0) is Gives.UNKNOWN


def test_an_interval_that_is_none_makes_no_device_of_beats() -> None:
    given = Given(hrs.HeartRateDriver())
    given.add(Heard(hr_bpm=70, intervals=(beat(0), beat(65535))), 0.0)
    assert given.add(Heard(hr_bpm=70), 30.0) is Gives.HEART_RATE


def test_intervals_that_are_none_are_counted() -> None:
    within = [beat(205), beat(3072)]
    assert counted([*within, beat(204), beat(3073), beat(0)]) == (Refused.INTERVAL,) * 3
