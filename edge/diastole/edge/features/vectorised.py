"""The fast engine: the features of N windows at once in NumPy, equal to NeuroKit2's.

Windows of equally many beats make one matrix, so nothing is padded and a window's numbers do not
hang on its neighbours. Each deviation is taken of the very terms that NeuroKit2 takes it of, with
their rounding; only the order of sums differs.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from diastole.edge.chunks import Bools, Floats, Ints
from diastole.edge.features.batches import gathered, of_equal_width
from diastole.edge.features.spectrum import BANDS, band_powers
from diastole.edge.features.validity import table
from diastole.edge.schema import TOUCH_MS, Feature

RANKS: Final = frozenset(
    {"median_nn", "min_nn", "max_nn", "prc20_nn", "prc80_nn", "iqr_nn", "mad_nn"}
)
MAD_OF_NORMAL: Final = 1.4826
"""Times the MAD, the deviation of a normal distribution."""


class Vectorised:
    """The engine for many windows."""

    name = "vectorised"
    version = f"numpy {np.__version__}"

    def compute(
        self,
        spec: Sequence[Feature],
        rr_ms: Floats,
        end_ns: Ints,
        low: Ints,
        high: Ints,
        covered_ns: Ints,
    ) -> Floats:
        """Compute features as :class:`diastole.edge.features.Engine` promises."""
        with np.errstate(all="ignore"):  # a ratio of zeros is dust, and the rules know it
            return table(
                spec, rr_ms, end_ns, low, high, covered_ns, timed=_timed, spectral=_spectral
            )


def _timed(
    wanted: frozenset[str], rr_ms: Floats, end_ns: Ints, low: Ints, high: Ints
) -> dict[str, Floats]:
    found: dict[str, Floats] = {}
    for width, rows in of_equal_width(high - low):
        rr, time_s = gathered(rr_ms, end_ns, low[rows], width)
        parts = _levels(rr)
        parts |= _differences(rr, time_s, parts["mean_nn"], parts["sdnn"])
        if wanted & RANKS:
            parts |= _ranks(rr)
        for name, values in parts.items():
            found.setdefault(name, np.empty(len(low)))[rows] = values
    return found


def _levels(rr: Floats) -> dict[str, Floats]:
    mean = rr.mean(axis=1)
    deviation = rr.std(axis=1, ddof=1)
    return {
        "mean_nn": mean,
        "hr_mean": 60_000 / mean,
        "sdnn": deviation,
        "cvnn": deviation / mean,
    }


def _ranks(rr: Floats) -> dict[str, Floats]:
    ranked = np.sort(rr, axis=1)
    median = _quantile(ranked, 0.5)
    distances = np.sort(np.abs(rr - median[:, np.newaxis]), axis=1)
    return {
        "median_nn": median,
        "min_nn": ranked[:, 0],
        "max_nn": ranked[:, -1],
        "prc20_nn": _quantile(ranked, 0.2),
        "prc80_nn": _quantile(ranked, 0.8),
        "iqr_nn": _quantile(ranked, 0.75) - _quantile(ranked, 0.25),
        "mad_nn": MAD_OF_NORMAL * _quantile(distances, 0.5),
    }


def _quantile(ranked: Floats, share: float) -> Floats:
    """Interpolate linearly between the two nearest ranks of each row."""
    place = share * (ranked.shape[1] - 1)
    below = int(place)
    above = min(below + 1, ranked.shape[1] - 1)
    lower = ranked[:, below]
    value: Floats = lower + (ranked[:, above] - lower) * (place - below)
    return value


def _differences(rr: Floats, time_s: Floats, mean: Floats, sdnn: Floats) -> dict[str, Floats]:
    used = _pairs(rr, time_s)
    pairs = np.count_nonzero(used, axis=1)
    earlier, later = rr[:, :-1], rr[:, 1:]
    step = later - earlier
    weight = used.astype(np.float64)
    rmssd = np.sqrt((step * step * weight).sum(axis=1) / pairs)
    sd1 = _deviation((earlier - later) / np.sqrt(2), weight, pairs)
    sd2 = _deviation((earlier + later) / np.sqrt(2), weight, pairs)
    size = np.abs(step) * weight
    return {
        "rmssd": rmssd,
        "sdsd": _deviation(step, weight, pairs),
        "cvsd": rmssd / mean,
        "sdrmssd": sdnn / rmssd,
        "pnn20": np.count_nonzero(size > 20, axis=1) / (pairs + 1) * 100,
        "pnn50": np.count_nonzero(size > 50, axis=1) / (pairs + 1) * 100,
        "sd1": sd1,
        "sd2": sd2,
        "sd1sd2": sd1 / sd2,
        "cvi": np.log10(16 * sd2 * sd1),
    }


def _pairs(rr: Floats, time_s: Floats) -> Bools:
    """Return which neighbours NeuroKit2 takes for successive.

    It takes every pair where none is successive, and where times rounded to 1 ms are evenly spaced.
    """
    spacing = np.diff(time_s, axis=1)
    used: Bools = np.abs(spacing * 1000 - rr[:, 1:]) <= TOUCH_MS
    some = np.flatnonzero(~used.all(axis=1))
    rounded = np.round(spacing[some], 3)
    even = rounded.min(axis=1, initial=np.inf) == rounded.max(axis=1, initial=-np.inf)
    used[some[even | ~used[some].any(axis=1)]] = True
    return used


def _deviation(terms: Floats, weight: Floats, count: Ints) -> Floats:
    """Sample deviation of the terms of each row whose weight is 1, in two passes."""
    mean = (terms * weight).sum(axis=1) / count
    away = (terms - mean[:, np.newaxis]) * weight
    deviation: Floats = np.sqrt((away * away).sum(axis=1) / (count - 1))
    return deviation


def _spectral(
    wanted: frozenset[str], rr_ms: Floats, end_ns: Ints, low: Ints, high: Ints
) -> dict[str, Floats]:
    del wanted  # one spectrum gives them all
    power = band_powers(rr_ms, end_ns, low, high)
    total = power.sum(axis=1)
    power[power == 0] = np.nan  # fewer than two lines of the spectrum lie in the band
    lf, hf = (power[:, list(BANDS).index(name)] for name in ("lf", "hf"))
    return {"lf": lf, "hf": hf, "lf_hf": lf / hf, "tp": total, "ln_hf": np.log(hf)}
