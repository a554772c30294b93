"""Recordings and scenarios as sources: nothing lost or doubled, at any pace, stopped anywhere."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diastole.edge.chunks import COLUMNS, Chunk, join
from diastole.edge.errors import InputError
from diastole.edge.formats.finding import open_recording
from diastole.edge.formats.objects import records_of
from diastole.edge.formats.recorder import write
from diastole.edge.formats.session import Header
from diastole.edge.records import MINUTE_NS, SECOND_NS, Mark
from diastole.edge.sources.replayed import At, Played, moved, replayed
from diastole.edge.sources.scenario import Activity
from diastole.edge.sources.simulated import simulated
from tests.sources.played import NOW_NS, FakeClock, played
from tests.sources.stories import chapter, story
from tests.strategies import REST, START_NS, STRESS, cut, cuts, recording, wearers


def read_in(*chunks: Chunk) -> Iterator[Chunk]:
    yield from chunks


def source(chunks: list[Chunk], *, speed: float = 0, at: At = "recorded") -> Played:
    return Played(
        name="made", start_ns=START_NS, read=partial(read_in, *chunks), speed=speed, at=at
    )


def assert_holds(pieces: list[Chunk], whole: Chunk) -> None:
    """Hold that the pieces are the whole, each record in the piece behind whose end it lies."""
    since_ns = None
    for piece in pieces:
        last_ns, first_ns = piece.last_ns(), piece.first_ns()
        assert last_ns is None or last_ns < piece.until_ns
        assert since_ns is None or first_ns is None or first_ns >= since_ns
        since_ns = piece.until_ns
    joined = join(pieces)
    assert joined.until_ns == whole.until_ns
    assert records_of(joined) == records_of(join([whole]))


@settings(max_examples=60)
@given(st.data(), wearers(most=3), st.sampled_from([0, 0.5, 1, 60]))
def test_the_pieces_are_the_recording_wherever_it_is_stopped(
    data: st.DataObject, chunk: Chunk, speed: float
) -> None:
    whole = replace(chunk, until_ns=(chunk.last_ns() or 0) + 1)
    playing = source(cut(whole, data.draw(cuts(whole))), speed=speed)
    pieces, cursor = [], None
    for most in [*data.draw(st.lists(st.integers(1, 40), max_size=3)), 10**9]:
        for piece, after, _ in played(playing, cursor=cursor, most=most):
            pieces.append(piece)
            cursor = after
    assert_holds(pieces, whole)
    assert played(playing, cursor=cursor) == []


def test_records_that_came_early_are_given_once() -> None:
    chunk = recording(REST)
    whole = replace(chunk, until_ns=chunk.until_ns + 1)
    middle = START_NS + 2 * MINUTE_NS
    early = replace(whole, until_ns=middle)
    rest = Chunk(whole.until_ns, whole.devices)
    pieces = [piece for piece, _, _ in played(source([early, rest]))]
    assert_holds(pieces, whole)


@pytest.mark.parametrize("speed", [1.0, 20.0])
def test_pieces_come_when_they_are_due(speed: float) -> None:
    came = played(source([recording(REST)], speed=speed))
    first_ns = came[0][0].first_ns()
    assert first_ns is not None
    for piece, _, at_s in came:
        assert at_s == pytest.approx((piece.until_ns - first_ns) / SECOND_NS / speed, abs=1e-6)
    assert came[-1][2] == pytest.approx(300 / speed, rel=0.02)
    lengths = np.diff([piece.until_ns for piece, _, _ in came[:-1]])
    assert (lengths == max(1, speed / 4) * SECOND_NS).all()


def test_unpaced_nobody_waits_and_holes_are_not_walked_through() -> None:
    later = recording(STRESS, start_ns=START_NS + 7 * 24 * 60 * MINUTE_NS)
    clock = FakeClock()
    came = played(source([recording(REST), later]), clock)
    assert clock.passed_s == 0
    assert len(came) < 12


def test_now_moves_by_whole_minutes_chosen_once() -> None:
    chunk = recording(REST)
    playing = source([chunk], speed=1, at="now")
    head = played(playing, most=100)
    later = FakeClock(NOW_NS + 3_600 * SECOND_NS)
    tail = played(playing, later, cursor=head[-1][1])
    shift_ns = (NOW_NS - START_NS) // MINUTE_NS * MINUTE_NS
    assert shift_ns % MINUTE_NS == 0
    whole = replace(chunk, until_ns=chunk.until_ns)
    assert_holds([piece for piece, _, _ in head + tail], moved(whole, shift_ns))
    assert 0 <= NOW_NS - (START_NS + shift_ns) < MINUTE_NS


def test_moving_moves_everything() -> None:
    chunk = replace(
        recording(REST), marks=(Mark(device="-", time_ns=START_NS + 5, text="x", by="wearer"),)
    )
    by_ns = 17 * MINUTE_NS
    one, other = moved(chunk, by_ns), chunk
    assert one.until_ns == other.until_ns + by_ns
    assert one.marks[0].time_ns == START_NS + 5 + by_ns
    for name in COLUMNS:
        times = getattr(other, name)["time_ns"] + by_ns
        np.testing.assert_array_equal(getattr(one, name)["time_ns"], times)
    assert records_of(moved(one, -by_ns)) == records_of(other)


@pytest.mark.parametrize("speed", [0, 600])
def test_a_real_recording_is_played_whole(shared: Path, speed: float) -> None:
    opened = open_recording(shared / "hongn" / "stress" / "S06.zip")
    whole = join(list(opened.chunks()))
    playing = replayed(opened, speed=speed, at="recorded")
    clock = FakeClock()
    head = played(playing, clock, most=5)
    tail = played(playing, clock, cursor=head[-1][1])
    pieces = [piece for piece, _, _ in head + tail]
    joined = join(pieces)
    assert joined.until_ns == whole.until_ns
    for name in COLUMNS:
        assert getattr(joined, name).tobytes() == getattr(whole, name).tobytes()
    assert sum(len(run.values) for run in joined.samples) == sum(
        len(run.values) for run in whole.samples
    )


def test_without_a_date_there_is_no_time_at_which_it_was_recorded(tmp_path: Path) -> None:
    path = tmp_path / "undated.jsonl"
    write(path, Header(clock="relative", start_ns=0), [moved(recording(REST), -START_NS)])
    with pytest.raises(InputError, match="has no date"):
        replayed(open_recording(path), speed=1, at="recorded")
    assert replayed(open_recording(path), speed=1, at="now").name.startswith("replay-")


def test_a_story_is_a_source_of_its_own_name() -> None:
    tale = story(chapter(Activity.REST, 3))
    one, again, other = (simulated(tale, seed, speed=0) for seed in (1, 1, 2))
    assert one.name == again.name != other.name
    assert one.simulated
    assert not one.live
    pieces = [piece for piece, _, _ in played(one)]
    assert sum(len(piece.beats) for piece in pieces) > 100
