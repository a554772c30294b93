"""The source of a device without its radio: its clock, its cursor, its health."""

import numpy as np
import pytest

from diastole.edge.chunks import BREAK_REASONS
from diastole.edge.records import SECOND_NS, BeatKind, BreakReason
from diastole.edge.sources.ble.hearing import State
from diastole.edge.sources.ble.protocol import Gives, Heard, Interval
from diastole.edge.sources.ble.source import Records, status
from tests.sources.played import FakeClock

BEAT = Heard(hr_bpm=60, intervals=(Interval(ticks=1024, per_s=1024, kind=BeatKind.RR),))


def heard(records: Records, clock: FakeClock, packets: int) -> int:
    """Hand in a packet each second; give how many beats came of them."""
    beats = 0
    for _ in range(packets):
        clock.passed_s += 1
        assert records.heard(BEAT, clock.monotonic(), Gives.BEATS)
        chunk = records.cut()
        beats += 0 if chunk is None else len(chunk.beats)
    return beats


def test_beats_lie_on_the_wall_clock_though_they_came_by_the_monotonic_one() -> None:
    clock = FakeClock()
    records = Records("strap", clock)
    records.linked()
    assert heard(records, clock, 9) == 9
    clock.passed_s += 1
    records.heard(BEAT, clock.monotonic(), Gives.BEATS)
    chunk = records.cut()
    assert chunk is not None
    assert list(chunk.beats["time_ns"]) == [clock.wall_ns()]
    assert chunk.until_ns == clock.wall_ns() + 1


def test_nothing_is_said_in_a_silence_before_the_link_is_given_up() -> None:
    clock = FakeClock()
    records = Records("strap", clock)
    records.linked()
    heard(records, clock, 5)
    for _ in range(9):
        clock.passed_s += 1
        assert records.cut() is None
    records.lost()
    chunk = records.cut()
    assert chunk is not None
    assert [BREAK_REASONS[code] for code in chunk.breaks["reason"]] == [BreakReason.LINK_LOST]
    clock.passed_s += 60
    away = records.cut()
    assert away is not None
    assert clock.wall_ns() - away.until_ns == 12 * SECOND_NS


def test_a_clock_that_is_set_while_linked_goes_on_at_the_new_time() -> None:
    clock = FakeClock()
    records = Records("strap", clock)
    records.linked()
    heard(records, clock, 5)
    clock.stepped_ns = 86_400 * SECOND_NS
    clock.passed_s += 1
    told = records.cut()
    assert told is not None
    assert len(told.breaks) == 1
    assert heard(records, clock, 5) == 5
    assert records.cut() is None  # it is linked: what is silent waits for the watchdog


@pytest.mark.parametrize("stepped_s", [-3600, 3600])
def test_a_clock_that_is_set_just_before_a_link_moves_no_beat(stepped_s: int) -> None:
    clock = FakeClock()
    records = Records("strap", clock)
    records.linked()
    heard(records, clock, 5)
    records.lost()
    records.cut()
    clock.stepped_ns = stepped_s * SECOND_NS
    records.linked()
    chunks = []
    for _ in range(20):
        clock.passed_s += 1
        records.heard(BEAT, clock.monotonic(), Gives.BEATS)
        chunks.append(records.cut())
    times_ns = [time_ns for chunk in chunks[1:] if chunk for time_ns in chunk.beats["time_ns"]]
    assert len(times_ns) >= 18
    assert set(np.diff(times_ns)) == {SECOND_NS}
    assert times_ns[-1] == clock.wall_ns()


def test_a_source_taken_up_again_says_that_it_was_away() -> None:
    clock = FakeClock()
    records = Records("strap", clock)
    before_ns = clock.wall_ns() - 3 * SECOND_NS
    chunk = records.take_up(before_ns.to_bytes(8, "big", signed=True))
    assert chunk is not None
    assert chunk.breaks["time_ns"][0] == before_ns
    records.linked()
    clock.passed_s += 1
    records.heard(BEAT, clock.monotonic(), Gives.BEATS)
    following = records.cut()
    assert following is not None
    assert following.first_ns() == clock.wall_ns()


def test_a_cursor_of_the_future_or_of_another_version_is_passed_over() -> None:
    clock = FakeClock()
    records = Records("strap", clock)
    assert records.take_up(None) is None
    assert records.take_up(b"{}") is None
    assert records.take_up((clock.wall_ns() + SECOND_NS).to_bytes(8, "big", signed=True)) is None


def test_health_says_what_is_known_and_no_more() -> None:
    clock = FakeClock()
    state = State()
    assert set(status("strap", state, clock).values) == {"linked", "links"}
    state.battery_pct, state.rssi_dbm, state.gives = 87, -60, Gives.HEART_RATE
    state.beat_s = clock.monotonic() - 7
    state.refused["packet_cut"] += 2
    told = status("strap", state, clock)
    assert told.values["battery_pct"] == 87
    assert told.values["beat_age_s"] == 7
    assert told.values["dropped_packet_cut"] == 2
    assert told.text["rr"] == "none"
