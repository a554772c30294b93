import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diastole.edge.chunks import Floats
from diastole.edge.signal import pulse
from tests.signal.waves import beat_times_s, pulse_wave

RATES = (25.0, 64.0, 100.0, 135.0)


def found_s(wave: Floats, rate_hz: float) -> Floats:
    return pulse.find(wave, 0, rate_hz).places / rate_hz


def inner(times_s: Floats) -> Floats:
    return times_s[(times_s > 2) & (times_s < 118)]


@pytest.mark.parametrize("rate_hz", RATES)
@pytest.mark.parametrize(("mean_s", "within_s"), [(0.5, 0.01), (0.8, 0.002), (1.2, 0.002)])
def test_all_pulses_are_found_where_they_rise(
    rate_hz: float, mean_s: float, within_s: float
) -> None:
    # at 120 a minute each pulse rises out of the one before, which moves where it is steepest
    true_s = beat_times_s(120, mean_s=mean_s)
    wave = pulse_wave(true_s, 120, rate_hz, width_s=0.09 * min(1, mean_s / 0.8))
    found = inner(found_s(wave, rate_hz))
    true_s = inner(true_s)
    assert len(found) == len(true_s)
    off_s = found - true_s
    assert np.abs(off_s).max() < 0.02
    assert np.abs(off_s - np.median(off_s)).max() < within_s


@pytest.mark.parametrize("rate_hz", [25.0, 64.0])
def test_places_between_samples_make_a_truer_rmssd(rate_hz: float) -> None:
    true_s = beat_times_s(120, seed=3)
    found = inner(found_s(pulse_wave(true_s, 120, rate_hz), rate_hz))
    true_s = inner(true_s)

    def rmssd_error_ms(times_s: Floats) -> float:
        wrong = np.diff(times_s, 2) - np.diff(true_s, 2)
        return float(np.sqrt(np.mean(wrong**2)) * 1000)

    whole = np.rint(found * rate_hz) / rate_hz
    assert rmssd_error_ms(found) < 0.2 * rmssd_error_ms(whole)


@settings(max_examples=25)
@given(begin=st.integers(0, 3000), length=st.integers(1, 3000), rate_hz=st.sampled_from(RATES))
def test_a_piece_tells_what_the_whole_tells_to_the_last_bit(
    begin: int, length: int, rate_hz: float
) -> None:
    seconds = 6000 / rate_hz
    noise = np.random.default_rng(0).normal(0, 15, 6000)
    wave = pulse_wave(beat_times_s(seconds), seconds, rate_hz) + noise
    reach = round(pulse.REACH_S * rate_hz) + 2
    low, high = max(0, begin - reach), min(6000, begin + length + reach)
    whole, piece = pulse.find(wave, 0, rate_hz), pulse.find(wave[low:high], low, rate_hz)
    inside, there = (
        (p.places >= begin) & (p.places < min(6000, begin + length)) for p in (whole, piece)
    )
    assert whole.places[inside].tobytes() == piece.places[there].tobytes()
    assert whole.quality[inside].tobytes() == piece.quality[there].tobytes()


def test_quality_tells_pulses_from_noise() -> None:
    wave = pulse_wave(beat_times_s(120), 120, 64)
    noise = np.random.default_rng(0).normal(0, 20, len(wave))
    clean = pulse.find(wave, 0, 64).quality[2:-2]
    lost = pulse.find(noise, 0, 64).quality
    assert clean.min() > 0.9
    assert lost.min() >= 0
    assert np.mean(lost) < 0.5


def test_drift_and_unit_do_not_matter() -> None:
    wave = pulse_wave(beat_times_s(60), 60, 64)
    drift = 1e6 + 200 * np.sin(2 * np.pi * 0.05 * np.arange(len(wave)) / 64)
    assert found_s(1000 * wave + drift, 64) == pytest.approx(found_s(wave, 64), abs=0.005)


@pytest.mark.parametrize("n", [0, 1, 2, 10, 100, 1000])
@pytest.mark.parametrize("level", [0.0, 524_288.3, np.nan, np.inf])
def test_a_flat_or_unknown_wave_has_no_pulses(n: int, level: float) -> None:
    found = pulse.find(np.full(n, level), 0, 64)
    assert len(found.places) == len(found.quality) == 0


def test_no_pulse_within_reach_of_an_unknown_sample() -> None:
    wave = pulse_wave(beat_times_s(60), 60, 64)
    known = found_s(wave, 64)
    wave[64 * 30] = np.nan
    found = found_s(wave, 64)
    assert not ((found > 29) & (found < 31)).any()
    far = np.abs(known - 30) > pulse.REACH_S
    assert np.isin(known[far], found).all()


def test_too_slow_a_wave_says_nothing() -> None:
    assert not len(pulse.find(pulse_wave(beat_times_s(60), 60, 16), 0, 16).places)
