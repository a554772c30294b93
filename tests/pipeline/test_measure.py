"""Which source a window speaks by, and what it then says."""

from dataclasses import replace

import numpy as np
import pytest

from diastole.edge.chunks import Chunk, Floats, join
from diastole.edge.pipeline.measure import BEATS, HEART_RATE, Measured
from diastole.edge.pipeline.observations import SOURCES
from diastole.edge.pipeline.windows import LONG_NS, WINDOW_NS
from diastole.edge.records import SECOND_NS, BeatKind, HeartRateKind
from diastole.edge.schema import FEATURE_NAMES
from tests.pipeline.walking import measured
from tests.strategies import REST, START_NS, Stretch, beats_at, heart_rates, recording, without

TEN_MINUTES = recording(Stretch(10, 62, 40, 4))
EVERY_SECOND = START_NS + SECOND_NS * np.arange(1, 121)


def feature(seen: Measured, name: str) -> Floats:
    column: Floats = seen.features[:, FEATURE_NAMES.index(name)]
    return column


def beats_of(kind: BeatKind, from_s: float, to_s: float, rr_ms: float) -> Chunk:
    beats = beats_at(np.full(int(120_000 / rr_ms), rr_ms), START_NS, kind)
    part = Chunk(START_NS, ("watch",), beats=beats)
    return without(without(part, 0, from_s), to_s, 999)


def rates_of(kind: HeartRateKind, bpm: float) -> Chunk:
    return Chunk(START_NS, ("watch",), heart_rates=heart_rates(EVERY_SECOND, bpm, kind))


RR = beats_of(BeatKind.RR, 60, 120, 800)
PPI = beats_of(BeatKind.PPI, 60, 120, 810)
PPG = beats_of(BeatKind.PPG, 60, 120, 820)
SPECTRAL = rates_of(HeartRateKind.SPECTRAL, 81)
DEVICE = rates_of(HeartRateKind.DEVICE, 82)
SOME_RR = beats_of(BeatKind.RR, 60, 75, 800)
THIRD_SPECTRAL = replace(SPECTRAL, heart_rates=SPECTRAL.heart_rates[::3])
SOME_PPG = beats_of(BeatKind.PPG, 60, 88, 820)
LESS_PPG = beats_of(BeatKind.PPG, 60, 70, 820)


@pytest.mark.parametrize(
    ("given", "source", "grade", "bpm"),
    [
        ((DEVICE, SPECTRAL, PPG, PPI, RR), "rr", BEATS, 75.0),
        ((DEVICE, SPECTRAL, PPG, PPI), "ppi", BEATS, 60_000 / 810),
        ((DEVICE, SPECTRAL, PPG), "ppg", BEATS, 60_000 / 820),
        ((DEVICE, SPECTRAL), "spectral", HEART_RATE, 81.0),
        ((DEVICE,), "device", HEART_RATE, 82.0),
        ((SOME_RR, PPG), "ppg", BEATS, 60_000 / 820),
        ((SOME_RR, LESS_PPG, DEVICE), "device", HEART_RATE, 82.0),
        ((SOME_PPG, SPECTRAL), "spectral", HEART_RATE, 81.0),
        ((SOME_PPG, THIRD_SPECTRAL), "ppg", BEATS, 60_000 / 820),
        ((SOME_PPG, DEVICE), "ppg", BEATS, 60_000 / 820),
        ((LESS_PPG, THIRD_SPECTRAL), "spectral", HEART_RATE, 81.0),
        ((SOME_RR, LESS_PPG), "rr", HEART_RATE, 75.0),
    ],
)
def test_the_first_source_that_covers_enough_is_chosen(
    given: tuple[Chunk, ...], source: str, grade: int, bpm: float
) -> None:
    seen = measured(replace(join(given), until_ns=START_NS + 130 * SECOND_NS))
    last = int(np.flatnonzero(seen.ends_ns == START_NS + 120 * SECOND_NS)[0])
    assert SOURCES[seen.source[last]] == source
    assert seen.grade[last] == grade
    assert seen.hr_bpm[last] == pytest.approx(bpm, abs=1e-9)
    assert feature(seen, "hr_mean_bpm")[last] == pytest.approx(bpm, abs=1e-9)
    variability = np.delete(seen.features[last], FEATURE_NAMES.index("hr_mean_bpm"))
    assert np.isfinite(variability).any() == (grade == BEATS)


def test_the_device_s_average_of_what_our_track_does_not_trust_is_not_taken() -> None:
    untold = SPECTRAL.heart_rates.copy()
    untold["hr_bpm"] = np.nan
    given = join([DEVICE, replace(SPECTRAL, heart_rates=untold)])
    seen = measured(replace(given, until_ns=START_NS + 130 * SECOND_NS))
    assert {SOURCES[place] for place in seen.source} == {"none"}
    assert np.isnan(seen.hr_bpm).all()
    assert not seen.coverage.any()


def test_kinds_are_never_mixed_in_a_window() -> None:
    seen = measured(replace(join([RR, PPG]), until_ns=START_NS + 130 * SECOND_NS))
    last = int(np.flatnonzero(seen.ends_ns == START_NS + 120 * SECOND_NS)[0])
    assert seen.beats[last] == 75
    assert feature(seen, "sdnn_ms")[last] == 0


def test_nothing_to_speak_by_is_said() -> None:
    chunk = recording(REST)
    beats = chunk.beats.copy()
    beats["contact"] = 0
    seen = measured(replace(chunk, beats=beats))
    assert {SOURCES[place] for place in seen.source} == {"none"}
    assert np.isnan(seen.features).all()
    assert np.isnan(seen.hr_bpm).all()
    assert not seen.coverage.any()
    assert not seen.beats.any()


def test_variability_that_one_pair_makes_is_not_given() -> None:
    rr = np.full(300, 800.0)
    rr[150] = 790.0  # ends at 120 s: two pairs of 10 ms, each half of all
    chunk = Chunk(START_NS + 200 * SECOND_NS, ("strap",), beats=beats_at(rr, START_NS))
    seen = measured(chunk)
    end_s = (seen.ends_ns - START_NS) / SECOND_NS
    spoilt = (end_s >= 125) & (end_s < 180)
    assert (seen.grade[spoilt] == HEART_RATE).all()
    assert (seen.grade[(end_s >= 60) & (end_s < 120)] == BEATS).all()
    assert {SOURCES[place] for place in seen.source} == {"rr"}
    rate = FEATURE_NAMES.index("hr_mean_bpm")
    assert np.isnan(np.delete(seen.features[spoilt], rate, axis=1)).all()
    np.testing.assert_allclose(seen.features[spoilt, rate], 60_000 / (800 - 10 / 75), rtol=1e-4)
    assert (seen.coverage[spoilt] > 0.97).all()


def test_five_minutes_are_held_to_it_by_themselves() -> None:
    rr = np.full(800, 800.0)
    rr[150] = 790.0  # in the five minutes of 150 to 390 s, in the minute until 180 s
    chunk = Chunk(START_NS + 600 * SECOND_NS, ("strap",), beats=beats_at(rr, START_NS))
    seen = measured(chunk)
    end_s = (seen.ends_ns - START_NS) / SECOND_NS
    long = feature(seen, "rmssd_ms_300s")
    spoilt, sound = (end_s >= 300) & (end_s < 420), (end_s >= 450)
    assert (feature(seen, "rmssd_ms")[spoilt] == 0).all()
    assert np.isnan(long[spoilt]).all()
    assert (long[sound] == 0).all()


def rmssd(end_ns: int, length_ns: int) -> float:
    beats = TEN_MINUTES.beats
    inside = (beats["time_ns"] > end_ns - length_ns) & (beats["time_ns"] <= end_ns)
    return float(np.sqrt(np.mean(np.diff(beats["rr_ms"][inside]) ** 2)))


def test_a_minute_says_what_its_beats_say() -> None:
    seen = measured(TEN_MINUTES)
    for place in range(20, len(seen.ends_ns), 17):
        end = int(seen.ends_ns[place])
        beats = TEN_MINUTES.beats
        inside = (beats["time_ns"] > end - WINDOW_NS) & (beats["time_ns"] <= end)
        assert seen.beats[place] == inside.sum()
        assert feature(seen, "rmssd_ms")[place] == pytest.approx(rmssd(end, WINDOW_NS), rel=1e-9)
        assert seen.hr_bpm[place] == pytest.approx(60_000 / beats["rr_ms"][inside].mean())


def test_five_minutes_are_told_each_half_minute_and_carried_between() -> None:
    seen = measured(TEN_MINUTES)
    long = feature(seen, "rmssd_ms_300s")
    anchors = seen.ends_ns // (30 * SECOND_NS) * (30 * SECOND_NS)
    begun = anchors - START_NS >= LONG_NS
    assert begun.sum() > 50
    assert np.isnan(long[anchors - START_NS < 200 * SECOND_NS]).all()
    for place in np.flatnonzero(begun):
        assert long[place] == pytest.approx(rmssd(int(anchors[place]), LONG_NS), rel=1e-9)
    assert len(set(long[begun])) == len(set(anchors[begun]))


def test_a_device_rate_covers_the_seconds_that_have_a_value() -> None:
    times = START_NS + SECOND_NS * np.arange(1, 61)
    bpm = np.full(60, 80.0)
    bpm[:6] = 0  # the usual word for none
    bpm[6:9] = np.nan
    rates = heart_rates(times, bpm)
    rates["contact"][9:12] = 0
    again = heart_rates(times[50:] - SECOND_NS // 4, 110.0)  # twice in a second
    chunk = join([Chunk(0, ("watch",), heart_rates=rows) for rows in (rates, again)])
    seen = measured(replace(chunk, until_ns=int(times[-1]) + 1))
    assert seen.coverage[-1] == 48 / 60
    assert seen.hr_bpm[-1] == pytest.approx((48 * 80 + 10 * 110) / 58)
    assert seen.beats[-1] == 0
