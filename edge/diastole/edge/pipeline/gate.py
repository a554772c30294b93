"""Whether a window's variability can be believed: a wrong RMSSD is worse than none.

It is not where a strict and a lenient setting of the rule come to different RMSSDs, where one pair
makes it, or where the rule refuses many of the intervals. All sums are of whole numbers, so that a
chunk cut elsewhere flips no window.
"""

import math
from typing import Final

import numpy as np

from diastole.edge.chunks import Bools, Floats, Ints, Rows, rr_ns
from diastole.edge.pipeline.rule import TOUCH_NS
from diastole.edge.pipeline.verdicts import ACCEPTED, OUT_OF_RANGE

MOST_APART: Final = math.exp(2 * 0.2)
"""Ratio of mean squares, strict and lenient: RMSSDs that are 0.2 apart in ln."""
MOST_OF_ONE_PAIR: Final = 0.30
"""Share of one pair in the sum of squared differences."""
MOST_REFUSED: Final = 0.20
"""Share that the rule refuses of the intervals that their own flags do not."""

NO_PAIR: Final = -1


def variability_is_sound(rows: Rows, low: Ints, high: Ints) -> Bools:
    """Tell for each window, ``rows[low:high]``, whether its RMSSD can be believed.

    ``rows`` are all ``JUDGED`` beats of one device and kind, in time order, refused ones too. A
    pair is two rows in succession, both accepted, of which the later begins where the earlier
    ended. A window without a pair is not sound; one of fewer than four only if they are equal.
    """
    rr = rr_ns(rows["rr_ms"])
    touches = np.abs(np.diff(rows["time_ns"]) - rr[1:]) <= TOUCH_NS
    difference = np.diff(rr) // 1000  # in whole microseconds a window's sum of squares fits
    squares = difference * difference
    accepted = rows["verdict"] == ACCEPTED
    # Pair p is rows p and p + 1: a window has those from low to before high - 1.
    usual, strict, lenient = (
        np.where(touches & mask[1:] & mask[:-1], squares, NO_PAIR)
        for mask in (accepted, rows["strict"], rows["lenient"])
    )
    first = np.minimum(low, len(squares))
    last = np.maximum(high - 1, first)
    one, other = _mean(strict, first, last), _mean(lenient, first, last)
    agree = np.maximum(one, other) <= MOST_APART * np.minimum(one, other)
    shared = _largest(usual, first, last) <= MOST_OF_ONE_PAIR * _total(usual, first, last)
    ruled = accepted | (rows["verdict"] >= OUT_OF_RANGE)
    refused = _sum(ruled & ~accepted, low, high)
    sound: Bools = (
        agree
        & shared
        & (refused <= MOST_REFUSED * _sum(ruled, low, high))
        & (_sum(usual != NO_PAIR, first, last) > 0)
    )
    return sound


def _sum(values: Ints | Bools, low: Ints, high: Ints) -> Ints:
    sums = np.concatenate([[0], np.cumsum(values, dtype=np.int64)])
    whole: Ints = sums[high] - sums[low]
    return whole


def _total(squares: Ints, low: Ints, high: Ints) -> Ints:
    return _sum(np.maximum(squares, 0), low, high)


def _mean(squares: Ints, low: Ints, high: Ints) -> Floats:
    """Mean of the pairs that there are; NaN, which agrees with nothing, where there is none."""
    count = _sum(squares != NO_PAIR, low, high)
    mean: Floats = np.where(count > 0, _total(squares, low, high) / np.maximum(count, 1), np.nan)
    return mean


def _largest(squares: Ints, low: Ints, high: Ints) -> Ints:
    """Largest of each stretch, 0 where it is empty."""
    padded = np.concatenate([np.maximum(squares, 0), [0]])
    edges = np.stack([low, high], axis=1).ravel()
    largest: Ints = np.where(high > low, np.maximum.reduceat(padded, edges)[::2], 0)
    return largest
