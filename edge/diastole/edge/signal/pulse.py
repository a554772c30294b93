"""Pulses in a raw PPG, placed at their steepest rise, and how much each looks like its neighbours.

Elgendi's two moving averages (Elgendi M. et al. 2013, PLoS ONE 8(10):e76585) over the rising slope
of the pulse wave rather than over the wave: the upstroke is where a pulse can be placed best, a
wrist's peaks are round, and a late second peak is sometimes the higher one.

Every step has finite support: what is said of a sample depends on ``REACH_S`` around it and on
nothing else, to the last bit. So a piece of a wave gives inside its margins what the whole wave
gives there, and a seam between pieces can neither lose nor double a beat.
"""

from typing import Final, NamedTuple

import numpy as np

from diastole.edge.chunks import Bools, Floats, Ints
from diastole.edge.signal.running import moving_mean, opened, running, sum_columns

BAND_HZ: Final = (0.5, 6.0)
SLOWEST_HZ: Final = 4 * BAND_HZ[1]
"""No pulse is looked for in a slower wave."""
FILTER_S: Final = 1.5
"""Half the length of the band-pass."""
UPSTROKE_S: Final = 0.111
"""Elgendi's W1, the shorter moving average."""
BEAT_S: Final = 0.667
"""Elgendi's W2, the longer one."""
OFFSET: Final = 0.02
"""Elgendi's beta, a share of the mean energy within ``OFFSET_S``."""
OFFSET_S: Final = 2.0
APART_S: Final = 0.3
"""Of two upstrokes nearer than this the steeper counts."""
SHAPE_S: Final = (-0.3, 0.5)
"""The part of a pulse that is compared, around its steepest rise."""
SHAPE_POINTS: Final = 24
NEAR_S: Final = 3.0
"""The other pulses within this make the mean pulse."""
REACH_S: Final = FILTER_S + OFFSET_S + BEAT_S + UPSTROKE_S + APART_S + NEAR_S


class Pulses(NamedTuple):
    """Pulses in order: their place in samples of the run, and their quality from 0 to 1."""

    places: Floats
    quality: Floats


def find(values: Floats, first: int, rate_hz: float) -> Pulses:
    """Return the pulses of consecutive samples, the first of which the run counts ``first``.

    Exact for pulses over ``REACH_S`` from an end that is only a cut; a true end is held. There is
    no pulse within reach of a sample that is NaN. The wave rises with the blood volume.
    """
    pad = round(REACH_S * rate_hz) + 2
    if not len(values) or rate_hz < SLOWEST_HZ:
        return Pulses(np.empty(0), np.empty(0))
    known = np.where(np.isfinite(values), values, np.nan)
    with np.errstate(over="ignore", invalid="ignore"):
        slope = np.diff(_band_pass(np.pad(known, pad, mode="edge"), rate_hz), prepend=0.0)
        tops = _upstrokes(slope, pad, rate_hz)
        before, after = slope[tops - 1] - slope[tops], slope[tops + 1] - slope[tops]
        shift = 0.5 * (before - after) / (before + after)  # parabola through three samples
        places = (tops - pad + first) + (shift - 0.5)  # a difference lies between its samples
        return Pulses(places, _likeness(_shapes(slope, tops, shift, rate_hz), places, rate_hz))


def _band_pass(values: Floats, rate_hz: float) -> Floats:
    """Filter without delay: a windowed sinc without a mean, added tap by tap."""
    half = round(FILTER_S * rate_hz)
    k = np.arange(half + 1)
    low, high = (2 * hz / rate_hz * np.sinc(2 * hz / rate_hz * k) for hz in BAND_HZ)
    window = 0.54 + 0.46 * np.cos(np.pi * k / (half + 1))
    taps = (high - low) * window
    taps -= window * (2 * taps.sum() - taps[0]) / (2 * window.sum() - window[0])
    wave: Floats = taps[0] * values
    for i in range(1, half + 1):
        wave[i:-i] += taps[i] * (values[: -2 * i] + values[2 * i :])
    return wave


def _upstrokes(slope: Floats, pad: int, rate_hz: float) -> Ints:
    """Places of the steepest rise wherever the short average is over the long for long enough."""
    energy = np.maximum(slope, 0.0) ** 2
    short, long, level = (
        moving_mean(energy, round(half * rate_hz))
        for half in (UPSTROKE_S / 2, BEAT_S / 2, OFFSET_S)
    )
    steep = opened(short > long + OFFSET * level, round(UPSTROKE_S * rate_hz))
    top = np.zeros(len(slope), np.bool_)
    top[1:-1] = (slope[1:-1] > slope[:-2]) & (slope[1:-1] >= slope[2:])
    top &= steep & (slope > 0)
    top[:pad] = top[len(top) - pad :] = False
    height = np.where(top, slope, -np.inf)
    found: Ints = np.flatnonzero(top & _highest(height, round(APART_S * rate_hz)))
    return found


def _highest(height: Floats, n: int) -> Bools:
    """Where no other of the ``n`` to either side is higher, and none before is as high."""
    around = np.concatenate([np.full(n, -np.inf), height, np.full(n, -np.inf)])
    most = running(np.maximum, around, n)  # of n values from each on
    found: Bools = (height > most[: len(height)]) & (height >= most[n + 1 :])
    return found


def _shapes(slope: Floats, tops: Ints, shift: Floats, rate_hz: float) -> Floats:
    """Return (points, pulses): the slope around each top, of mean 0 and length 1."""
    at = shift + np.linspace(*SHAPE_S, SHAPE_POINTS)[:, None] * rate_hz
    whole = np.floor(at)
    left = tops + whole.astype(np.int64)
    shapes = slope[left] + (at - whole) * (slope[left + 1] - slope[left])
    return _unit(shapes - sum_columns(shapes) / SHAPE_POINTS)


def _likeness(shapes: Floats, places: Floats, rate_hz: float) -> Floats:
    """Share of each pulse's shape that the mean of the others near it explains (r squared)."""
    others = np.zeros_like(shapes)
    for k in range(1, min(len(places), int(NEAR_S / APART_S) + 2)):
        both = places[k:] - places[:-k] <= NEAR_S * rate_hz
        others[:, :-k] += np.where(both, shapes[:, k:], 0.0)
        others[:, k:] += np.where(both, shapes[:, :-k], 0.0)
    quality: Floats = np.clip(sum_columns(shapes * _unit(others)), 0.0, 1.0) ** 2
    return quality


def _unit(shapes: Floats) -> Floats:
    """Each column at length 1; one without any stays 0."""
    length = np.sqrt(sum_columns(shapes * shapes))
    return np.divide(shapes, length, out=np.zeros_like(shapes), where=length > 0)
