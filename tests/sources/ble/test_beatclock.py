"""The beat clock on arrivals as a radio has them: late, in bursts, packets lost and doubled."""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diastole.edge.records import SECOND_NS
from diastole.edge.sources.ble.beatclock import BeatClock, Placed
from tests.sources.ble.arrivals import TICKS, Arrived, arrivals

Times = list[tuple[int, int, int]]
BEGUN_NS = 1_800_000_000 * SECOND_NS


def placed(packets: Iterable[Arrived]) -> tuple[Times, int]:
    """Give time, truth and ticks of every beat, and how many anchors there were."""
    clock: BeatClock[Arrived] = BeatClock(TICKS, BEGUN_NS)
    times: Times = []
    anchors = 0

    def take(came: list[Placed[Arrived]]) -> None:
        nonlocal anchors
        for each in came:
            times.extend(zip(each.times_ns, each.what.truth_ns, each.what.ticks, strict=True))
            anchors += each.anchored

    for packet in packets:
        take(clock.packet(packet.at_ns, packet.ticks, packet))
        assert not clock.doubled
    take(clock.waited())
    return times, anchors


@pytest.mark.parametrize("seed", range(4))
def test_beats_stand_where_they_were_and_none_is_lost(seed: int) -> None:
    packets = list(arrivals(1200, seed, stalls=0.01))
    times, anchors = placed(packets)
    assert anchors == 1
    assert [ticks for _, _, ticks in times] == [n for packet in packets for n in packet.ticks]
    at, truth, ticks = np.array(times).T
    late = truth - truth[0] > 300 * SECOND_NS
    error = np.abs(at - truth - np.median((at - truth)[late])) / 1e6
    assert np.percentile(error[late], 95) < 20
    assert np.percentile(error[~late], 95) < 400
    steps = np.diff(at) - ticks[1:] * SECOND_NS // TICKS
    assert (np.diff(at) > 0).all()
    assert np.abs(steps[late[1:]]).max() < 1e6


def test_a_stall_that_ends_in_a_burst_moves_nothing() -> None:
    packets = list(arrivals(200, 1, stalls=0))
    stalled = [
        packet._replace(at_ns=packets[120].at_ns + k * 100_000) if k > 0 else packet
        for k, packet in ((i - 100 if 100 < i < 120 else 0, p) for i, p in enumerate(packets))
    ]
    assert placed(stalled)[1] == 1
    assert [t for _, t, _ in placed(stalled)[0]] == [t for _, t, _ in placed(packets)[0]]
    before = np.array(placed(packets)[0])
    after = np.array(placed(stalled)[0])
    assert np.abs(before[:, 0] - after[:, 0]).max() < 25e6


def test_lost_beats_begin_a_new_anchor_and_move_nothing_before_it() -> None:
    packets = list(arrivals(300, 2, stalls=0))
    times, anchors = placed(packets[:150] + packets[154:])
    assert anchors == 2
    at, truth, _ = np.array(times).T
    assert len(times) == sum(len(packet.ticks) for packet in packets[:150] + packets[154:])
    assert np.abs(at - truth).max() < 1.2e9


def test_beats_that_take_more_time_than_passed_are_told() -> None:
    clock: BeatClock[None] = BeatClock(TICKS, BEGUN_NS)
    told = []
    for k, packet in enumerate(arrivals(400, 3)):
        for _ in range(1 + (k >= 200)):
            clock.packet(packet.at_ns, packet.ticks, None)
        told.append(clock.doubled)
    assert not any(told[:200])
    assert any(told[200:206])


def test_doubled_from_the_first_packet_is_told_too() -> None:
    clock: BeatClock[None] = BeatClock(TICKS, BEGUN_NS)
    packets = list(arrivals(12, 3))
    for packet in packets:
        for _ in range(2):
            clock.packet(packet.at_ns, packet.ticks, None)
    assert clock.doubled


@given(
    st.lists(
        st.tuples(st.integers(0, 40 * SECOND_NS), st.lists(st.integers(1, 10 * TICKS), max_size=9)),
        max_size=60,
    )
)
def test_whatever_comes_the_order_is_kept_and_nothing_is_lost(
    packets: list[tuple[int, list[int]]],
) -> None:
    clock: BeatClock[int] = BeatClock(TICKS, 0)
    found: list[int] = []
    whose: list[int] = []
    at_ns = 0
    came = []
    for k, (after_ns, ticks) in enumerate(packets):
        at_ns += after_ns
        came += clock.packet(at_ns, ticks, k)
    came += clock.waited()
    for each in came:
        found += each.times_ns
        whose += [each.what] * len(each.times_ns)
    assert whose == [k for k, (_, ticks) in enumerate(packets) for _ in ticks]
    assert all(a < b for a, b in pairwise(found))
