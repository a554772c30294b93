"""The normal from counts is, to the width of a bin, that of the observations themselves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diastole.edge.chunks import Floats
from diastole.edge.pipeline.normal import (
    HR_STEP,
    MAD_TO_SD,
    RMSSD_STEP,
    UNKNOWN,
    Counts,
    enter,
    hr_bin,
    hr_range,
    rmssd_bin,
    rmssd_range,
)
from diastole.edge.pipeline.strain import ln
from tests.pipeline.walking import RULES


def learned(
    ln_hr: Floats, ln_rmssd: Floats, source: str = "rr", counts: Counts | None = None
) -> Counts:
    return enter(counts or Counts(), source, hr_bin(ln_hr), rmssd_bin(ln_rmssd), 5)


def wide(seed: int, n: int = 600) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    ln_hr = np.log(70) + rng.normal(0, 0.15, n)
    return ln_hr, np.log(30) - 2 * (ln_hr - np.log(70)) + rng.normal(0, 0.4, n)


def mad(values: Floats) -> float:
    return float(MAD_TO_SD * np.median(np.abs(values - np.median(values))))


@given(st.integers(0, 500))
def test_it_is_median_and_mad_of_the_calmer_observations(seed: int) -> None:
    ln_hr, ln_rmssd = wide(seed)
    counts = learned(ln_hr, ln_rmssd)
    calm = np.argsort(ln_hr)[: round(RULES.normal_share * len(ln_hr))]
    rate, variability = hr_range(counts, RULES), rmssd_range(counts, "rr", RULES)
    assert rate.centre == pytest.approx(np.median(ln_hr[calm]), abs=HR_STEP)
    assert rate.spread == pytest.approx(mad(ln_hr[calm]), abs=MAD_TO_SD * HR_STEP)
    assert variability.centre == pytest.approx(np.median(ln_rmssd[calm]), abs=RMSSD_STEP)
    assert variability.spread == pytest.approx(mad(ln_rmssd[calm]), abs=MAD_TO_SD * RMSSD_STEP)


def test_what_lies_above_the_calmer_share_does_not_move_it() -> None:
    ln_hr = np.repeat(np.log([60.0, 61.0, 62.0, 90.0, 95.0]), 100)
    higher = np.where(ln_hr > np.log(80), ln_hr + 0.3, ln_hr)
    rmssd = np.log(np.repeat([40.0, 40.0, 40.0, 9.0, 8.0], 100))
    one, other = learned(ln_hr, rmssd), learned(higher, rmssd + (ln_hr > np.log(80)))
    assert hr_range(one, RULES) == hr_range(other, RULES)
    assert rmssd_range(one, "rr", RULES) == rmssd_range(other, "rr", RULES)
    assert rmssd_range(one, "rr", RULES).centre == pytest.approx(np.log(40), abs=RMSSD_STEP)


def test_a_spread_has_a_floor() -> None:
    counts = learned(np.full(50, np.log(61)), np.full(50, np.log(33)))
    assert hr_range(counts, RULES).spread == RULES.hr_spread_floor == 0.05
    assert rmssd_range(counts, "rr", RULES).spread == RULES.rmssd_spread_floor == 0.15


def test_a_minute_of_quiet_observations_is_needed() -> None:
    ln_hr, ln_rmssd = wide(1, 12)
    assert hr_range(learned(ln_hr[:11], ln_rmssd[:11]), RULES) == UNKNOWN
    known = learned(ln_hr, ln_rmssd)
    assert np.isfinite(hr_range(known, RULES)).all()
    assert np.isfinite(rmssd_range(known, "rr", RULES)).all()


def test_the_heart_rate_is_shared_between_kinds_and_variability_is_not() -> None:
    ln_hr, ln_rmssd = wide(2)
    strap = learned(ln_hr, ln_rmssd)
    both = learned(ln_hr + 0.2, ln_rmssd + 0.9, "ppg", strap)
    assert rmssd_range(both, "rr", RULES) == rmssd_range(strap, "rr", RULES)
    assert rmssd_range(both, "ppg", RULES).centre == pytest.approx(
        rmssd_range(strap, "rr", RULES).centre + 0.9, abs=RMSSD_STEP
    )
    together = learned(np.concatenate([ln_hr, ln_hr + 0.2]), np.full(2 * len(ln_hr), np.nan))
    assert hr_range(both, RULES) == hr_range(together, RULES)
    assert hr_range(both, RULES).centre > hr_range(strap, RULES).centre + 0.02
    assert np.isnan(rmssd_range(both, "ppi", RULES)).all()


def test_an_rmssd_of_zero_stays_out_and_its_heart_rate_does_not() -> None:
    ln_hr, ln_rmssd = wide(3)
    rmssd_ms = np.exp(ln_rmssd)
    rmssd_ms[::3] = 0.0
    counts = learned(ln_hr, ln(rmssd_ms))
    some = np.arange(len(ln_hr)) % 3 > 0
    without = learned(ln_hr[some], ln_rmssd[some])
    assert rmssd_range(counts, "rr", RULES) == rmssd_range(without, "rr", RULES)
    assert hr_range(counts, RULES) == hr_range(learned(ln_hr, ln_rmssd), RULES)
    flat = learned(ln_hr, ln(np.zeros(len(ln_hr))))
    assert np.isnan(rmssd_range(flat, "rr", RULES)).all()


def test_what_has_entered_stays() -> None:
    ln_hr, ln_rmssd = wide(4)
    once = learned(ln_hr, ln_rmssd)
    twice = learned(ln_hr[:7], ln_rmssd[:7], "rr", once)
    assert twice.have == once.have + 7
    assert (twice.cells["rr"] >= once.cells["rr"]).all()
    assert once.cells["rr"].sum() == 600  # the counts of before are left as they were
    assert twice.since_ns == once.since_ns


@pytest.mark.parametrize("value", [-50.0, 0.0, 50.0, np.inf, -np.inf])
def test_what_no_heart_does_falls_into_the_last_bin(value: float) -> None:
    counts = learned(np.array([value]), np.array([value]))
    assert counts.cells["rr"].sum() == 1
