"""The wearer's own normal, learned from quiet minutes as joint counts on log scales.

Counts are of (ln heart rate, ln RMSSD) cells. What has entered is not taken back. The normal is
median and 1.4826 MAD over the share of quiet observations with the lowest heart rate: the heart
rate's over all kinds of beats together, the RMSSD's of each kind for itself (pulse intervals make
a wider RMSSD than electrical ones).
"""

from typing import Final, NamedTuple

import msgspec
import numpy as np

from diastole.edge.chunks import Floats, Ints
from diastole.edge.pipeline.rules import Rules

HR_LOW: Final = float(np.log(25.0))
HR_STEP: Final = 0.01
HR_BINS: Final = 231  # to 250 bpm
RMSSD_LOW: Final = float(np.log(0.987))  # no bin edge on a round number
RMSSD_STEP: Final = 0.05
RMSSD_BINS: Final = 130  # to 650 ms
NONE: Final = RMSSD_BINS
"""Column of the observations without RMSSD."""
MAD_TO_SD: Final = 1.4826


class Counts(msgspec.Struct, kw_only=True):
    """Quiet observations of one session, by kind of source."""

    cells: dict[str, Ints] = {}
    """By source, (HR_BINS, RMSSD_BINS + 1)."""
    have: int = 0
    since_ns: int = 0
    """When the first one entered."""


class Range(NamedTuple):
    """Centre and spread on a log scale; NaN: not known."""

    centre: float
    spread: float


UNKNOWN: Final = Range(float("nan"), float("nan"))


def hr_bin(ln_hr: Floats) -> Ints:
    """Return the bin of each ln heart rate (0 where it is NaN)."""
    return _bin(ln_hr, HR_LOW, HR_STEP, HR_BINS)


def rmssd_bin(ln_rmssd: Floats) -> Ints:
    """Return the bin of each ln RMSSD, NONE where it is NaN."""
    return np.where(np.isfinite(ln_rmssd), _bin(ln_rmssd, RMSSD_LOW, RMSSD_STEP, RMSSD_BINS), NONE)


def _bin(values: Floats, low: float, step: float, bins: int) -> Ints:
    place = np.floor((np.nan_to_num(values, nan=low, neginf=low, posinf=low) - low) / step)
    inside: Ints = np.clip(place, 0, bins - 1).astype(np.int64)
    return inside


def enter(counts: Counts, source: str, hr_bins: Ints, rmssd_bins: Ints, time_ns: int) -> Counts:
    """Return the counts with quiet observations of one source added."""
    old = counts.cells.get(source)
    cells = np.zeros((HR_BINS, RMSSD_BINS + 1), np.int64) if old is None else old.copy()
    np.add.at(cells, (hr_bins, rmssd_bins), 1)
    return Counts(
        cells={**counts.cells, source: cells},
        have=counts.have + len(hr_bins),
        since_ns=counts.since_ns if counts.have else time_ns,
    )


def hr_range(counts: Counts, rules: Rules) -> Range:
    """Return the normal heart rate (ln bpm)."""
    if counts.have < rules.normal_need:
        return UNKNOWN
    by_rate = sum(cells.sum(1) for cells in counts.cells.values())
    calm = _lowest(np.asarray(by_rate), rules.normal_share)
    return _range(calm, HR_LOW, HR_STEP, rules.hr_spread_floor)


def rmssd_range(counts: Counts, source: str, rules: Rules) -> Range:
    """Return the normal RMSSD (ln ms) of one source."""
    cells = counts.cells.get(source)
    if cells is None or counts.have < rules.normal_need:
        return UNKNOWN
    known = cells[:, :RMSSD_BINS]
    by_rate = known.sum(1)
    if by_rate.sum() < rules.normal_need:
        return UNKNOWN
    share = _lowest(by_rate, rules.normal_share) / np.maximum(by_rate, 1)
    # elementwise, not a matrix product: its rounding must not depend on the machine's threads
    weights: Floats = (share[:, None] * known).sum(0)
    return _range(weights, RMSSD_LOW, RMSSD_STEP, rules.rmssd_spread_floor)


def _lowest(counts: Ints, share: float) -> Floats:
    """Return the weights of the lowest ``share`` of what was counted."""
    before = np.cumsum(counts) - counts
    weights: Floats = np.clip(share * counts.sum() - before, 0.0, counts)
    return weights


def _range(weights: Floats, low: float, step: float, floor: float) -> Range:
    centres = low + step * (np.arange(len(weights)) + 0.5)
    centre = _median(weights, low, step)
    away = np.abs(centres - centre)
    order = np.argsort(away, kind="stable")
    reached = np.cumsum(weights[order])
    middle = int(np.searchsorted(reached, reached[-1] / 2))
    return Range(centre, max(MAD_TO_SD * float(away[order[middle]]), floor))


def _median(weights: Floats, low: float, step: float) -> float:
    """Return the median, taking each bin's weight as spread evenly over it."""
    reached = np.cumsum(weights)
    half = reached[-1] / 2
    place = int(np.searchsorted(reached, half))
    inside = (half - (reached[place] - weights[place])) / weights[place]
    return low + step * float(place + inside)
