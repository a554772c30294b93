"""Band powers of N windows at once: a quadratic spline through the beats, then Welch's method.

The definition is that of NeuroKit2's ``hrv_frequency`` over SciPy's ``interp1d`` and ``welch``.
"""

from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from diastole.edge.chunks import Floats, Ints
from diastole.edge.features.batches import gathered, of_equal_width
from diastole.edge.records import SECOND_NS
from diastole.edge.schema import INTERPOLATION_HZ

BANDS: Final = {
    "ulf": (0.0, 0.0033),
    "vlf": (0.0033, 0.04),
    "lf": (0.04, 0.15),
    "hf": (0.15, 0.4),
    "vhf": (0.4, 0.5),
}
"""Hz, from the first to before the second."""
BLOCK: Final = 2_000_000
"""Samples of tachograms held at once."""
NEGLIGIBLE: Final = 1e-18


def band_powers(rr_ms: Floats, end_ns: Ints, low: Ints, high: Ints) -> Floats:
    """Return (N, len(BANDS)) powers in ms2; a window needs three beats, none of one time.

    A band with fewer than two lines of the spectrum has a power of exactly 0.
    """
    length_s = (end_ns[high - 1] - end_ns[low]) / SECOND_NS
    step_s = 1 / INTERPOLATION_HZ
    samples = np.ceil((length_s + step_s) / step_s).astype(np.int64)  # as np.arange counts them
    powers = np.empty((len(low), len(BANDS)))
    rows_at_once = max(1, BLOCK // int(samples.max(initial=1)))
    for first in range(0, len(low), rows_at_once):
        part = slice(first, first + rows_at_once)
        tachograms = _tachograms(rr_ms, end_ns, low[part], high[part], int(samples[part].max()))
        for width, rows in of_equal_width(samples[part]):
            powers[first + rows] = _welch(tachograms[rows, :width])
    return powers


def _tachograms(rr_ms: Floats, end_ns: Ints, low: Ints, high: Ints, samples: int) -> Floats:
    """Return (N, samples): intervals from the first beat on at 4 Hz, the last one held.

    Each row is less its first interval, which changes no spectrum and keeps digits.
    """
    sampled = np.empty((len(low), samples))
    for beats, rows in of_equal_width(high - low):
        rr, time_s = gathered(rr_ms, end_ns, low[rows], beats)
        rr -= rr[:, :1].copy()
        at_s = np.arange(samples) / INTERPOLATION_HZ
        curve = _spline(time_s, rr)
        sampled[rows] = np.where(at_s > time_s[:, -1:], rr[:, -1:], _sampled(curve, samples))
    return sampled


class Spline(NamedTuple):
    """A polynomial ``a + b·u + c·u²`` for each span, ``u`` seconds from its start; (N, spans)."""

    start_s: Floats
    a: Floats
    b: Floats
    c: Floats


def _spline(time_s: Floats, rr: Floats) -> Spline:
    """Interpolate each row by a quadratic spline, with knots half-way between beats.

    The second and the last knot but one are left out (de Boor, A Practical Guide to Splines, XIII).
    In B-splines each inner beat gives one equation of three coefficients that add up to 1.
    """
    inner = (time_s[:, 1:-2] + time_s[:, 2:-1]) / 2
    knots = np.concatenate([time_s[:, :1], time_s[:, :1], inner, *[time_s[:, -1:]] * 2], axis=1)
    before, start, stop, after = (knots[:, k : knots.shape[1] - 3 + k] for k in range(4))
    width = stop - start
    falling = 1 / (width * (stop - before))
    rising = 1 / (width * (after - start))
    at = time_s[:, 1:-1]
    coefficients = rr.copy()
    coefficients[:, 1:-1] = _solved((stop - at) ** 2 * falling, (at - start) ** 2 * rising, rr)
    left, middle, right = coefficients[:, :-2], coefficients[:, 1:-1], coefficients[:, 2:]
    fall = (left - middle) * falling
    rise = (right - middle) * rising
    return Spline(start, middle + fall * width**2, -2 * fall * width, fall + rise)


def _solved(low: Floats, up: Floats, rr: Floats) -> Floats:
    """Solve ``low·x[i-1] + (1 - low - up)·x[i] + up·x[i+1] = rr[i]`` for each row, ends given.

    Cyclic reduction, for all unknowns at once (Hockney & Jesshope, Parallel Computers 2, 5.4): a
    round doubles the distance of the unknowns that are still coupled, until they hardly are. The
    matrix is totally positive, so no pivot vanishes.
    """
    centre = 1 - low - up
    low, up, known = low / centre, up / centre, rr[:, 1:-1] / centre
    known[:, 0] -= low[:, 0] * rr[:, 0]
    known[:, -1] -= up[:, -1] * rr[:, -1]
    low[:, 0] = up[:, -1] = 0
    apart = 1
    while apart < low.shape[1] and max(np.abs(low).max(), np.abs(up).max()) > NEGLIGIBLE:
        low, up, known = _reduced(low, up, known, apart)
        apart *= 2
    return known


def _reduced(low: Floats, up: Floats, known: Floats, apart: int) -> tuple[Floats, Floats, Floats]:
    """Eliminate the unknowns ``apart`` to either side."""
    down, ahead = low[:, apart:], up[:, :-apart]
    coupling = down * ahead
    pivot = np.ones_like(low)
    pivot[:, apart:] -= coupling
    pivot[:, :-apart] -= coupling
    rest = known.copy()
    rest[:, apart:] -= down * known[:, :-apart]
    rest[:, :-apart] -= ahead * known[:, apart:]
    further_low, further_up = np.zeros_like(low), np.zeros_like(up)
    further_low[:, apart:] = -down * low[:, :-apart]
    further_up[:, :-apart] = -ahead * up[:, apart:]
    return further_low / pivot, further_up / pivot, rest / pivot


def _sampled(curve: Spline, samples: int) -> Floats:
    """Return (N, samples) values of the curves at 4 Hz from 0 s on."""
    rows, spans = curve.start_s.shape
    begin = np.ceil(curve.start_s[:, 1:] * INTERPOLATION_HZ).astype(np.int64)
    cells = np.minimum(begin, samples) + np.arange(rows)[:, np.newaxis] * (samples + 1)
    begun = np.bincount(cells.ravel(), minlength=rows * (samples + 1)).reshape(rows, samples + 1)
    span = np.cumsum(begun[:, :samples], axis=1) + np.arange(rows)[:, np.newaxis] * spans
    u = np.arange(samples) / INTERPOLATION_HZ - curve.start_s.take(span)
    values: Floats = (curve.c.take(span) * u + curve.b.take(span)) * u + curve.a.take(span)
    return values


class Plan(NamedTuple):
    """How Welch's method cuts and weighs a signal of one length."""

    segment: int
    step: int
    taper: Floats
    weights: Floats
    """(lines, bands): the area that a line's power adds to each band."""


@lru_cache(maxsize=4096)
def _plan(samples: int) -> Plan:
    """Return NeuroKit2's plan: half the signal a segment, half overlapping, Hann, twice the lines.

    Its spectrum begins at the frequency of which two cycles fill a segment; a band's power is the
    area of the trapezoids between its lines.
    """
    lowest_hz = 2 * INTERPOLATION_HZ / (samples / 2)
    segment = min(int(2 / lowest_hz * INTERPOLATION_HZ), samples // 2)
    taper = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(segment) / segment)
    hz = np.fft.rfftfreq(2 * segment, 1 / INTERPOLATION_HZ)
    hz = hz[hz <= max(high for _, high in BANDS.values())]
    weights = np.zeros((len(hz), len(BANDS)))
    for band, (low, high) in enumerate(BANDS.values()):
        lines = np.flatnonzero((hz >= lowest_hz) & (hz >= low) & (hz < high))
        halves = np.diff(hz[lines]) / 2
        weights[lines[:-1], band] += halves
        weights[lines[1:], band] += halves
    # One side of the spectrum stands for both (no band has weight at 0 Hz).
    weights *= 2 / (INTERPOLATION_HZ * (taper**2).sum())
    return Plan(segment, segment - segment // 2, taper, weights)


def _welch(signals: Floats) -> Floats:
    """Return (N, bands): powers of rows of equal length."""
    plan = _plan(signals.shape[1])
    level = signals - signals.mean(axis=1, keepdims=True)
    cut = np.lib.stride_tricks.sliding_window_view(level, plan.segment, axis=1)[:, :: plan.step]
    spectra = np.fft.rfft(cut * plan.taper, 2 * plan.segment)[..., : len(plan.weights)]
    power: Floats = (spectra.real**2 + spectra.imag**2).mean(axis=1) @ plan.weights
    return power
