"""Movement a second, and its rhythm, from acceleration.

Both depend on the samples of a second and of the ``REACH_S`` before it, and on nothing else, to the
last bit, so that a run may be cut anywhere.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from diastole.edge.chunks import Floats, Ints
from diastole.edge.records import SECOND_NS
from diastole.edge.signal.running import moving_mean, running

SPAN: Final = 8
"""Seconds over which a rhythm must last."""
PERIOD_S: Final = (0.33, 1.6)
"""Steps and turns: 180 to 38 a minute."""
LAGS_HZ: Final = 32.0
"""Periods are looked for in steps of about this."""
LEAST_MG: Final = 35.0
"""Weaker movement, of a second's root mean square, has no cadence."""
LIKE_ONE: Final = 0.35
"""Least likeness (-1 to 1) to itself one period before ..."""
LIKE_TWO: Final = 0.2
"""... and two periods before."""
NEARLY: Final = 0.85
"""A period is the shortest whose likeness is this share of the highest."""
REACH_S: Final = SPAN + 2 * PERIOD_S[1] + 1.5
SLOWEST_HZ: Final = 10.0
"""Sampled more slowly, a rhythm cannot be told."""


class Seconds(NamedTuple):
    """UTC seconds in order: their end, and NaN where one has no activity or no rhythm."""

    end_ns: Ints
    activity_mg: Floats
    cadence_per_min: Floats


def seconds(values: Floats, times_ns: Ints, rate_hz: float) -> Seconds:
    """Return every UTC second that consecutive samples (n, 3) in mg touch.

    ``activity_mg`` needs over half of a second's samples. Exact from ``REACH_S`` behind a beginning
    that is only a cut.
    """
    second = times_ns // SECOND_NS
    starts = np.flatnonzero(np.diff(second, prepend=second[0] - 1))
    place = np.cumsum(np.diff(second, prepend=second[0]) > 0)

    def total(x: Floats) -> Floats:
        sums: Floats = np.add.reduceat(x, starts)
        return sums

    known = np.isfinite(values).all(axis=1)
    n = total(np.where(known, 1.0, 0.0))
    several: Floats = np.maximum(n, 1.0)
    variance = np.zeros(len(starts))
    for axis in values.T:
        x: Floats = np.where(known, axis, 0.0)
        mean = total(x) / several
        off: Floats = np.where(known, x - mean[place], 0.0)
        variance += total(np.square(off)) / several
    activity = np.where(2 * n > rate_hz, np.sqrt(variance), np.nan)
    cadence = np.full(len(starts), np.nan)
    if rate_hz >= SLOWEST_HZ and len(values) >= SPAN * rate_hz:
        swings = [_swing(np.where(known, axis, np.nan), rate_hz) for axis in values.T]
        cadence = _cadence(swings, total, rate_hz)
    return Seconds((second[starts] + 1) * SECOND_NS, activity, cadence)


def _swing(axis: Floats, rate_hz: float) -> Floats:
    """Take the mean of the second around off each sample, half a second late to stay causal."""
    half = round(rate_hz / 2)
    swing = np.full_like(axis, np.nan)
    swing[half:] = (axis - moving_mean(axis, half))[: len(axis) - half]
    return swing


def _cadence(swings: list[Floats], total: Callable[[Floats], Floats], rate_hz: float) -> Floats:
    """Rhythm of the last ``SPAN`` seconds of all three axes together, so that no turn matters."""

    def lately(x: Floats) -> Floats:
        sums = total(x)
        last = np.full_like(sums, np.nan)
        last[SPAN - 1 :] = running(np.add, sums, SPAN)
        return last

    def product(lag: int) -> Floats:
        x = np.full(len(swings[0]), np.nan)
        a, b, c = (s[lag:] * s[: len(s) - lag] for s in swings)
        x[lag:] = a + b + c
        return x

    step = max(1, round(rate_hz / LAGS_HZ))
    low, high = (round(s * rate_hz / step) for s in PERIOD_S)
    power = product(0)
    energy = lately(power)
    strong = energy > LEAST_MG**2 * SPAN * rate_hz
    if not strong.any():
        return np.full_like(energy, np.nan)
    like = np.full((2 * high + 1, len(energy)), np.nan)  # by lag, then second
    for k in range(low - 1, 2 * high + 1):
        lag = k * step
        before = np.concatenate([np.full(min(lag, len(power)), np.nan), power[: len(power) - lag]])
        both = energy + lately(before[: len(power)])
        like[k] = 2 * np.divide(lately(product(lag)), both, out=both * np.nan, where=both > 0)
    return np.where(strong, _rhythm(like, low, high), np.nan) * (rate_hz / step)


def _rhythm(like: Floats, low: int, high: int) -> Floats:
    """Periods a minute for lags of one a second: the shortest of about the most alike.

    Its double must be alike, too; alone it is likely to be the most alike of all.
    """
    here = like[low : high + 1]
    top = (here > like[low - 1 : high]) & (here >= like[low + 1 : high + 2])
    best = np.where(top, here, -1.0)
    lag = low + (best >= NEARLY * best.max(axis=0)).argmax(axis=0)
    at = np.arange(like.shape[1])
    before, after = like[lag - 1, at] - like[lag, at], like[lag + 1, at] - like[lag, at]
    rhythmic = (best[lag - low, at] > LIKE_ONE) & (like[2 * lag, at] > LIKE_TWO)
    bend = np.where(rhythmic, before + after, 1.0)
    return np.where(rhythmic, 60.0 / (lag + 0.5 * (before - after) / bend), np.nan)
