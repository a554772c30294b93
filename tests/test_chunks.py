"""The chunk: cut anywhere and joined again it is the same, and it holds its contract."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diastole.edge.chunks import (
    BEAT,
    COLUMNS,
    HEART_RATE,
    MOTION,
    UNKNOWN,
    Chunk,
    Rows,
    SampleRun,
    by_time,
    join,
    join_runs,
    rows_of,
    rr_ns,
)
from diastole.edge.records import Mark, SampleKind
from tests.strategies import START_NS, chunks, cut


def assert_same(one: Chunk, other: Chunk) -> None:
    assert (one.until_ns, one.devices, one.marks) == (other.until_ns, other.devices, other.marks)
    for name in COLUMNS:
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes(), name
    runs, others = (
        {(run.device, run.kind, run.start_ns): run for run in chunk.samples}
        for chunk in (one, other)
    )
    assert len(one.samples) == len(other.samples)
    assert runs.keys() == others.keys()
    for key, run in runs.items():
        same = others[key]
        assert (run.index, run.rate_hz, run.unit) == (same.index, same.rate_hz, same.unit)
        assert run.values.tobytes() == same.values.tobytes()
        np.testing.assert_array_equal(run.times_ns(), same.times_ns())


def times_of(chunk: Chunk) -> list[int]:
    times = [int(t) for name in COLUMNS for t in getattr(chunk, name)["time_ns"]]
    times += [int(t) for run in chunk.samples for t in run.times_ns()]
    return times + [mark.time_ns for mark in chunk.marks]


@given(st.data(), chunks())
def test_cut_anywhere_and_joined_it_is_the_same(data: st.DataObject, chunk: Chunk) -> None:
    at = st.sampled_from(times_of(chunk)) if times_of(chunk) else st.nothing()
    places = at | st.integers(START_NS - 10**9, START_NS + 10**10)
    pieces = cut(chunk, data.draw(st.lists(places, max_size=5)))
    assert_same(join(pieces), chunk)
    assert all(len(run.values) for piece in pieces for run in piece.samples)


@given(st.data(), chunks())
def test_a_cut_parts_before_from_after(data: st.DataObject, chunk: Chunk) -> None:
    time_ns = data.draw(
        st.sampled_from([*times_of(chunk), chunk.until_ns]) | st.just(START_NS + 12_345)
    )
    before, after = chunk.split(time_ns)
    assert all(t < time_ns for t in times_of(before))
    assert all(t >= time_ns for t in times_of(after))
    assert before.until_ns == min(time_ns, chunk.until_ns)
    assert after.until_ns == chunk.until_ns
    assert chunk.last_ns() == max(times_of(chunk), default=None)


@given(st.data(), chunks())
def test_devices_are_known_by_name_whatever_their_order(data: st.DataObject, chunk: Chunk) -> None:
    alone = []
    for code, name in enumerate(chunk.devices):
        names = tuple(data.draw(st.permutations(chunk.devices)))
        columns = {}
        for column in COLUMNS:
            rows = getattr(chunk, column)
            columns[column] = rows[rows["device"] == code].copy()
            columns[column]["device"] = names.index(name)
        alone.append(Chunk(chunk.until_ns, names, **columns))
    joined = join(alone)
    assert set(joined.devices) == set(chunk.devices)
    for column in COLUMNS:
        for code, name in enumerate(chunk.devices):
            mine = getattr(chunk, column)[getattr(chunk, column)["device"] == code].copy()
            rows = getattr(joined, column)
            there = rows[rows["device"] == joined.devices.index(name)].copy()
            mine["device"] = there["device"] = 0
            assert mine.tobytes() == there.tobytes()


def test_records_of_one_time_keep_their_order() -> None:
    first = rows_of(BEAT, 3, time_ns=[1, 5, 5], rr_ms=[100.0, 1.0, 2.0])
    later = rows_of(BEAT, 2, time_ns=[5, 5], rr_ms=[3.0, 4.0])
    joined = join([Chunk(9, ("a",), beats=first), Chunk(9, ("a",), beats=later)])
    assert joined.beats["rr_ms"].tolist() == [100.0, 1.0, 2.0, 3.0, 4.0]
    assert by_time(joined.beats[::-1])["rr_ms"].tolist() == [100.0, 4.0, 3.0, 2.0, 1.0]


def test_joining_reaches_as_far_as_the_furthest() -> None:
    assert join([Chunk(9), Chunk(4, ("a",))]).until_ns == 9


def test_time_of_a_sample_is_not_worn_down_by_cuts() -> None:
    day = SampleRun(0, SampleKind.PPG, "1", 64.0, 17, 64 * 86_400, np.zeros(3))
    assert day.times_ns().tolist() == [
        17 + 86_400 * 10**9,
        17 + 86_400 * 10**9 + 15_625_000,
        17 + 86_400 * 10**9 + 31_250_000,
    ]
    odd = SampleRun(0, SampleKind.ACC, "mg", 700 / 3, START_NS, 10**7, np.zeros((9, 3)))
    pieces = []
    for _ in range(9):
        piece, odd = odd.cut(odd.time_of(odd.index) + 1)
        pieces.append(piece)
    exact = [START_NS + (10**7 + k) * 3 * 10**9 / 700 for k in range(9)]
    assert [int(piece.times_ns()[0]) for piece in pieces] == pytest.approx(exact, abs=1)
    assert len(join_runs(pieces)) == 1


def test_runs_that_do_not_follow_stay_apart() -> None:
    run = SampleRun(0, SampleKind.PPG, "1", 64.0, START_NS, 0, np.zeros(4))
    after = replace(run, index=4)
    for other in (
        replace(after, index=5),
        replace(after, rate_hz=32.0),
        replace(after, start_ns=1),
        replace(after, unit="nW"),
        replace(after, device=1),
    ):
        assert len(join_runs([run, other])) == 2
    assert [len(joined.values) for joined in join_runs([run, after])] == [8]


def holding(column: str, rows: Rows) -> Chunk:
    given: dict[str, Any] = {column: rows}
    return Chunk(0, ("a",), **given)


@pytest.mark.parametrize("column", COLUMNS)
def test_what_breaks_the_contract_is_refused(column: str) -> None:
    dtype = COLUMNS[column]
    wrong = BEAT if dtype is not BEAT else MOTION
    with pytest.raises(TypeError, match=column):
        holding(column, rows_of(wrong, 1))
    with pytest.raises(ValueError, match="run backwards"):
        holding(column, rows_of(dtype, 2, time_ns=[2, 1]))
    with pytest.raises(ValueError, match="does not list"):
        holding(column, rows_of(dtype, 1, device=1))


def test_samples_of_an_unknown_device_are_refused() -> None:
    run = SampleRun(1, SampleKind.PPG, "1", 64.0, START_NS, 0, np.zeros(4))
    with pytest.raises(ValueError, match="does not list"):
        Chunk(0, ("a",), samples=(run,))


def test_a_column_not_given_is_unknown() -> None:
    beat = rows_of(BEAT, 1, time_ns=3, rr_ms=800.0)[0]
    assert (beat["contact"], beat["moving"], beat["device"]) == (UNKNOWN, UNKNOWN, 0)
    assert np.isnan([beat["error_ms"], beat["quality"]]).all()
    assert np.isnan(rows_of(HEART_RATE, 1)["hr_bpm"]).all()
    with pytest.raises(TypeError, match="rr_s"):
        rows_of(BEAT, 1, rr_s=0.8)


def test_marks_of_two_chunks_are_told_in_time() -> None:
    late, early = (Mark(device="-", time_ns=t, text="", by="me") for t in (5, 3))
    assert join([Chunk(9, marks=(late,)), Chunk(9, marks=(early,))]).marks == (early, late)


def test_intervals_are_whole_nanoseconds() -> None:
    strap = np.array([1024 * 1000 / 1024, 1000 / 1024, -5.0, 1e300])
    assert rr_ns(strap).tolist() == [10**9, 976_562, -5 * 10**6, 10**15]
