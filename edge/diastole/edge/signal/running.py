"""Sums and extremes over a moving span that come out the same wherever the array was cut.

A running sum carries rounding from the array's beginning to its end; here every value is made from
its own span alone, in one order, so that a piece of a signal gives to the last bit what the whole
signal gives there.
"""

from typing import TypeVar

import numpy as np

from diastole.edge.chunks import Bools, Floats

Values = TypeVar("Values", Floats, Bools)


def running(op: np.ufunc, values: Values, n: int) -> Values:
    """Reduce each ``n`` consecutive values, by spans that double; n - 1 fewer come out."""
    length = len(values) - n + 1
    if length <= 0:
        return values[:0]
    done, span, part, out = 0, 1, values, values[:0]
    while done < n:
        if n & span:
            piece = part[done : done + length]
            out = op(out, piece) if done else piece
            done += span
        if done < n:
            part = op(part[:-span], part[span:])
            span *= 2
    return out


def moving_mean(values: Floats, half: int) -> Floats:
    """Mean of each value and ``half`` to either side; NaN where the array does not hold them."""
    mean = np.full_like(values, np.nan)
    mean[half : len(values) - half] = running(np.add, values, 2 * half + 1) / (2 * half + 1)
    return mean


def opened(held: Bools, n: int) -> Bools:
    """Where something holds for at least ``n`` values on end."""
    edge = np.zeros(n - 1, np.bool_)
    begins = running(np.logical_and, np.concatenate([held, edge]), n)
    return running(np.logical_or, np.concatenate([edge, begins]), n)


def sum_columns(rows: Floats) -> Floats:
    """Sum over the first axis by halves, in an order that the other axis has no part in."""
    while len(rows) > 1:
        half = len(rows) // 2
        rows = np.concatenate([rows[:half] + rows[half : 2 * half], rows[2 * half :]])
    total: Floats = rows[0]
    return total
