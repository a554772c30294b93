"""A recording in another order keeps its records, and bridges no seam."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diastole.edge.chunks import Chunk, SampleRun, join
from diastole.edge.formats import Recording
from diastole.edge.labels import Segment
from diastole.edge.records import SECOND_NS, SampleKind
from diastole.edge.replay.walk import observe_recording
from diastole.models.reorder import (
    PAUSED,
    first_task,
    late_start,
    moved,
    moved_labels,
    task_first,
)
from tests.strategies import REST, START_NS, STRESS, cut, recording

LABELS = (
    Segment(0, 300, "rest", "sitting"),
    Segment(300, 600, "stress", "stroop"),
    Segment(600, 900, "rest", "relax"),
)
TASK = LABELS[1]


def session(chunk: Chunk, cuts: tuple[int, ...] = ()) -> Recording:
    """Give a recording whose reader cuts it so."""
    return Recording(Path("made"), "made", START_NS, lambda: iter(cut(chunk, cuts)))


def test_the_first_task_is_the_earliest_stretch_of_stress() -> None:
    later = Segment(700, 800, "stress", "interview")
    assert first_task((LABELS[0], later, TASK)) == TASK
    assert first_task((LABELS[0],)) is None


def test_labels_move_with_their_pieces() -> None:
    front = moved_labels(LABELS, task_first(TASK))
    assert [tuple(segment[:3]) for segment in front] == [
        (0, 300, "stress"),
        (300, 600, "rest"),
        (600, 900, "rest"),
    ]
    assert moved_labels(LABELS, late_start(TASK)) == (Segment(0, 300, "rest", "relax"),)


@given(st.lists(st.integers(1, 899), max_size=4))
def test_every_record_comes_once_and_time_runs_forward(seconds: list[int]) -> None:
    whole = recording(REST, STRESS, REST)
    cuts = tuple(START_NS + s * SECOND_NS for s in sorted(seconds))
    pieces = list(moved(session(whole, cuts), task_first(TASK)).chunks())
    again = join(pieces)
    assert sorted(again.beats["rr_ms"]) == sorted(whole.beats["rr_ms"])
    assert (np.diff(again.beats["time_ns"]) > 0).all()
    begun = START_NS
    for piece in pieces:
        assert piece.until_ns >= begun
        assert (piece.beats["time_ns"] >= begun).all()
        begun = piece.until_ns
    seams = again.breaks[again.breaks["reason"] == PAUSED]["time_ns"]
    assert ((seams - START_NS) // SECOND_NS).tolist() == [300, 600]


def test_the_task_s_own_beats_come_first() -> None:
    whole = recording(REST, STRESS, REST)
    front = next(moved(session(whole), task_first(TASK)).chunks())
    begin, end = START_NS + 300 * SECOND_NS, START_NS + 600 * SECOND_NS
    own = (whole.beats["time_ns"] >= begin) & (whole.beats["time_ns"] < end)
    assert (front.beats["rr_ms"] == whole.beats["rr_ms"][own]).all()
    assert (whole.beats["time_ns"][own] - front.beats["time_ns"] == 300 * SECOND_NS).all()


def test_a_late_start_is_a_shorter_session() -> None:
    seen = observe_recording(moved(session(recording(REST, STRESS, REST)), late_start(TASK)))
    assert 295 <= seen.t_s[-1] <= 300


def test_no_interval_is_read_across_a_seam() -> None:
    seen = observe_recording(moved(session(recording(REST, STRESS, REST)), task_first(TASK)))
    beats = seen.beats
    across = beats["t_s"][beats["reason"] == "across_break"]
    assert len(across) >= 2
    assert np.all([np.abs(np.array([0, 300, 600]) - t).min() < 2 for t in across])


@pytest.mark.parametrize("rate_hz", [64.0, 130.0])
def test_raw_samples_move_with_their_second(rate_hz: float) -> None:
    values = np.arange(900 * rate_hz)
    run = SampleRun(0, SampleKind.PPG, "1", rate_hz, START_NS, 0, values)
    end_ns = START_NS + 900 * SECOND_NS
    pieces = list(moved(session(Chunk(end_ns, ("e4",), samples=(run,))), task_first(TASK)).chunks())
    told = [(piece.samples[0].times_ns(), piece.samples[0].values) for piece in pieces]
    assert np.concatenate([v for _, v in told]).tolist() == [
        *values[int(300 * rate_hz) : int(600 * rate_hz)],
        *values[: int(300 * rate_hz)],
        *values[int(600 * rate_hz) :],
    ]
    times = np.concatenate([t for t, _ in told])
    assert np.diff(times) == pytest.approx(SECOND_NS / rate_hz, abs=1.5)
