"""When two engines say the same."""

from typing import Final

import numpy as np

from diastole.edge.chunks import Bools, Floats

TOLERANCE: Final = 1e-9


def absolute(ours: Floats, defining: Floats) -> Floats:
    """Differences in the feature's unit, 0 where neither engine gives a value."""
    apart: Floats = np.nan_to_num(np.abs(ours - defining), nan=0.0)
    return apart


def relative(ours: Floats, defining: Floats) -> Floats:
    """Differences as a share of the defining value, in its unit where that is 0."""
    size = np.abs(defining)
    apart = absolute(ours, defining)
    share: Floats = np.where(size > 0, apart / np.where(size > 0, size, 1.0), apart)
    return share


def missed(ours: Floats, defining: Floats) -> Bools:
    """Whether one engine gives a value where the other gives none."""
    flags: Bools = np.isnan(ours) != np.isnan(defining)
    return flags


def agree(ours: Floats, defining: Floats, tolerance: float = TOLERANCE) -> bool:
    """Whether all values are equal, relatively or in their unit, with the same NaNs."""
    apart = np.minimum(absolute(ours, defining), relative(ours, defining))
    return not missed(ours, defining).any() and bool((apart <= tolerance).all())
