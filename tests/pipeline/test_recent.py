"""How a heart rate stands to its own last minutes, against plain means."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from diastole.edge.chunks import Floats, Ints
from diastole.edge.pipeline import recent
from diastole.edge.pipeline.recent import Recent
from diastole.edge.records import MINUTE_NS, SECOND_NS
from tests.pipeline.walking import RULES
from tests.strategies import START_NS

HOP_NS = 5 * SECOND_NS


def hops(n: int, seed: int = 0) -> tuple[Ints, Floats]:
    rng = np.random.default_rng(seed)
    ends = START_NS + HOP_NS * np.arange(1, n + 1)
    ln_hr = np.log(60 + 30 * rng.random(n)).round(6)
    ln_hr[rng.random(n) < 0.2] = np.nan
    gap = rng.random(n) < 0.1
    return ends[~gap], ln_hr[~gap]


def told(ends: Ints, ln_hr: Floats) -> Recent:
    return recent.step(recent.start(), ends, ln_hr, RULES)[1]


def test_the_own_hour_is_sixty_whole_minutes_and_this_one_so_far() -> None:
    ends, ln_hr = hops(1500)
    seen = told(ends, ln_hr)
    minute = -(-ends // MINUTE_NS)
    for place in range(0, len(ends), 13):
        before = (minute >= minute[place] - 60) & (ends <= ends[place]) & np.isfinite(ln_hr)
        if before.sum() < 36:
            assert np.isnan(seen.ln_hr_hour[place])
        else:
            assert abs(seen.ln_hr_hour[place] - ln_hr[before].mean()) < 1e-9
    assert np.isnan(seen.ln_hr_hour[:35]).all()
    assert np.isfinite(seen.ln_hr_hour[60:]).all()


def test_three_minutes_and_two_minutes_ago() -> None:
    ends, ln_hr = hops(200, seed=1)
    seen = told(ends, ln_hr)
    for place, end in enumerate(ends):
        near = (ends > end - 180 * SECOND_NS) & (ends <= end) & np.isfinite(ln_hr)
        mean = ln_hr[near].mean() if near.any() else np.nan
        np.testing.assert_allclose(seen.ln_hr_3min[place], mean, atol=1e-9)
        ago = ln_hr[ends == end - 120 * SECOND_NS]
        rise = ln_hr[place] - ago[0] if len(ago) else np.nan
        np.testing.assert_allclose(seen.rise_2min[place], rise, atol=1e-9)
    np.testing.assert_allclose(seen.ln_hr, ln_hr, atol=1e-9)


@given(st.lists(st.integers(0, 1100), max_size=6), st.integers(0, 9))
def test_it_is_the_same_however_hops_arrive(places: list[int], seed: int) -> None:
    ends, ln_hr = hops(1100, seed)
    whole = told(ends, ln_hr)
    state, parts = recent.start(), []
    for part in np.split(np.arange(len(ends)), sorted(places)):
        state, seen = recent.step(state, ends[part], ln_hr[part], RULES)
        parts.append(seen)
    for name in ("ln_hr", "ln_hr_hour", "ln_hr_3min", "rise_2min"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(joined, getattr(whole, name))
    assert len(state.minutes) <= 61
    assert len(state.hops) <= 36
