"""A simulated heart is believable: its rate, its variability, its breath, its recovery."""

import numpy as np
import pytest

from diastole.edge.chunks import Floats
from diastole.edge.sources.heart import beats, course
from diastole.edge.sources.noise import wander
from diastole.edge.sources.scenario import Activity, Fault, FaultKind, Scenario, Wearer
from diastole.edge.sources.simulate import heart
from diastole.edge.sources.states import STATES
from tests.sources.stories import chapter, story

WEARERS = [
    Wearer(),
    Wearer(hr_rest_bpm=52, hr_max_bpm=195, rmssd_rest_ms=75),
    Wearer(hr_rest_bpm=80, hr_max_bpm=175, rmssd_rest_ms=18),
]


def minutes_of(scenario: Scenario, seed: int) -> tuple[Floats, Floats]:
    """Heart rate and RMSSD of each whole minute."""
    times = heart(scenario, seed).times_s
    parts = [
        np.diff(times[(times >= 60 * m) & (times < 60 * m + 60)]) * 1000
        for m in range(int(scenario.edges_s[-1] / 60))
    ]
    return (
        np.array([60_000 / part.mean() for part in parts]),
        np.array([np.sqrt(np.mean(np.diff(part) ** 2)) for part in parts]),
    )


@pytest.mark.parametrize("wearer", WEARERS, ids=["usual", "athlete", "older"])
@pytest.mark.parametrize("activity", Activity)
def test_each_activity_has_its_heart_rate_and_variability(
    activity: Activity, wearer: Wearer
) -> None:
    state = STATES[activity]
    for seed in range(3):
        hr_bpm, rmssd_ms = minutes_of(story(chapter(activity, 60), wearer=wearer), seed)
        assert hr_bpm.mean() == pytest.approx(state.hr_bpm(wearer), rel=0.02)
        assert np.median(rmssd_ms) == pytest.approx(state.rmssd_ms(wearer), rel=0.10)


def test_strain_lowers_variability_and_sleep_raises_it() -> None:
    doing = (Activity.STAIRS, Activity.STRESS, Activity.REST, Activity.SLEEP)
    medians = [np.median(minutes_of(story(chapter(one, 20)), 1)[1]) for one in doing]
    assert medians == sorted(medians)
    assert medians[3] > 2 * medians[1]


@pytest.mark.parametrize(
    "activity", [Activity.REST, Activity.SLEEP, Activity.MEAL, Activity.STRESS]
)
def test_breathing_shows_as_a_peak_in_the_hf_band_and_the_mayer_wave_below(
    activity: Activity,
) -> None:
    times = heart(story(chapter(activity, 30)), 2).times_s
    grid = np.arange(times[1], times[-1], 0.25)
    rr_ms = np.interp(grid, times[1:], np.diff(times) * 1000)
    pieces = rr_ms[: len(rr_ms) // 512 * 512].reshape(-1, 512)
    pieces = (pieces - pieces.mean(1, keepdims=True)) * np.hanning(512)
    power = (np.abs(np.fft.rfft(pieces)) ** 2).mean(0)
    f = np.fft.rfftfreq(512, 0.25)
    hf = (f >= 0.15) & (f < 0.4)
    peak_hz = f[hf][power[hf].argmax()]
    assert peak_hz == pytest.approx(STATES[activity].breaths_per_min / 60, abs=0.035)
    between = (f >= 0.13) & (f < 0.16)
    mayer = (f >= 0.08) & (f < 0.115)
    assert power[hf].max() > 3 * power[(f >= 0.36) & (f < 0.5)].mean()
    assert power[mayer].max() > 3 * power[between].mean()


def test_the_rate_drifts_more_the_longer_one_looks() -> None:
    hr_bpm, _ = minutes_of(story(chapter(Activity.REST, 120)), 4)
    step = np.abs(np.diff(hr_bpm)).mean()
    far = np.abs(hr_bpm[20:] - hr_bpm[:-20]).mean()
    assert 1.2 * step < far < 8


def test_work_raises_the_rate_fast_and_rest_brings_it_down_slowly() -> None:
    rest, stairs = Activity.REST, Activity.STAIRS
    followed = course(story(chapter(rest, 2), chapter(stairs, 5), chapter(rest, 10))).hr_bpm
    low, high = (STATES[one].hr_bpm(Wearer()) for one in (rest, stairs))
    half = (low + high) / 2
    up = np.flatnonzero(followed > half)[0] / 10 - 120
    down = np.flatnonzero(followed > half)[-1] / 10 - 420
    assert 15 < up < 30
    assert 1.5 * up < down < 75
    assert followed[-1] == pytest.approx(low, abs=0.5)


def test_an_ectopic_beat_is_early_and_the_next_is_not() -> None:
    ill = story(chapter(Activity.REST, 10, Fault(kind=FaultKind.ECTOPIC, at_min=2, minutes=5)))
    found = beats(ill, np.random.default_rng(3))
    well = beats(story(chapter(Activity.REST, 10)), np.random.default_rng(3))
    at = np.flatnonzero(found.ectopic)
    assert len(at) == 20
    assert (np.diff(at) > 2).all()
    rr, usual = (np.diff(one.times_s, prepend=0) for one in (found, well))
    assert ((rr[at] > 0.57 * usual[at]) & (rr[at] < 0.73 * usual[at])).all()
    assert rr[at] + rr[at + 1] == pytest.approx(usual[at] + usual[at + 1])
    assert np.array_equal(found.times_s[~found.ectopic], well.times_s[~found.ectopic])
    assert (found.times_s[at] > 120).all()
    assert (found.times_s[at] < 420).all()


def test_noise_has_the_band_and_variance_it_is_asked_for() -> None:
    noise = np.stack([wander(np.random.default_rng(k), 4096, 1, (0.01, 0.1), 1) for k in range(40)])
    power = (np.abs(np.fft.rfft(noise)) ** 2).mean(0)
    f = np.fft.rfftfreq(4096, 1)
    assert noise.var() == pytest.approx(1, rel=0.1)
    assert power[(f < 0.0099) | (f > 0.1001)].max() < 1e-9 * power.max()
    low, high = power[(f > 0.01) & (f < 0.02)].mean(), power[(f > 0.05) & (f < 0.1)].mean()
    assert low / high == pytest.approx(5, rel=0.25)
    assert (wander(np.random.default_rng(0), 30, 1, (0.001, 0.01), 1) == 0).all()
