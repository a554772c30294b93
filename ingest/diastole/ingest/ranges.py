"""Which places of a stream are held: whole numbers as ranges, apart from each other, in order."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable

Range = tuple[int, int]
"""First and last, both in it."""


class Ranges:
    """A set of places, counted from 1, as few ranges as can be."""

    __slots__ = ("_firsts", "_lasts")

    def __init__(self, ranges: Iterable[Range] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, last in ranges:
            self.add(first, last)

    def add(self, first: int, last: int) -> int:
        """Hold ``first`` to ``last``; return how many of them were not held before."""
        low = bisect_left(self._lasts, first - 1)
        high = bisect_right(self._firsts, last + 1)
        known = sum(self._lasts[i] - self._firsts[i] + 1 for i in range(low, high))
        if low < high:
            first = min(first, self._firsts[low])
            last = max(last, self._lasts[high - 1])
        self._firsts[low:high] = [first]
        self._lasts[low:high] = [last]
        return last - first + 1 - known

    @property
    def ranges(self) -> list[Range]:
        """All of them."""
        return list(zip(self._firsts, self._lasts, strict=True))

    @property
    def upto(self) -> int:
        """The last place with none missing before it; 0 where the first is missing."""
        return self._lasts[0] if self._firsts[:1] == [1] else 0

    @property
    def also(self) -> list[Range]:
        """What is held above a gap."""
        return self.ranges[1:] if self.upto else self.ranges
