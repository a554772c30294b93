"""Copies are told from honest packets that look alike."""

from hypothesis import given
from hypothesis import strategies as st

from diastole.edge.records import SECOND_NS
from diastole.edge.sources.ble.copies import PACKETS, Copies

MS = SECOND_NS // 1000
Times = list[tuple[int, bytes]]


def passed(stream: Times) -> list[bytes]:
    copies: Copies[bytes] = Copies()
    found = [one for at_ns, data in stream for one in copies.take(data, at_ns, data)]
    return found + copies.end()


def paced(packets: list[bytes], times: int = 1, begun_s: int = 0) -> Times:
    """Give packets a second apart, each so often within some microseconds."""
    return [
        ((begun_s + k) * SECOND_NS + n * MS // 8, data)
        for k, data in enumerate(packets)
        for n in range(times)
    ]


@given(st.lists(st.binary(max_size=2), max_size=40))
def test_packets_apart_all_pass_equal_or_not(packets: list[bytes]) -> None:
    assert passed(paced(packets)) == packets


@given(st.lists(st.sampled_from([b"a", b"b", b"c"]), min_size=3, max_size=40), st.integers(2, 3))
def test_what_comes_in_copies_from_the_first_passes_once(packets: list[bytes], times: int) -> None:
    assert passed(paced(packets, times)) == packets


@given(st.integers(0, 30), st.integers(PACKETS, 30), st.integers(1, 30))
def test_a_second_listener_comes_and_goes_unheard(before: int, during: int, after: int) -> None:
    packets = [bytes([k]) for k in range(before + during + after)]
    stream = [
        *paced(packets[:before]),
        *paced(packets[before : before + during], 2, before),
        *paced(packets[before + during :], 1, before + during),
    ]
    assert passed(stream) == packets


def test_two_equal_packets_of_a_burst_are_both_honest() -> None:
    burst = [(10 * SECOND_NS + k * MS, data) for k, data in enumerate([b"a", b"b", b"b", b"c"])]
    stream = [*paced([b"x", b"y"]), *burst, *paced([b"z"], 1, 12)]
    assert passed(stream) == [data for _, data in stream]


def test_two_equal_packets_of_a_burst_are_both_honest_while_copied() -> None:
    stream = paced([bytes([k]) for k in range(20)], 2)
    burst = [(30 * SECOND_NS + k * MS, b"b") for k in range(4)]
    assert passed([*stream, *burst])[-3:] == [bytes([19]), b"b", b"b"]


def test_what_waits_is_not_kept_for_long() -> None:
    copies: Copies[int] = Copies()
    copies.take(b"a", 0, 0)
    assert copies.take(b"a", MS, 1) == []
    assert copies.take(b"b", SECOND_NS, 2) == []
    assert copies.take(b"c", 2 * SECOND_NS, 3) == [1, 2, 3]
