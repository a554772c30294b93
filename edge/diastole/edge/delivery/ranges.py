"""Sets of places in a stream, as sorted ranges ``(first, last)`` that neither touch nor overlap."""

from collections.abc import Iterable

Ranges = list[tuple[int, int]]


def merged(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Return what is in any of the ranges; empty ones are none."""
    found: Ranges = []
    for first, last in sorted(ranges):
        if first > last:
            continue
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return found


def without(ranges: Ranges, taken: Ranges) -> Ranges:
    """Return what is in ``ranges`` and not in ``taken``."""
    left: Ranges = []
    for first, last in ranges:
        begin = first
        for a, b in taken:
            if b < begin or a > last:
                continue
            if begin < a:
                left.append((begin, a - 1))
            begin = b + 1
        if begin <= last:
            left.append((begin, last))
    return left


def of_places(places: Iterable[int]) -> Ranges:
    """Return single places as ranges."""
    found: Ranges = []
    for place in places:  # mostly ascending: a sort of pairs would cost more
        if found and place == found[-1][1] + 1:
            found[-1] = (found[-1][0], place)
        else:
            found.append((place, place))
    return merged(found)


def size(ranges: Iterable[tuple[int, int]]) -> int:
    """Return how many places there are in them."""
    return sum(last - first + 1 for first, last in ranges)
