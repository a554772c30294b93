"""Laws of both engines: they agree, and neither clock nor company changes a window."""

import csv
import io
import zipfile
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import neurokit2
import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from diastole.edge.chunks import Floats, Ints, rr_ns
from diastole.edge.errors import InputError, MissingExtra
from diastole.edge.features import ENGINES, engine, neurokit
from diastole.edge.records import SECOND_NS
from diastole.edge.schema import FEATURES, FEATURES_60S, FEATURES_300S, Feature
from tests.features.agreement import agree
from tests.features.strategies import (
    FEW,
    FIVE_MINUTES,
    MINUTE,
    Windows,
    one_window,
    windows,
)

DEFINING = engine("neurokit")
OURS = engine("vectorised")
SHORT, LONG = FEATURES_60S, FEATURES_300S
SMOOTH = 1900 + 0.6 * np.linspace(0, 1, 250) ** 2
"""Intervals with no more power in HF than rounding gives."""


def touching(rr_ms: Floats) -> Windows:
    """One minute of beats without a hole."""
    return one_window(rr_ms, np.cumsum(rr_ns(rr_ms)), 60)


def late_by_a_rounding() -> Windows:
    """Beats 10 ms late in whole nanoseconds, and by a last bit more in NeuroKit2's arithmetic."""
    rr_ms = np.nextafter(np.tile([802.5, 740.0], 38), 0)
    return one_window(rr_ms, np.cumsum(rr_ns(rr_ms) + 10_000_000), 60)


def named(spec: tuple[Feature, ...], row: Floats) -> dict[str, float]:
    """Values of a window by feature."""
    return {feature.name: float(value) for feature, value in zip(spec, row, strict=True)}


@example(touching(np.full(70, 812.5)))
@example(touching(np.linspace(700, 820, 61)))
@example(late_by_a_rounding())
@settings(max_examples=150)
@given(windows(FEW | MINUTE, 60))
def test_engines_agree_on_any_minute(odd: Windows) -> None:
    assert agree(OURS.compute(SHORT, *odd.columns()), DEFINING.compute(SHORT, *odd.columns()))


@example(one_window(SMOOTH, np.cumsum(rr_ns(SMOOTH)), 300))
@settings(max_examples=100)
@given(windows(FIVE_MINUTES, 300))
def test_engines_agree_on_any_five_minutes(odd: Windows) -> None:
    assert agree(OURS.compute(LONG, *odd.columns()), DEFINING.compute(LONG, *odd.columns()))


@settings(max_examples=60)
@given(st.one_of(windows(MINUTE, 60), windows(FIVE_MINUTES, 300)))
def test_a_window_is_the_same_alone_and_among_others(odd: Windows) -> None:
    assume(len(odd.low) > 1)
    together = OURS.compute(FEATURES, *odd.columns())
    alone = [OURS.compute(FEATURES, *odd.only(place)) for place in range(len(odd.low))]
    assert agree(np.concatenate(alone), together, 1e-12)


@pytest.mark.parametrize("name", ENGINES)
@settings(max_examples=25)
@given(odd=windows(MINUTE, 60), shift_ns=st.integers(-(10**17), 10**17))
def test_the_clock_changes_nothing(name: str, odd: Windows, shift_ns: int) -> None:
    rr_ms, end_ns, *bounds = odd.columns()
    here = engine(name).compute(SHORT, rr_ms, end_ns, *bounds)
    there = engine(name).compute(SHORT, rr_ms, end_ns + shift_ns, *bounds)
    assert agree(here, there)


@pytest.mark.parametrize("name", ENGINES)
def test_nothing_in_nothing_out(name: str) -> None:
    rr_ms, end_ns, none = np.empty(0), np.empty(0, np.int64), np.empty(0, np.int64)
    assert engine(name).compute(SHORT, rr_ms, end_ns, none, none, none).shape == (0, len(SHORT))
    zero, covered = np.array([0]), np.array([60 * SECOND_NS])
    empty = engine(name).compute(SHORT, rr_ms, end_ns, zero, zero, covered)
    assert empty.shape == (1, len(SHORT))
    assert np.isnan(empty).all()


@pytest.mark.parametrize("name", ENGINES)
def test_empty_windows_beside_full_ones(name: str) -> None:
    rr_ms = np.tile([800.0, 850.0, 780.0], 25)
    low, high = np.array([0, 0, 40, 75]), np.array([0, 75, 40, 75])
    covered = np.full(4, 60 * SECOND_NS)
    found = engine(name).compute(SHORT, rr_ms, np.cumsum(rr_ns(rr_ms)), low, high, covered)
    assert np.isfinite(found[1]).all()
    assert np.isnan(found[[0, 2, 3]]).all()


@pytest.mark.parametrize("name", ENGINES)
def test_values_computed_by_hand(name: str) -> None:
    # Twice 32 touching beats, 100 ms up and down by turns; across the hole of 1 s it is 200 ms.
    rr_ms = np.array([800.0, 900.0] * 16 + [1100.0, 1000.0] * 16)
    end_ns = np.cumsum(rr_ns(rr_ms))
    end_ns[32:] += SECOND_NS
    found = named(SHORT, engine(name).compute(SHORT, *one_window(rr_ms, end_ns, 60).columns())[0])
    assert found["rmssd_ms"] == pytest.approx(100)
    assert found["sdsd_ms"] == pytest.approx(np.sqrt(62 / 61) * 100)
    assert found["pnn50_pct"] == pytest.approx(100 * 62 / 63)
    assert found["sd2_ms"] == pytest.approx(np.sqrt(62 / 61) * 200 / np.sqrt(2))
    assert found["mean_nn_ms"] == found["median_nn_ms"] == 950
    assert found["hr_mean_bpm"] == pytest.approx(60_000 / 950)
    assert (found["min_nn_ms"], found["max_nn_ms"]) == (800, 1100)
    assert (found["prc20_nn_ms"], found["prc80_nn_ms"]) == (800, 1100)
    assert found["mad_nn_ms"] == pytest.approx(1.4826 * 100)


@pytest.mark.parametrize("name", ENGINES)
def test_isolated_beats_give_a_heart_rate_and_no_rmssd(name: str) -> None:
    rr_ms = np.tile([800.0, 950.0], 20)
    lonely = one_window(rr_ms, np.arange(40) * 1500 * 10**6, 60)
    found = named(SHORT, engine(name).compute(SHORT, *lonely.columns())[0])
    assert found["hr_mean_bpm"] == pytest.approx(60_000 / 875)
    assert np.isnan(found["rmssd_ms"])


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize(("late_ns", "exists"), [(10**7, True), (10**7 + 1, False)])
def test_beats_touch_where_10_ms_lie_between(name: str, late_ns: int, exists: bool) -> None:
    rr_ms = np.tile([800.0, 850.0, 780.0], 25)
    late = one_window(rr_ms, np.cumsum(rr_ns(rr_ms) + late_ns), 60)
    found = named(SHORT, engine(name).compute(SHORT, *late.columns())[0])
    assert np.isfinite(found["rmssd_ms"]) == exists


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize(("hole_ns", "exists"), [(3 * 10**9, True), (3 * 10**9 + 1, False)])
def test_no_spectrum_across_a_hole_of_over_3_s(name: str, hole_ns: int, exists: bool) -> None:
    rr_ms = np.tile([800.0, 850.0, 780.0], 25)
    end_ns = np.cumsum(rr_ns(rr_ms))
    end_ns[40:] += hole_ns
    found = named(SHORT, engine(name).compute(SHORT, *one_window(rr_ms, end_ns, 60).columns())[0])
    assert np.isfinite(found["hf_ms2"]) == exists


@pytest.mark.parametrize("name", ENGINES)
def test_a_flat_window_has_no_spectrum_and_no_ratio(name: str) -> None:
    found = named(SHORT, engine(name).compute(SHORT, *touching(np.full(75, 800.0)).columns())[0])
    assert found["rmssd_ms"] == 0
    assert all(np.isnan(found[key]) for key in ("hf_ms2", "ln_hf", "sdrmssd", "sd1sd2", "cvi"))


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize(("step_ms", "exists"), [(290, True), (289, False), (0, False)])
def test_no_spectrum_through_doubled_beats(name: str, step_ms: int, exists: bool) -> None:
    rr_ms = np.tile([800.0, 850.0, 780.0], 25)
    steps = rr_ns(rr_ms)
    steps[40] = step_ms * 10**6
    doubled = one_window(rr_ms, np.cumsum(steps), 60)
    found = named(SHORT, engine(name).compute(SHORT, *doubled.columns())[0])
    assert np.isfinite(found["hf_ms2"]) == exists
    assert np.isfinite(found["rmssd_ms"])


def real_beats(path: Path) -> tuple[Floats, Ints]:
    """Intervals and their ends in an E4 export, counted from its start."""
    with zipfile.ZipFile(path) as export:
        name = next(name for name in export.namelist() if name.endswith("IBI.csv"))
        lines = csv.reader(io.StringIO(export.read(name).decode()))
        next(lines)
        ends_s, rr_s = np.array(list(lines), np.float64).T
    rr_ms = rr_s * 1000
    kept = (rr_ms >= 300) & (rr_ms <= 2000)
    return rr_ms[kept], np.rint(ends_s[kept] * SECOND_NS).astype(np.int64)


def sliding(rr_ms: Floats, end_ns: Ints, span_s: int, hop_s: int) -> Windows:
    """Windows over the beats, each said to be covered: more values to compare."""
    ends = np.arange(end_ns[0] + span_s * SECOND_NS, end_ns[-1], hop_s * SECOND_NS)
    low = np.searchsorted(end_ns, ends - span_s * SECOND_NS, "right")
    high = np.searchsorted(end_ns, ends, "right")
    return Windows(rr_ms, end_ns, low, high, np.full(len(low), span_s * SECOND_NS))


@pytest.mark.parametrize("session", ["hongn/stress/S01.zip", "hongn/aerobic/S05.zip"])
def test_engines_agree_on_real_beats(shared: Path, session: str) -> None:
    rr_ms, end_ns = real_beats(shared / session)
    for spec, span_s, hop_s in ((SHORT, 60, 40), (LONG, 300, 200)):
        real = sliding(rr_ms, end_ns, span_s, hop_s)
        ours = OURS.compute(spec, *real.columns())
        assert np.isfinite(ours[:, 0]).any()
        assert agree(ours, DEFINING.compute(spec, *real.columns()))


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.filterwarnings("ignore")  # NeuroKit2's own, of a short recording
def test_a_real_minute_has_the_values_that_neurokit2_gives(shared: Path, name: str) -> None:
    rr_ms, end_ns = real_beats(shared / "hongn" / "stress" / "S01.zip")
    minutes = sliding(rr_ms, end_ns, 60, 5)
    place = int(np.isfinite(OURS.compute(SHORT, *minutes.columns())).sum(axis=1).argmax())
    stretch = slice(minutes.low[place], minutes.high[place])
    beats = {
        "RRI": rr_ms[stretch],
        "RRI_Time": (end_ns[stretch] - end_ns[stretch][0]) / SECOND_NS,
    }
    defined = {
        **neurokit2.hrv_time(beats).iloc[0],
        **neurokit2.hrv_nonlinear(beats).iloc[0],
        **neurokit2.hrv_frequency(beats, normalize=False, interpolation_rate=4).iloc[0],
    }
    defined["HRV_60000/MeanNN"] = 60_000 / defined["HRV_MeanNN"]
    found = engine(name).compute(SHORT, *minutes.only(place))[0]
    assert found == pytest.approx([defined[f"HRV_{f.neurokit}"] for f in SHORT], rel=1e-9)


def test_without_neurokit2_its_engine_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_: str) -> str:
        raise PackageNotFoundError

    monkeypatch.setattr(neurokit, "version", absent)
    with pytest.raises(MissingExtra, match=r"diastole\[neurokit\]"):
        engine("neurokit")


def test_another_version_of_neurokit2_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neurokit, "version", lambda _: "0.2.12")
    with pytest.raises(InputError, match=r"0\.2\.12 is installed, but 0\.2\.13 defines hrv-1"):
        engine("neurokit")


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(InputError, match="use one of vectorised, neurokit"):
        engine("abacus")
