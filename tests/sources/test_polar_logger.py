"""Polar Sensor Logger: one sensor's beats, and no bad spell ends them."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diastole.edge.chunks import BREAK_REASONS, Chunk
from diastole.edge.records import SECOND_NS, BreakReason
from diastole.edge.sources.mqtt import HandedOver
from diastole.edge.sources.polar_logger import MANY, OTHER, OVERFULL, PolarLogger
from tests.sources.test_mqtt import NOW, PATIENCE, logged, ticket


def source() -> HandedOver:
    return HandedOver("strap", PolarLogger("strap"), PATIENCE)


def fed(one: HandedOver, begin_s: int, end_s: int, *sensors: tuple[str, int]) -> list[Chunk]:
    """Hand over a beat a second of each sensor, so many milliseconds behind the second."""
    chunks = []
    for s in range(begin_s, end_s):
        for sensor, behind_ms in sensors:
            now_ms = NOW // 10**6 + 1000 * s + behind_ms
            one.hand(logged(now_ms, 1000, sensor=sensor), ticket(), now_ms * 10**6)
            chunks.append(one.cut(now_ms * 10**6))
    return chunks


def n(chunks: Sequence[Chunk]) -> int:
    return sum(len(chunk.beats) for chunk in chunks)


def breaks(chunks: Sequence[Chunk]) -> list[BreakReason]:
    return [BREAK_REASONS[reason] for chunk in chunks for reason in chunk.breaks["reason"]]


def test_it_gives_beats_a_beat_clock_apart() -> None:
    one = HandedOver("h10", PolarLogger("h10"), PATIENCE)
    chunks = []
    for k in range(60):
        jitter_ms = (k * 37) % 200
        one.hand(logged(NOW // 10**6 + 800 * k + jitter_ms, 800), ticket(), NOW + 800_000_000 * k)
        chunks.append(one.cut(NOW + 800_000_000 * k))
    beats = [row for chunk in chunks for row in chunk.beats.tolist()]
    assert len(beats) == 60
    assert [row[3] for row in beats] == [0.0] + [800.0] * 59
    assert not any(len(chunk.heart_rates) for chunk in chunks)
    one.hand(logged(NOW // 10**6 + 800 * 59 + (59 * 37) % 200, 800), ticket(), NOW)
    one.hand(logged(NOW // 10**6 + 49_000, 0, hr=0), ticket(), NOW + 49 * SECOND_NS)
    one.cut(NOW + 49 * SECOND_NS)
    assert one.dropped == {"doubled": 1, "value": 2}


def test_it_gives_the_heart_rate_of_a_device_without_intervals() -> None:
    reader = PolarLogger("watch")
    said = [reader.read(logged(NOW // 10**6 + 1000 * k)) for k in range(20)]
    assert [len(one.records) for one in said] == [0] * 12 + [1] * 8


@pytest.mark.parametrize("other", [False, True])
def test_a_late_packet_that_no_burst_follows_is_placed_and_acknowledged(other: bool) -> None:
    one, came, back = source(), 0, 0
    for s in [*range(60), *range(64, 1600)]:
        now_ms = NOW // 10**6 + 1000 * s
        intervals = [1000] if s <= 64 else []
        one.hand(logged(now_ms, *intervals, sensor="A"), ticket(), now_ms * 10**6)
        if other and s > 64:
            one.hand(logged(now_ms + 400, 1000, sensor="B"), ticket(), now_ms * 10**6)
        came += len(one.cut(now_ms * 10**6).beats)
        back += len(one.kept(one.cursor()))
    assert came == 61
    assert back == (60 + 1536 + 1535 if other else 60 + 1536)


def test_a_second_sensor_on_the_topic_is_counted_and_told_and_takes_nothing_away() -> None:
    one = source()
    assert n(fed(one, 0, 120, ("A", 0))) == 120
    assert one.trouble is None
    assert n(fed(one, 120, 150, ("A", 0), ("B", 400))) == 30
    assert one.dropped == {"sensor": 30}
    assert one.trouble == OTHER
    after = fed(one, 150, 3750, ("A", 0))
    assert n(after) == 3600
    assert not breaks(after)
    assert one.trouble is None


def test_another_sensor_is_taken_once_the_first_has_gone_and_continues_nothing() -> None:
    one = source()
    fed(one, 0, 60, ("A", 0))
    chunks = fed(one, 60, 60 + MANY + 10, ("B", 0))
    assert n(chunks) == 11
    assert chunks[MANY - 1].beats["rr_ms"].tolist() == [0.0]
    assert breaks(chunks) == [BreakReason.LINK_LOST]
    assert n(fed(one, 500, 510, ("A", 0))) == 0


def test_the_break_lies_between_two_sensors_of_one_chunk() -> None:
    one, now_ns = source(), NOW + 500 * SECOND_NS
    for s in range(60 + MANY + 10):
        sensor = "A" if s < 60 else "B"
        one.hand(logged(NOW // 10**6 + 1000 * s, 1000, sensor=sensor), ticket(), now_ns)
    chunk = one.cut(now_ns + 60 * SECOND_NS)
    (broken_ns,) = chunk.breaks["time_ns"]
    assert int((chunk.beats["time_ns"] < broken_ns).sum()) == 60
    assert len(chunk.beats) == 60 + 11


def test_a_stamp_of_another_sensor_that_lies_far_off_changes_nothing() -> None:
    one = source()
    fed(one, 0, 60, ("A", 0))
    for off_s in (10**8, -(10**8)):
        one.hand(logged((NOW // SECOND_NS + off_s) * 1000, 1000, sensor="B"), ticket(), NOW)
    assert n(fed(one, 60, 120, ("A", 0))) == 60


def test_which_sensor_it_is_is_known_after_a_restart() -> None:
    one = source()
    fed(one, 0, 60, ("A", 0))
    again = source()
    assert again.take_up(one.cursor())
    chunks = fed(again, 60, 120, ("B", 0), ("A", 400))
    assert chunks[1].beats["time_ns"].tolist() == [NOW + 60_400 * 10**6]
    assert n(chunks) == 60
    assert again.dropped == {"sensor": 60}


def test_a_message_is_not_taken_for_one_of_another_sensor_after_a_restart() -> None:
    one = source()
    fed(one, 0, 60, ("A", 0))
    fed(one, 60, 61, ("B", 0))
    again = source()
    assert again.take_up(one.cursor())
    assert n(fed(again, 60, 61, ("A", 0))) == 1


@pytest.mark.parametrize("begin_s", [5, 120])
@pytest.mark.parametrize("long_s", [1, 2, 3, 30, 300])
def test_a_spell_of_too_many_beats_does_not_end_the_stream(begin_s: int, long_s: int) -> None:
    one = source()
    before = fed(one, 0, begin_s, ("A", 0))
    end_s = begin_s + long_s
    spell = fed(one, begin_s, end_s, ("A", 0), ("A", 400))
    after = fed(one, end_s, end_s + 3600, ("A", 0))
    assert n(before) == begin_s
    assert n(after) >= 3600 - 5
    assert one.dropped.total() <= 5 + long_s
    if long_s > 3:
        assert set(breaks(spell)) == {BreakReason.LINK_LOST}
    assert one.trouble is None


def test_too_many_beats_are_told() -> None:
    one = source()
    fed(one, 0, 120, ("A", 0))
    fed(one, 120, 130, ("A", 0), ("A", 400))
    assert one.trouble == OVERFULL


MESSAGES = st.lists(
    st.tuples(
        st.sampled_from(["A", "A", "B"]),
        st.integers(-3000, 3000) | st.sampled_from([0, -(10**7), 10**7]),
        st.integers(0, 3000),
        st.sampled_from([1, 1, 2, 20]),
    ),
    max_size=60,
)


@settings(deadline=None, max_examples=200)
@given(MESSAGES)
def test_every_interval_is_told_once_or_counted_or_waits(
    messages: list[tuple[str, int, int, int]],
) -> None:
    """Each message: of whom, its stamp off its arrival, how long after the last, how often."""
    reader, now_ms, told, held = PolarLogger("strap"), NOW // 10**6, [], 0
    one = HandedOver("strap", reader, PATIENCE)
    for sensor, off_ms, wait_ms, times in messages:
        now_ms += wait_ms
        for k in range(times):
            one.hand(logged(now_ms + off_ms + k, 800, sensor=sensor), ticket(held), now_ms * 10**6)
            held += 1
        told.append(one.cut(now_ms * 10**6))
    told.append(one.cut((now_ms + 60_000) * 10**6))
    waits = reader._clock.waited() if reader._clock else []
    assert n(told) + one.dropped.total() + len(waits) == held
    times_ns = [int(t) for chunk in told for t in chunk.beats["time_ns"]]
    assert times_ns == sorted(set(times_ns))
