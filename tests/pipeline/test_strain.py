"""Exertion, its tail and the normal that they never feed, walked by hand."""

from dataclasses import replace

import numpy as np
import pytest

from diastole.edge.chunks import Bools, Floats, Rows
from diastole.edge.pipeline import strain
from diastole.edge.pipeline.normal import hr_bin, rmssd_bin
from diastole.edge.pipeline.strain import Hops
from diastole.edge.records import MINUTE_NS, SECOND_NS
from tests.pipeline.walking import RULES
from tests.strategies import START_NS

MINUTE = 12  # hops
HOUR = 720
NORMAL = 60.0


def hops(*parts: tuple[int, float], start_ns: int = START_NS, motion: bool = True) -> Hops:
    """Give hops, (number, bpm) after (number, bpm), quiet wherever their heart rate is known."""
    bpm = np.concatenate([np.full(n, rate) for n, rate in parts])
    n = len(bpm)
    ln_hr = np.log(bpm)
    no = np.zeros(n, np.bool_)
    return Hops(
        start_ns + 5 * SECOND_NS * np.arange(1, n + 1),
        ln_hr,
        np.zeros(n, np.int64),
        hr_bin(ln_hr),
        rmssd_bin(np.full(n, np.log(40.0))),
        no,
        no,
        np.full(n, motion),
        np.isfinite(ln_hr),
        np.full(n, np.nan),
        no,
    )


def where(seen: Hops, low: int, high: int) -> Bools:
    place = np.arange(len(seen.ends_ns))
    return (place >= low) & (place < high)


def walk(seen: Hops, state: strain.State | None = None) -> tuple[strain.State, Rows]:
    return strain.step(state or strain.State(), seen, RULES)


def calm() -> strain.State:
    """Give a wearer whose normal of 60 bpm is known."""
    state, told = walk(hops((3 * MINUTE, NORMAL)))
    assert np.exp(told["hr_centre"][-1]) == pytest.approx(NORMAL, rel=0.01)
    return state


def later(*parts: tuple[int, float], motion: bool = True) -> Hops:
    return hops(*parts, start_ns=START_NS + 3 * MINUTE_NS, motion=motion)


def test_the_normal_is_that_of_the_minute_before() -> None:
    _, told = walk(hops((5 * MINUTE, NORMAL)))
    assert told["have"].tolist() == np.repeat([0, 12, 24, 36, 48], MINUTE).tolist()
    assert np.isnan(told["hr_centre"][:MINUTE]).all()
    assert np.isfinite(told["hr_centre"][MINUTE:]).all()
    assert np.isfinite(told["rmssd_centre"][MINUTE:]).all()


def test_movement_is_exertion_where_the_heart_says_so_too() -> None:
    idle, busy = later((MINUTE, 71.9)), later((MINUTE, 72.9))
    for seen, exertion in ((idle, False), (busy, True)):
        everywhere = np.ones(MINUTE, np.bool_)
        assert walk(replace(seen, sustained=everywhere), calm())[1]["exertion"].all() == exertion
        assert not walk(seen, calm())[1]["exertion"].any()
        rhythmic = replace(seen, sustained=everywhere, rhythmic=everywhere)
        assert walk(rhythmic, calm())[1]["exertion"].all()


def test_a_rate_that_is_not_known_does_not_speak_for_work() -> None:
    seen = later((MINUTE, np.nan))
    everywhere = np.ones(MINUTE, np.bool_)
    moving = replace(seen, sustained=everywhere)
    assert not walk(moving, calm())[1]["exertion"].any()
    assert walk(replace(moving, rhythmic=everywhere), calm())[1]["exertion"].all()
    assert walk(moving)[1]["exertion"].all()  # before there is a normal


def test_before_there_is_a_normal_movement_is_enough_and_leaves_no_tail() -> None:
    seen = hops((MINUTE, NORMAL))
    told = walk(replace(seen, sustained=where(seen, 3, 6)))[1]
    assert np.flatnonzero(told["exertion"]).tolist() == [3, 4, 5]


@pytest.mark.parametrize(("bpm", "exertion"), [(83.0, False), (85.0, True)])
def test_without_motion_a_high_heart_rate_is_exertion(bpm: float, exertion: bool) -> None:
    told = walk(later((MINUTE, bpm), motion=False), calm())[1]
    assert told["exertion"].all() == told["exertion"].any() == exertion


@pytest.mark.parametrize(("rise", "exertion"), [(1.19, False), (1.21, True)])
def test_without_motion_a_steep_rise_is_exertion(rise: float, exertion: bool) -> None:
    steep = np.full(MINUTE, np.log(rise))
    without, with_motion = (
        replace(later((MINUTE, 68.0), motion=motion), rise_2min=steep) for motion in (False, True)
    )
    assert walk(without, calm())[1]["exertion"].all() == exertion
    assert not walk(with_motion, calm())[1]["exertion"].any()


def test_the_tail_ends_when_the_heart_rate_is_back() -> None:
    seen = later((6, 80.0), (30, 73.0), (30, 71.0), (30, 73.0))
    told = walk(replace(seen, sustained=where(seen, 0, 6)), calm())[1]
    # under +20 %, which is 72 bpm, from place 36 on; what comes after is no tail of it
    assert np.flatnonzero(told["exertion"]).tolist() == list(range(36))


def test_the_tail_ends_after_five_minutes() -> None:
    seen = later((6, 80.0), (3 * HOUR // 4, 75.0))
    told = walk(replace(seen, sustained=where(seen, 0, 6)), calm())[1]
    assert np.flatnonzero(told["exertion"]).tolist() == list(range(6 + 60))


def test_a_tail_lasts_while_the_heart_rate_is_not_known() -> None:
    seen = later((6, 80.0), (MINUTE, np.nan), (MINUTE, NORMAL))
    told = walk(replace(seen, sustained=where(seen, 0, 6)), calm())[1]
    assert np.flatnonzero(told["exertion"]).tolist() == list(range(18))


def test_exertion_and_its_tail_never_feed_the_normal() -> None:
    seen = later((6, 80.0), (60, 75.0))
    state, told = walk(replace(seen, sustained=where(seen, 0, 6)), calm())
    assert told["exertion"].all()
    after, _ = walk(hops((2 * MINUTE, NORMAL), start_ns=int(seen.ends_ns[-1])), state)
    only_calm = walk(hops((4 * MINUTE, NORMAL)))[0].counts
    fed = after.counts.cells["rr"]
    assert (np.flatnonzero(fed.sum(1)) == np.flatnonzero(only_calm.cells["rr"].sum(1))).all()
    assert set(told["hr_centre"][MINUTE:]) == {told["hr_centre"][-1]}


def test_what_is_not_quiet_does_not_feed_the_normal() -> None:
    seen = hops((4 * MINUTE, NORMAL))
    told = walk(replace(seen, may_be_quiet=where(seen, 0, 6)))[1]
    assert told["have"].tolist() == [0] * MINUTE + [6] * (3 * MINUTE)
    assert np.isnan(told["hr_centre"]).all()


@pytest.mark.parametrize(("gap_min", "have"), [(119, 36), (121, 0)])
def test_a_session_ends_after_two_hours_without_records(gap_min: int, have: int) -> None:
    start_ns = START_NS + (3 + gap_min) * MINUTE_NS
    told = walk(hops((MINUTE, NORMAL), start_ns=start_ns), calm())[1]
    assert (told["have"] == have).all()


def test_waking_begins_a_new_session() -> None:
    seen = later((MINUTE * 4, NORMAL))
    asleep = where(seen, 0, 2 * MINUTE)
    told = walk(replace(seen, asleep=asleep, may_be_quiet=~asleep), calm())[1]
    assert told["have"].tolist() == np.repeat([36, 36, 0, 12], MINUTE).tolist()


@pytest.mark.parametrize("motion", [True, False])
def test_without_motion_a_session_ends_after_eighteen_hours(motion: bool) -> None:
    told = walk(hops((19 * HOUR, NORMAL), motion=motion))[1]
    dropped = np.flatnonzero(np.diff(told["have"].astype(int)) < 0) + 1
    # counted from when the first quiet minute entered
    assert dropped.tolist() == ([] if motion else [18 * HOUR + MINUTE])


def test_the_eighteen_hours_count_from_motion_that_stops() -> None:
    seen = hops((20 * HOUR, NORMAL))
    told = walk(replace(seen, motion=where(seen, 0, HOUR)))[1]
    assert np.flatnonzero(np.diff(told["have"].astype(int)) < 0).tolist() == [19 * HOUR - 1]


@pytest.mark.parametrize("motion", [True, False])
@pytest.mark.parametrize("first", [1, 7, 12, 17])
def test_a_minute_cut_in_two_is_one_minute(first: int, motion: bool) -> None:
    seen = hops((40, NORMAL), motion=motion)
    _, whole = walk(seen)
    state, parts = strain.State(), []
    for part in (slice(0, first), slice(first, 40)):
        state, told = walk(taken(seen, part), state)
        parts.append(told)
    assert np.concatenate(parts).tobytes() == whole.tobytes()


def taken(seen: Hops, part: slice) -> Hops:
    columns: dict[str, Floats] = {name: getattr(seen, name)[part] for name in Hops.__slots__}
    return Hops(**columns)  # type: ignore[arg-type]


def test_each_kind_of_beat_has_its_own_variability() -> None:
    seen = hops((4 * MINUTE, NORMAL))
    source = np.repeat([0, 2], 2 * MINUTE)
    wide = np.log(np.where(source == 0, 40.0, 90.0))
    told = walk(replace(seen, source=source, rmssd_bins=rmssd_bin(wide)))[1]
    minute = slice(MINUTE, 2 * MINUTE)
    assert np.exp(told["rmssd_centre"][minute]) == pytest.approx(40, rel=0.05)
    third, fourth = slice(2 * MINUTE, 3 * MINUTE), slice(3 * MINUTE, None)
    assert np.isnan(told["rmssd_centre"][third]).all()
    assert np.isfinite(told["hr_centre"][third]).all()
    assert np.exp(told["rmssd_centre"][fourth]) == pytest.approx(90, rel=0.05)


def test_a_moment_without_motion_does_not_end_a_normal_that_saw_the_night() -> None:
    """The 18 h are counted from the last motion; wholly without it the normal ends."""
    day = hops((19 * HOUR, NORMAL))
    gap = np.ones(len(day.ends_ns), np.bool_)
    gap[int(18.4 * HOUR) : int(18.4 * HOUR) + 24] = False
    for motion, ends in ((gap, False), (np.zeros_like(gap), True)):
        _, told = strain.step(strain.State(), replace(day, motion=motion), RULES)
        assert bool((np.diff(told["have"]) < 0).any()) == ends
