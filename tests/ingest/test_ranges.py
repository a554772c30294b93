"""Held ranges are the sets that they stand for."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from diastole.ingest.ranges import Range, Ranges

spans = st.tuples(st.integers(1, 40), st.integers(0, 12)).map(lambda s: (s[0], s[0] + s[1]))
histories = st.lists(spans, max_size=30)


def places(ranges: list[Range]) -> set[int]:
    return {place for first, last in ranges for place in range(first, last + 1)}


@given(histories)
def test_what_was_added_is_held_and_nothing_else(history: list[Range]) -> None:
    ranges, known = Ranges(), set[int]()
    for first, last in history:
        new = set(range(first, last + 1)) - known
        assert ranges.add(first, last) == len(new)
        known |= new
        assert places(ranges.ranges) == known


@given(histories)
def test_ranges_are_in_order_and_do_not_touch(history: list[Range]) -> None:
    ranges = Ranges(history).ranges
    assert all(first <= last for first, last in ranges)
    assert all(one[1] + 1 < two[0] for one, two in pairwise(ranges))


@given(histories)
def test_upto_ends_before_the_first_gap_and_also_is_the_rest(history: list[Range]) -> None:
    ranges, known = Ranges(history), places(history)
    assert ranges.upto == next(n for n in range(100) if n + 1 not in known)
    assert places(ranges.also) == {place for place in known if place > ranges.upto}


@given(histories, st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(history: list[Range], chance: object) -> None:
    shuffled = list(history)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert Ranges(shuffled).ranges == Ranges(history).ranges
    assert Ranges(Ranges(history).ranges).ranges == Ranges(history).ranges
