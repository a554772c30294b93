"""When a feature exists: the NaN rules of the schema, the same for both engines.

An engine is two kernels that give statistics by name. What a window holds is judged here, in whole
nanoseconds, so that no rounding decides whether a value exists, and a kernel meets only the windows
that can have one.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

import numpy as np

from diastole.edge.chunks import Bools, Floats, Ints, rr_ns
from diastole.edge.records import SECOND_NS
from diastole.edge.schema import (
    DUST_MS,
    DUST_MS2,
    FLAT_MS,
    MAX_HOLE_S,
    MIN_STEP_MS,
    TOUCH_MS,
    Feature,
)

PAIR_NS: Final = int(TOUCH_MS * 1e6)
"""An interval that begins this near to the end of the one before is successive to it."""
HOLE_NS: Final = round(MAX_HOLE_S * SECOND_NS)
STEP_NS: Final = round(MIN_STEP_MS * 1e6)
FLAT_NS: Final = round(FLAT_MS * 1e6)


class Kernel(Protocol):
    """Statistics of windows that can have them."""

    def __call__(
        self, wanted: frozenset[str], rr_ms: Floats, end_ns: Ints, low: Ints, high: Ints
    ) -> dict[str, Floats]:
        """Return one value a window for each statistic wanted, and maybe for others."""
        ...


class Evidence(NamedTuple):
    """What each window holds, (N,) each."""

    covered_ns: Ints
    beats: Ints
    pairs: Ints
    """Successive pairs: those that touch, where NeuroKit2 would fall back on all pairs too."""
    torn: Bools
    """Two beats lie too far apart, or too near, for a curve through them."""
    flat: Bools
    """The intervals are as good as equal."""


def evidence(rr_ms: Floats, end_ns: Ints, low: Ints, high: Ints, covered_ns: Ints) -> Evidence:
    """Count what the windows ``low`` to before ``high`` hold."""
    whole = rr_ns(rr_ms)
    step = np.diff(end_ns)
    late = step - whole[1:]  # from the end of one interval to the start of the next
    return Evidence(
        covered_ns=covered_ns,
        beats=high - low,
        pairs=_pairs_where(np.abs(late) <= PAIR_NS, low, high),
        torn=_pairs_where((late > HOLE_NS) | (step < STEP_NS), low, high) > 0,
        flat=_spread(whole, low, high) < FLAT_NS,
    )


def _pairs_where(flags: Bools, low: Ints, high: Ints) -> Ints:
    """Count the flags of pairs (i, i + 1) of which both beats lie in the window."""
    total = np.concatenate([[0], np.cumsum(flags), [np.count_nonzero(flags)]])
    counts: Ints = total[np.maximum(high - 1, low)] - total[low]
    return counts


def _spread(values: Ints, low: Ints, high: Ints) -> Ints:
    """Return the largest less the smallest value of each window, 0 where it has none."""
    bounds = np.stack([low, high], axis=1).ravel()
    padded = np.append(values, 0)  # a window may end, and an empty one begin, after the last value
    most = np.maximum.reduceat(padded, bounds)[::2]
    spread: Ints = most - np.minimum.reduceat(padded, bounds)[::2]
    return spread


def supported(spec: Sequence[Feature], held: Evidence) -> Bools:
    """Return (N, len(spec)): whether the window holds what the feature asks for."""
    answers = np.empty((len(held.beats), len(spec)), np.bool_)
    for column, feature in enumerate(spec):
        enough = held.covered_ns >= round(feature.covered_s * SECOND_NS)
        enough &= (held.beats >= feature.beats) & (held.pairs >= feature.pairs)
        if feature.spectral:
            enough &= ~held.torn & ~held.flat
        answers[:, column] = enough
    return answers


def table(
    spec: Sequence[Feature],
    rr_ms: Floats,
    end_ns: Ints,
    low: Ints,
    high: Ints,
    covered_ns: Ints,
    *,
    timed: Kernel,
    spectral: Kernel,
) -> Floats:
    """Compute the features as :class:`diastole.edge.features.Engine` promises, by two kernels."""
    exists = supported(spec, evidence(rr_ms, end_ns, low, high, covered_ns))
    of_spectrum = np.array([feature.spectral for feature in spec], np.bool_)
    statistics: dict[str, Floats] = {}
    for kernel, columns in ((timed, ~of_spectrum), (spectral, of_spectrum)):
        rows = np.flatnonzero(exists[:, columns].any(axis=1))
        wanted = frozenset(spec[column].statistic for column in np.flatnonzero(columns).tolist())
        if len(rows):
            for name, found in kernel(wanted, rr_ms, end_ns, low[rows], high[rows]).items():
                statistics[name] = np.full(len(low), np.nan)
                statistics[name][rows] = found
    return _arranged(spec, exists, statistics)


def _arranged(spec: Sequence[Feature], exists: Bools, statistics: dict[str, Floats]) -> Floats:
    """Return the statistics as columns, NaN where one does not exist or is dust or infinite."""
    features = np.full(exists.shape, np.nan)
    for column, feature in enumerate(spec):
        rows = exists[:, column]
        if not rows.any():
            continue
        if feature.ratio:
            rows = rows & ~_dusty(feature, statistics)
        values = statistics[feature.statistic]
        rows = rows & np.isfinite(values)
        features[rows, column] = values[rows]
    return features


def _dusty(feature: Feature, statistics: dict[str, Floats]) -> Bools:
    """Whether a term of the ratio is 0 in exact arithmetic and may have come out as rounding."""
    if feature.spectral:
        return ~(statistics["hf"] > DUST_MS2)
    least = np.minimum(np.minimum(statistics["sd1"], statistics["sd2"]), statistics["rmssd"])
    return ~(least > DUST_MS)
