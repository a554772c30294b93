import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diastole.edge.chunks import Ints, sample_offsets_ns
from diastole.edge.records import SECOND_NS
from diastole.edge.signal import motion
from tests.signal.waves import swinging


def times(n: int, rate_hz: float, start_ns: int = 0) -> Ints:
    return start_ns + sample_offsets_ns(np.arange(n), rate_hz)


def test_activity_is_the_root_of_the_summed_variances() -> None:
    values = np.array([[1.0, 0, 5], [3, 0, 5], [1, 4, 5], [3, 4, 5], [7, 7, 7], [7, 7, 7]])
    seconds = motion.seconds(values, times(6, 4, 5 * SECOND_NS), 4)
    assert list(seconds.end_ns) == [6 * SECOND_NS, 7 * SECOND_NS]
    assert seconds.activity_mg[0] == pytest.approx(np.sqrt(1 + 4))
    assert np.isnan(seconds.activity_mg[1])  # half of its samples are not enough


def test_unknown_samples_are_left_out() -> None:
    values = np.tile([[10.0, 0, 0], [-10, 0, 0]], (32, 1))
    values[3] = np.nan
    values[40:64] = np.inf
    seconds = motion.seconds(values, times(64, 32), 32)
    rest = np.delete(values[:32, 0], 3)
    assert seconds.activity_mg[0] == pytest.approx(rest.std())
    assert np.isnan(seconds.activity_mg[1])


@pytest.mark.parametrize("rate_hz", [25.0, 32.0, 52.0, 100.0])
@pytest.mark.parametrize("per_min", [55, 80, 110, 150])
def test_a_turning_arm_has_its_cadence(rate_hz: float, per_min: float) -> None:
    values = swinging(40, rate_hz, per_min)
    seconds = motion.seconds(values, times(len(values), rate_hz), rate_hz)
    assert np.isnan(seconds.cadence_per_min[:9]).all()
    assert seconds.cadence_per_min[13:] == pytest.approx(per_min, rel=0.02)


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(0).normal(0, 100, (1280, 3)),
        np.cumsum(np.random.default_rng(0).normal(0, 30, (1280, 3)), axis=0),
        swinging(40, 32, 80, size_mg=20),
        swinging(40, 32, 15, size_mg=400),
        np.full((1280, 3), 1000.0),
        np.full((1280, 3), np.nan),
    ],
    ids=["noise", "wandering", "weak", "breathing", "still", "unknown"],
)
def test_what_is_not_rhythmic_or_strong_has_none(values: np.ndarray) -> None:
    seconds = motion.seconds(values, times(1280, 32), 32)
    assert np.mean(np.isfinite(seconds.cadence_per_min)) < 0.05


@settings(max_examples=25)
@given(cut=st.integers(0, 2000), seed=st.integers(0, 5), rate_hz=st.sampled_from([26.0, 32.0]))
def test_a_piece_tells_what_the_whole_tells_to_the_last_bit(
    cut: int, seed: int, rate_hz: float
) -> None:
    rng = np.random.default_rng(seed)
    values = swinging(3000 / rate_hz, rate_hz, 80) + rng.normal(0, 40, (3000, 3))
    all_ns = times(3000, rate_hz, 17)
    whole = motion.seconds(values, all_ns, rate_hz)
    piece = motion.seconds(values[cut:], all_ns[cut:], rate_hz)
    exact = piece.end_ns - SECOND_NS > all_ns[cut] + motion.REACH_S * 1e9
    there = np.isin(whole.end_ns, piece.end_ns[exact])
    for column in ("activity_mg", "cadence_per_min"):
        before, after = getattr(whole, column)[there], getattr(piece, column)[exact]
        assert before.tobytes() == after.tobytes()
        assert np.isfinite(after).any()
