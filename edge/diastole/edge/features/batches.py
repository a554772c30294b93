"""Rows that can share a matrix."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from diastole.edge.chunks import Floats, Ints
from diastole.edge.records import SECOND_NS

CELLS: Final = 60_000
"""Numbers in a matrix: temporaries of that size stay in the cache."""


def of_equal_width(widths: Ints) -> Iterator[tuple[int, Ints]]:
    """Yield each width and rows that have it, no more at once than make ``CELLS`` numbers."""
    order = np.argsort(widths, kind="stable")
    starts = np.flatnonzero(np.diff(widths[order], prepend=-1))
    for start, stop in zip(starts, np.append(starts[1:], len(order)), strict=True):
        width = int(widths[order[start]])
        step = max(1, CELLS // max(1, width))
        for first in range(start, stop, step):
            yield width, order[first : min(first + step, stop)]


def gathered(values: Floats, times_ns: Ints, low: Ints, width: int) -> tuple[Floats, Floats]:
    """Return values, and times in seconds from the first, of windows of equally many beats."""
    index = low[:, np.newaxis] + np.arange(width)
    times = times_ns.take(index)
    return values.take(index), (times - times[:, :1]) / SECOND_NS
