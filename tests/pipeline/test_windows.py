"""Windows end at UTC multiples of 5 s, close once, and are covered by what lies inside them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diastole.edge.chunks import BEAT, MOTION, Chunk, SampleRun, join, rows_of
from diastole.edge.pipeline import verdicts, windows
from diastole.edge.pipeline.windows import HOP_NS, WINDOW_NS, covered_ns, spans
from diastole.edge.records import SECOND_NS, SampleKind
from tests.pipeline.walking import measured, windows_of
from tests.strategies import (
    REST,
    START_NS,
    beats_at,
    cut,
    cuts,
    heart_rates,
    recording,
    shifted,
    wearers,
    without,
)


def at(seconds: float) -> int:
    return START_NS + round(seconds * SECOND_NS)


def ends_s(batch: windows.Windows) -> list[float]:
    return list((batch.ends_ns - START_NS) / SECOND_NS)


def one_beat(until_s: float = 200, **flags: float) -> Chunk:
    beat = rows_of(BEAT, 1, time_ns=at(12.3), **{"rr_ms": 800.0, **flags})
    return Chunk(at(until_s), ("strap",), beats=beat)


def test_a_beat_touches_the_twelve_windows_that_hold_it() -> None:
    (batch,) = windows_of(one_beat())
    assert ends_s(batch) == list(range(15, 75, 5))


@pytest.mark.parametrize("step_s", [1, 5, 60])
def test_a_lone_beat_is_remembered_for_its_whole_minute(step_s: int) -> None:
    state, ruled, ends = windows.State(), verdicts.State(), []
    for piece in cut(one_beat(), range(at(0), at(200), step_s * SECOND_NS)):
        ruled, judged = verdicts.step(ruled, piece)
        state, closed = windows.step(state, piece, judged)
        ends += [end for batch in closed for end in ends_s(batch)]
    assert ends == list(range(15, 75, 5))
    assert state.devices.keys() <= {"strap"}  # beats are kept for five minutes, slots are not
    assert not any(len(device.slots) for device in state.devices.values())


@pytest.mark.parametrize("flags", [{"rr_ms": 0.0}, {"contact": 0}, {"rr_ms": 9000.0}])
def test_a_refused_beat_touches_too(flags: dict[str, float]) -> None:
    (batch,) = windows_of(one_beat(**flags))
    assert ends_s(batch) == list(range(15, 75, 5))


def test_a_beat_on_the_edge_ends_its_window() -> None:
    chunk = Chunk(at(200), ("strap",), beats=rows_of(BEAT, 1, time_ns=at(15), rr_ms=800.0))
    (batch,) = windows_of(chunk)
    assert ends_s(batch)[0] == 15
    assert spans(batch.beats["rr"]["time_ns"], batch.ends_ns, WINDOW_NS)[1][0] == 1


@pytest.mark.parametrize(("until_ns", "last"), [(at(40), 35), (at(40) + 1, 40)])
def test_a_window_closes_when_time_has_passed_its_end(until_ns: int, last: int) -> None:
    (batch,) = windows_of(replace(one_beat(), until_ns=until_ns))
    assert ends_s(batch)[-1] == last


def test_a_window_waits_for_the_verdicts_of_its_beats() -> None:
    beats = beats_at(np.full(40, 800.0), START_NS)
    chunk = Chunk(int(beats["time_ns"][-1]) + 1, ("strap",), beats=beats)
    _, judged = verdicts.step(verdicts.State(), chunk)
    (batch,) = windows_of(chunk)
    assert judged.until_ns < chunk.until_ns
    assert int(batch.ends_ns[-1]) == (judged.until_ns - 1) // HOP_NS * HOP_NS


def test_heart_rates_and_raw_pulse_touch_motion_and_acceleration_do_not() -> None:
    rates = Chunk(at(99), ("watch",), heart_rates=heart_rates(np.array([at(7)]), 70.0))
    assert ends_s(windows_of(rates)[0]) == list(range(10, 70, 5))
    pulse = SampleRun(0, SampleKind.PPG, "1", 64.0, at(3), 0, np.zeros(64 * 8))  # to 10.98 s
    assert ends_s(windows_of(Chunk(at(99), ("watch",), samples=(pulse,)))[0]) == list(
        range(5, 75, 5)
    )
    moved = rows_of(MOTION, 1, time_ns=at(7), activity_mg=3.0)
    shake = replace(pulse, kind=SampleKind.ACC, values=np.zeros((512, 3)))
    assert windows_of(Chunk(at(99), ("watch",), motions=moved, samples=(shake,))) == []


def test_windows_of_a_gap_that_nothing_touches_are_not_there() -> None:
    (batch,) = windows_of(without(recording(REST), 60, 200))
    gap = [s for s in range(0, 300, 5) if s not in ends_s(batch)]
    assert gap == [0, *range(120, 205, 5)]


@given(st.data(), wearers(), st.integers(-3, 3))
def test_every_touched_window_closes_once_and_on_the_grid(
    data: st.DataObject, chunk: Chunk, hops: int
) -> None:
    state, ruled, ends = windows.State(), verdicts.State(), []
    for piece in cut(chunk, data.draw(cuts(chunk))):
        ruled, judged = verdicts.step(ruled, piece)
        state, closed = windows.step(state, piece, judged)
        ends += [(batch.device, int(end)) for batch in closed for end in batch.ends_ns]
    times = {"strap": chunk.beats["time_ns"]}
    if len(chunk.devices) > 1:
        times[chunk.devices[1]] = chunk.heart_rates["time_ns"]
    expected = {
        (name, (-(-int(t) // HOP_NS) + k) * HOP_NS)
        for name, column in times.items()
        for t in column
        for k in range(12)
    }
    assert len(ends) == len(set(ends))
    assert set(ends) == {(name, end) for name, end in expected if end < chunk.until_ns}
    # Records that come again, or before, close nothing anew.
    ruled, judged = verdicts.step(verdicts.State(), shifted(chunk, -abs(hops) * HOP_NS))
    assert windows.step(state, shifted(chunk, -abs(hops) * HOP_NS), judged)[1] == []


def test_the_first_interval_is_cut_at_the_start_of_the_window() -> None:
    rows = rows_of(BEAT, 2, time_ns=[at(0.4), at(1.4)], rr_ms=1000.0)
    low, high, starts = np.array([0, 1]), np.array([2, 2]), np.array([at(0), at(0.9)])
    assert covered_ns(rows, low, high, starts).tolist() == [1_400_000_000, 500_000_000]


def test_an_interval_longer_than_the_window_covers_no_more_than_its_part() -> None:
    rows = rows_of(BEAT, 1, time_ns=at(30), rr_ms=90_000.0)
    covered = covered_ns(rows, np.array([0, 1]), np.array([1, 1]), np.array([at(0), at(40)]))
    assert covered.tolist() == [30 * SECOND_NS, 0]


@given(st.lists(st.tuples(st.integers(300, 2000), st.integers(0, 4000)), min_size=1, max_size=90))
def test_coverage_of_beats_that_do_not_overlap_is_the_time_inside_them(
    drawn: list[tuple[int, int]],
) -> None:
    rr, hole = np.array(drawn, float).T
    times = START_NS + np.cumsum((rr + hole) * 1e6).astype(np.int64)
    rows = rows_of(BEAT, len(rr), time_ns=times, rr_ms=rr)
    ends = np.arange(START_NS // HOP_NS + 1, times[-1] // HOP_NS + 2) * HOP_NS
    low, high = spans(times, ends, WINDOW_NS)
    covered = covered_ns(rows, low, high, ends - WINDOW_NS)
    for k, end in enumerate(ends):
        inside = (times > end - WINDOW_NS) & (times <= end)
        begins = np.maximum(times - (rr * 1e6).astype(np.int64), end - WINDOW_NS)
        assert covered[k] == (times - begins)[inside].sum() <= WINDOW_NS


def test_beats_told_twice_cover_a_window_twice() -> None:
    beats = recording(REST).beats
    twice = beats_at(beats["rr_ms"], START_NS + 1)  # a nanosecond beside, as a second stream is
    chunk = join([recording(REST), Chunk(0, ("strap",), beats=twice)])
    once, double = measured(recording(REST)), measured(chunk)
    full = once.ends_ns >= at(60)
    assert (once.coverage[full] > 0.95).all()
    assert (once.coverage <= 1.02).all()
    assert (double.coverage[full] > 1.02).all()
