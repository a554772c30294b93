"""Heart rate by the second from a raw PPG, under movement too, with a word on how far to trust it.

The slope of the pulse wave (the wave itself reads sway and breath as a slow pulse, its second
derivative noise as a fast one), amplitude levelled, in spans of ``SPAN_S``: what acceleration
explains is taken out, and what is left is asked at each rate of a grid how much of its power lies
there, and how alike it is to itself a beat before. The answers are followed forward only, by a
hidden Markov chain whose belief is all that goes from one second to the next.

What is asked of a second depends on ``REACH_S`` around it and on nothing else, to the last bit.
"""

from typing import Final, NamedTuple

import numpy as np

from diastole.edge.chunks import Floats, Ints
from diastole.edge.records import SECOND_NS
from diastole.edge.signal.running import moving_mean, sum_columns

BAND_HZ: Final = (0.6, 6.0)
SLOWEST_HZ: Final = 4 * BAND_HZ[1]
"""No rate is looked for in a slower wave."""
ENOUGH_HZ: Final = 16.0
"""The slope is computed at about this rate: it holds nothing above the band."""
FILTER_S: Final = 1.5
"""Half the length of the band-pass."""
LEVEL_S: Final = 2.0
"""The slope is held to its root mean square over so much to either side."""
SPAN_S: Final = 8
REACH_S: Final = FILTER_S + LEVEL_S + SPAN_S / 2 + 0.1

LOW_BPM: Final = 38.0
HIGH_BPM: Final = 215.0
STEP: Final = 0.015
"""ln: of the grid."""
BPM: Final = LOW_BPM * np.exp(STEP * np.arange(int(np.log(HIGH_BPM / LOW_BPM) / STEP) + 1))
BINS: Final = 512
"""Length of the transform: longer than a span and the slowest beat."""
DOUBLE: Final = 0.5
"""Weight of the power at twice the rate."""
FLOOR: Final = 0.05
"""Added to each answer, as a share of the highest: no second rules a rate out."""
POWER: Final = 0.5
LIKENESS: Final = 0.25
"""How much each answer counts: spans overlap by seven eighths, so a second tells little anew."""
DRIFT: Final = 1.0
"""Steps of the grid by which the rate changes in a second, as a standard deviation."""
LEAP: Final = 1e-4
"""Chance that it is anywhere a second later."""
AROUND: Final = 3
"""Steps of the grid to either side over which the rate is read."""
TRUSTED: Final = 0.10
"""Share of the power, movement's taken out, that lies at a rate that can be trusted."""
_BLOCK: Final = 1024


class Asked(NamedTuple):
    """The answers of N seconds at the M rates of the grid, (N, M): flat and 0 where unknown."""

    likelihood: Floats
    share: Floats


def ask(
    values: Floats, acc_mg: Floats, first: int, rate_hz: float, start_ns: int, times_ns: Ints
) -> Asked:
    """Ask the seconds centred at ``times_ns`` for their rate.

    ``values`` are consecutive samples, the first of which the run, begun at ``start_ns``, counts
    ``first``; ``acc_mg`` (n, 3) is the acceleration at the same times, 0 where it is not known. A
    second of which ``SPAN_S / 2`` to either side is not all sampled, or not finite, is not known.
    """
    likelihood = np.ones((len(times_ns), len(BPM)))
    share = np.zeros_like(likelihood)
    if rate_hz < SLOWEST_HZ or not len(values):
        return Asked(likelihood, share)
    slope = _Slope(values, acc_mg, first, rate_hz)
    # counted from the run's own beginning, so that no cut rounds a place
    begins = np.ceil((times_ns - start_ns) * (slope.rate_hz / 1e9) - slope.n / 2).astype(np.int64)
    begins -= slope.first
    held = round(LEVEL_S * slope.rate_hz)
    inside = (begins >= held) & (begins + slope.n <= len(slope.wave) - held)
    known = np.flatnonzero(inside)
    for low in range(0, len(known), _BLOCK):
        which = known[low : low + _BLOCK]
        told = slope.ask(begins[which])
        likelihood[which], share[which] = told.likelihood.T, told.share.T
    return Asked(likelihood, share)


class _Slope:
    """The slope of the wave and of acceleration, at a rate that is just enough."""

    def __init__(self, values: Floats, acc_mg: Floats, first: int, rate_hz: float) -> None:
        every = int(rate_hz // ENOUGH_HZ)
        self.rate_hz = rate_hz / every
        self.n = round(SPAN_S * self.rate_hz)
        half = round(FILTER_S * rate_hz)
        pad = (round((FILTER_S + LEVEL_S) * rate_hz) // every + 1) * every
        # every so many samples of the run, wherever it was cut
        places = np.arange((-first) % every, len(values) + 2 * pad, every)
        places = places[(places >= half) & (places < len(values) + 2 * pad - half)]
        self.first = (first + int(places[0]) - pad) // every
        plain, steep = _taps(rate_hz, half)
        with np.errstate(over="ignore", invalid="ignore"):
            wave = np.pad(np.where(np.isfinite(values), values, np.nan), pad, mode="edge")
            slope = _odd(wave, places, steep)
            level = np.sqrt(moving_mean(slope * slope, round(LEVEL_S * self.rate_hz)))
            scale = np.divide(1.0, level, out=np.zeros_like(level), where=level > 0)
            scale[np.isnan(level)] = np.nan
            self.wave = slope * scale
            axes = [np.pad(axis, pad, mode="edge") for axis in acc_mg.T]
            # both, so that movement may come late in the pulse wave by any phase
            self.moves = [_even(axis, places, plain) * scale for axis in axes]
            self.moves += [_odd(axis, places, steep) * scale for axis in axes]
        window = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(self.n) + 0.5) / self.n)
        self.window = window[:, None]
        self.overlap = np.fft.irfft(np.abs(np.fft.rfft(window, BINS)) ** 2)

    def ask(self, begins: Ints) -> Asked:
        """Return the answers, a column a span."""
        at = begins + np.arange(self.n)[:, None]
        left = _left(self.wave[at] * self.window, [move[at] * self.window for move in self.moves])
        unknown = ~np.isfinite(left).all(axis=0)
        left[:, unknown] = 0.0
        power = np.abs(np.fft.rfft(left, BINS, axis=0)) ** 2
        per_bin = BPM / 60 * BINS / self.rate_hz
        share = _between(power, per_bin) + DOUBLE * _between(power, 2 * per_bin)
        whole = sum_columns(power[: int(BAND_HZ[1] * BINS / self.rate_hz)]) * (self.n / BINS)
        share = np.divide(share, whole, out=np.zeros_like(share), where=whole > 0)
        lag = 60 * self.rate_hz / BPM
        like = _between(np.fft.irfft(power, axis=0), lag) / _between(self.overlap[:, None], lag)
        likelihood = (_of_highest(share) + FLOOR) ** POWER
        likelihood *= (_of_highest(np.maximum(like, 0.0)) + FLOOR) ** LIKENESS
        return Asked(likelihood, share)


def begin() -> Floats:
    """Return the belief before the first second: any rate."""
    return np.full(len(BPM), 1 / len(BPM))


def follow(belief: Floats, asked: Asked) -> tuple[Floats, Floats]:
    """Return the belief after the seconds, and the rate in bpm of each; NaN: not to be trusted."""
    reach = int(4 * DRIFT)
    drift = np.exp(-0.5 * (np.arange(reach + 1) / DRIFT) ** 2)
    drift *= (1 - LEAP) / (2 * drift.sum() - drift[0])
    beliefs = np.empty_like(asked.likelihood)
    m = len(belief)
    for second, likelihood in enumerate(asked.likelihood):
        wide = np.zeros(m + 2 * reach)
        wide[reach:-reach] = belief
        moved = drift[0] * belief + LEAP / m
        for k in range(1, reach + 1):
            moved += drift[k] * (wide[reach - k : m + reach - k] + wide[reach + k : m + reach + k])
        moved *= likelihood
        belief = moved / moved.sum()
        beliefs[second] = belief
    return belief, _read(beliefs, asked.share)


def _read(beliefs: Floats, share: Floats) -> Floats:
    """Rate at the mean of the belief around where most of it lies."""
    wide = np.pad(beliefs, ((0, 0), (AROUND, AROUND)))
    near = np.stack([wide[:, k : k + beliefs.shape[1]] for k in range(2 * AROUND + 1)])
    top = sum_columns(near).argmax(axis=1)
    rows = np.arange(len(top))
    weights = near[:, rows, top]
    off = np.arange(-AROUND, AROUND + 1.0)[:, None]
    rate = BPM[top] * np.exp(STEP * sum_columns(off * weights) / sum_columns(weights))
    trusted = share[rows, top] >= TRUSTED
    bpm: Floats = np.where(trusted, rate, np.nan)
    return bpm


def _taps(rate_hz: float, half: int) -> tuple[Floats, Floats]:
    """Return one side of a windowed sinc without a mean, and of its slope."""
    k = np.arange(half + 2)
    low, high = (2 * hz / rate_hz * np.sinc(2 * hz / rate_hz * k) for hz in BAND_HZ)
    window = np.maximum(0.54 + 0.46 * np.cos(np.pi * k / (half + 1)), 0.0)
    taps = (high - low) * window
    taps -= window * (2 * taps.sum() - taps[0]) / (2 * window.sum() - window[0])
    steep = np.zeros(half + 1)
    steep[1:] = 0.5 * rate_hz / (2 * np.pi) * (taps[:-2] - taps[2:])
    return taps[: half + 1], steep


def _even(values: Floats, places: Ints, taps: Floats) -> Floats:
    out: Floats = taps[0] * values[places]
    for k in range(1, len(taps)):
        out += taps[k] * (values[places - k] + values[places + k])
    return out


def _odd(values: Floats, places: Ints, taps: Floats) -> Floats:
    out = np.zeros(len(places))
    for k in range(1, len(taps)):
        out += taps[k] * (values[places + k] - values[places - k])
    return out


def _left(wave: Floats, moves: list[Floats]) -> Floats:
    """Take off each column of the wave what the movements explain (Gram and Schmidt's way)."""
    units: list[Floats] = []
    for move in moves:
        rest = move
        for unit in units:
            rest = rest - unit * sum_columns(unit * rest)
        length = np.sqrt(sum_columns(rest * rest))
        real = length > 1e-6 * np.sqrt(sum_columns(move * move))
        units.append(np.divide(rest, length, out=np.zeros_like(rest), where=real))
    for unit in units:
        wave = wave - unit * sum_columns(unit * wave)
    return wave


def _between(rows: Floats, at: Floats) -> Floats:
    """Rows at places between two of them."""
    low = at.astype(np.int64)
    part = (at - low)[:, None]
    values: Floats = rows[low] * (1 - part) + rows[low + 1] * part
    return values


def _of_highest(rows: Floats) -> Floats:
    highest = rows.max(axis=0)
    result: Floats = np.divide(rows, highest, out=np.zeros_like(rows), where=highest > 0)
    return result


def seconds_ns(from_ns: int, until_ns: int) -> Ints:
    """Return the whole UTC seconds from the one time to before the other."""
    seconds: Ints = np.arange(-(-from_ns // SECOND_NS), -(-until_ns // SECOND_NS)) * SECOND_NS
    return seconds
