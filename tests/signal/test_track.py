import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diastole.edge.chunks import Floats, Ints
from diastole.edge.records import SECOND_NS
from diastole.edge.signal import track
from tests.signal.waves import START_NS, beat_times_s, pulse_wave, swinging

SECONDS = 90


def whole_seconds(seconds: float = SECONDS) -> Ints:
    return track.seconds_ns(START_NS, START_NS + round(seconds * SECOND_NS))


def told_bpm(wave: Floats, acc_mg: Floats | None = None, rate_hz: float = 64) -> Floats:
    acc_mg = np.zeros((len(wave), 3)) if acc_mg is None else acc_mg
    asked = track.ask(wave, acc_mg, 0, rate_hz, START_NS, whole_seconds(len(wave) / rate_hz))
    _, bpm = track.follow(track.begin(), asked)
    return bpm


def times_at(bpm: float) -> Floats:
    """Give beats that breathe, faster ones by as small a share."""
    return beat_times_s(SECONDS * bpm / 75, 0, 0.8) * 75 / bpm


def pulse_at(bpm: float, rate_hz: float = 64) -> Floats:
    width_s = 0.09 * min(1.0, 75 / bpm)
    return pulse_wave(times_at(bpm), SECONDS, rate_hz, width_s)


@pytest.mark.parametrize("rate_hz", [25.0, 64.0, 125.0])
@pytest.mark.parametrize("bpm", [45, 75, 120, 170])
def test_the_rate_of_a_pulse_at_any_sampling(bpm: float, rate_hz: float) -> None:
    told = told_bpm(pulse_at(bpm, rate_hz), rate_hz=rate_hz)[15:-15]
    true_s = times_at(bpm)
    true = 60 / np.diff(true_s[(true_s > 15) & (true_s < SECONDS - 15)]).mean()
    assert np.isfinite(told).all()
    assert np.mean(told) == pytest.approx(true, rel=0.02)
    assert np.abs(told - true).max() < 0.1 * true


def test_movement_that_acceleration_explains_is_taken_out() -> None:
    wave, moved = pulse_at(75), swinging(SECONDS, 64, 100)
    late = np.roll(moved[:, 0], 9)  # movement shows in the pulse wave by a phase of its own
    spoilt = wave + 1.5 * wave.std() / late.std() * late
    blind = told_bpm(spoilt)[15:-15]
    seen = told_bpm(spoilt, moved)[15:-15]
    assert np.mean(np.abs(blind - 100) < 4) > 0.8
    assert np.mean(np.abs(seen - 75) < 4) > 0.9


def test_the_rate_is_followed_as_it_rises() -> None:
    bpm = np.linspace(60, 110, 2 * SECONDS)
    times_s = np.cumsum(60 / bpm)
    times_s = times_s[times_s < SECONDS]
    told = told_bpm(pulse_wave(times_s, SECONDS, 64))
    at_s = np.arange(15, SECONDS - 15)
    true = np.interp(at_s, times_s[1:], 60 / np.diff(times_s))
    assert np.abs(told[15:-15][: len(at_s)] - true).max() < 6


def test_noise_is_not_trusted_and_a_pulse_is() -> None:
    noise = np.random.default_rng(0).normal(0, 20, SECONDS * 64)
    assert np.isfinite(told_bpm(pulse_at(75))[6:-6]).all()
    assert np.isfinite(told_bpm(noise)).mean() < 0.35


@pytest.mark.parametrize("level", [0.0, 524_288.3, np.nan, np.inf])
@pytest.mark.parametrize("n", [0, 1, 100, 3000])
def test_a_flat_or_unknown_wave_has_no_rate(n: int, level: float) -> None:
    assert not np.isfinite(told_bpm(np.full(n, level))).any()


def test_nothing_is_told_where_the_span_is_not_all_known() -> None:
    wave = pulse_at(75)
    wave[64 * 45] = np.nan
    told = told_bpm(wave)
    assert not np.isfinite(told[42:49]).any()
    assert np.isfinite(told[15:36]).all()
    assert np.isfinite(told[56:75]).all()
    assert not np.isfinite(told[:3]).any()
    assert not np.isfinite(told[-3:]).any()


def test_too_slow_a_wave_says_nothing() -> None:
    assert not np.isfinite(told_bpm(pulse_at(75, 16), rate_hz=16)).any()


def test_unit_and_drift_do_not_matter() -> None:
    wave = pulse_at(75)
    drift = 1e6 + 200 * np.sin(2 * np.pi * 0.05 * np.arange(len(wave)) / 64)
    given, other = told_bpm(wave)[15:-15], told_bpm(1000 * wave + drift)[15:-15]
    assert other == pytest.approx(given, rel=0.01)


@settings(max_examples=25)
@given(
    begin=st.integers(0, SECONDS - 2),
    length=st.integers(1, 40),
    rate_hz=st.sampled_from([25.0, 64.0, 100.0, 135.0]),
)
def test_a_piece_answers_what_the_whole_answers_to_the_last_bit(
    begin: int, length: int, rate_hz: float
) -> None:
    wave = pulse_at(75, rate_hz) + np.random.default_rng(0).normal(0, 15, round(SECONDS * rate_hz))
    moved = swinging(SECONDS, rate_hz, 90)[: len(wave)]
    times_ns = whole_seconds()[begin : begin + length]
    low_s, high_s = ((times_ns[i] - START_NS) / SECOND_NS for i in (0, -1))
    low = max(0, int((low_s - track.REACH_S) * rate_hz) - 1)
    high = int((high_s + track.REACH_S) * rate_hz) + 2
    whole = track.ask(wave, moved, 0, rate_hz, START_NS, times_ns)
    piece = track.ask(wave[low:high], moved[low:high], low, rate_hz, START_NS, times_ns)
    assert whole.likelihood.tobytes() == piece.likelihood.tobytes()
    assert whole.share.tobytes() == piece.share.tobytes()


def test_a_belief_is_all_that_goes_on() -> None:
    wave = pulse_at(75)
    asked = track.ask(wave, np.zeros((len(wave), 3)), 0, 64, START_NS, whole_seconds())
    belief, bpm = track.follow(track.begin(), asked)
    halves = [track.Asked(*(part[which] for part in asked)) for which in (slice(33), slice(33, 99))]
    middle, first = track.follow(track.begin(), halves[0])
    last, second = track.follow(middle, halves[1])
    assert last.tobytes() == belief.tobytes()
    assert np.concatenate([first, second]).tobytes() == bpm.tobytes()
    assert belief.sum() == pytest.approx(1)
