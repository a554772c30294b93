"""Activity, rhythm, stillness and sleep, counted out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from diastole.edge.chunks import MOTION, Chunk, Floats, join, rows_of
from diastole.edge.pipeline import movement
from diastole.edge.pipeline.movement import Movement
from diastole.edge.records import MINUTE_NS, SECOND_NS
from tests.pipeline.walking import RULES
from tests.strategies import START_NS, without

NAN = float("nan")


def seconds(*parts: tuple[int, float], cadence: float = NAN, device: str = "watch") -> Chunk:
    """Give motion: (seconds, mg) after (seconds, mg)."""
    level = np.concatenate([np.full(n, mg) for n, mg in parts])
    times = START_NS + SECOND_NS * np.arange(1, len(level) + 1)
    rows = rows_of(MOTION, len(level), time_ns=times, activity_mg=level, cadence_per_min=cadence)
    return Chunk(int(times[-1]) + 1, (device,), motions=rows)


def moves(chunk: Chunk, every_s: int = 5) -> tuple[Floats, Movement]:
    """Give the movement at every hop, and the hops in seconds from the start."""
    ends = np.arange(START_NS + 5 * SECOND_NS, chunk.until_ns, every_s * SECOND_NS)
    _, seen = movement.step(movement.State(), chunk, ends, chunk.until_ns, RULES)
    return (ends - START_NS) / SECOND_NS, seen


def test_activity_is_the_median_of_the_minute() -> None:
    level = np.random.default_rng(5).gamma(2, 20, 200).round(3)
    chunk = seconds(*((1, mg) for mg in level))
    at, seen = moves(chunk)
    for end, activity in zip(at.astype(int), seen.activity_mg, strict=True):
        assert activity == pytest.approx(np.median(level[max(0, end - 60) : end]), abs=1e-9)


def test_without_motion_nothing_is_known() -> None:
    at, seen = moves(without(seconds((300, 4.0)), 60, 180, "motions"))
    unknown = (at >= 120) & (at <= 180)
    assert np.isnan(seen.activity_mg[unknown]).all()
    assert np.isfinite(seen.activity_mg[~unknown]).all()
    assert not seen.still_min[unknown].any()
    assert not (seen.sustained | seen.rhythmic | seen.asleep).any()


@pytest.mark.parametrize(
    ("level_mg", "from_s"),
    [
        (34.9, None),
        (45.0, 395),  # over 35 first at 335 s, then for 13 of the last 24 hops
        (60.0, 335),  # over 55 at once
    ],
)
def test_movement_is_sustained_by_level_or_by_time(level_mg: float, from_s: int | None) -> None:
    at, seen = moves(seconds((300, 0.0), (200, level_mg)))
    began = at[seen.sustained]
    assert (began[0] if len(began) else None) == from_s
    assert not seen.rhythmic.any()


@pytest.mark.parametrize(("cadence", "rhythmic"), [(59.0, False), (60.0, True), (105.0, True)])
def test_rhythm_counts_at_any_level(cadence: float, rhythmic: bool) -> None:
    pedals = seconds((90, 5.0), cadence=cadence)
    chunk = join(
        [without(seconds((120, 5.0)), 30, 999, "motions"), without(pedals, 0, 30, "motions")]
    )
    at, seen = moves(replace(chunk, until_ns=START_NS + 90 * SECOND_NS + 1))
    pedalled = np.clip(at - 30, 0, 60) / np.minimum(at, 60)  # of the window's seconds
    assert seen.rhythmic[pedalled > RULES.rhythm_share].all() == rhythmic
    assert not seen.rhythmic[pedalled < RULES.rhythm_share].any()
    assert not seen.sustained.any()


def test_stillness_counts_from_the_last_movement() -> None:
    at, seen = moves(seconds((120, 5.0), (60, 50.0), (200, 5.0)))
    moving = (at > 150) & (at < 210)
    assert not seen.still_min[moving].any()
    np.testing.assert_allclose(seen.still_min[at <= 150], (at[at <= 150] - 5) / 60)
    after = at >= 215  # the last hop that moves ends at 205 s; at 210 s the median is between
    since = at[~(seen.activity_mg < 35)].max()
    np.testing.assert_allclose(seen.still_min[after], (at[after] - since) / 60)


def test_stillness_does_not_bridge_hops_that_nobody_saw() -> None:
    chunk = seconds((400, 5.0))
    ends = START_NS + SECOND_NS * np.array([100, 105, 300, 305])
    _, seen = movement.step(movement.State(), chunk, ends, chunk.until_ns, RULES)
    np.testing.assert_allclose(seen.still_min, [0, 5 / 60, 0, 5 / 60])


def test_sleep_is_half_an_hour_of_hardly_any_motion() -> None:
    at, seen = moves(seconds((40 * 60, 7.9)))
    assert at[seen.asleep][0] == 30 * 60 + 5  # the first hop of the minute after thirty
    assert seen.asleep[at > 30 * 60].all()
    for wakeful in (8.0, 12.0):
        assert not moves(seconds((40 * 60, wakeful)))[1].asleep.any()


@pytest.mark.parametrize(("level_mg", "woken_s"), [(17.0, None), (25.0, (40 + 21) * 60 + 5)])
def test_another_threshold_wakes(level_mg: float, woken_s: int | None) -> None:
    # thirty minutes of which k are at 25 mg and the others at 4: over 18 from k = 21 on
    at, seen = moves(seconds((40 * 60, 4.0), (40 * 60, level_mg)))
    asleep = seen.asleep[at > 30 * 60]
    awake = at[at > 30 * 60][~asleep]
    assert (awake[0] if len(awake) else None) == woken_s
    assert woken_s is None or not seen.asleep[at >= woken_s].any()


def test_a_hole_puts_nobody_to_sleep_and_wakes_nobody() -> None:
    at, seen = moves(without(seconds((80 * 60, 4.0)), 600, 660, "motions"))
    assert at[seen.asleep][0] == (11 + 30) * 60 + 5  # minute 11 is missing: thirty anew
    at, seen = moves(without(seconds((80 * 60, 4.0)), 2400, 3000, "motions"))
    assert seen.asleep[at > 1800].all()


def test_sleep_ends_where_motion_has_been_away_for_its_whole_span() -> None:
    at, seen = moves(without(seconds((120 * 60, 4.0)), 40 * 60, 75 * 60, "motions"))
    gone = (at > 70 * 60) & (at <= (75 + 30) * 60)
    assert seen.asleep[(at > 30 * 60) & (at <= 70 * 60)].all()
    assert not seen.asleep[gone].any()
    assert seen.asleep[at > 105 * 60].all()


def test_the_motion_of_one_device_serves_all_and_the_first_by_name_counts() -> None:
    arm = without(seconds((120, 10.0), device="arm"), 60, 120, "motions")
    chunk = join([seconds((120, 50.0)), arm])
    at, seen = moves(chunk)
    assert (seen.activity_mg[at <= 60] == 10).all()
    assert seen.activity_mg[at == 90] == 30  # thirty seconds of each
    assert seen.activity_mg[at == 120] == 50


def test_it_is_the_same_however_seconds_arrive() -> None:
    chunk = without(seconds((35 * 60, 4.0), (10 * 60, 45.0), (40 * 60, 4.0)), 999, 1100, "motions")
    _, whole = moves(chunk)
    state, told = movement.State(), []
    first_ns = START_NS + 5 * SECOND_NS
    for until_ns in range(START_NS, chunk.until_ns + 37 * SECOND_NS, 37 * SECOND_NS):
        piece, chunk = chunk.split(until_ns)
        ends = np.arange(first_ns, piece.until_ns, 5 * SECOND_NS)
        first_ns = int(ends[-1]) + 5 * SECOND_NS if len(ends) else first_ns
        state, seen = movement.step(state, piece, ends, piece.until_ns, RULES)
        told.append(seen)
    for name in ("asleep", "still_min", "sustained", "activity_mg"):
        joined = np.concatenate([getattr(seen, name) for seen in told])
        np.testing.assert_array_equal(joined, getattr(whole, name), err_msg=name)
    assert whole.sustained.any()
    assert len(state.minutes if state.minutes is not None else ()) <= RULES.asleep_min + 2
    assert all(len(rows) <= 181 for rows in state.seconds.values())


def test_motion_beyond_all_measure_is_survived() -> None:
    chunk = seconds((60, 1e300), (60, 5.0), cadence=1e306)
    odd = chunk.motions.copy()
    odd["activity_mg"][::7] = np.inf
    odd["activity_mg"][::5] = np.nan
    _, seen = moves(replace(chunk, motions=odd))
    assert seen.sustained.all()


def test_minutes_are_those_of_the_clock() -> None:
    assert START_NS % MINUTE_NS == 0
