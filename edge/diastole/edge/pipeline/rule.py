"""The rule: which intervals are off, by those around them, in whole numbers from end to end.

It looks at an interval, the nine before it and the two after it, and never at an earlier verdict.
A sinus arrhythmia swings far, but it does not make ONE short interval between two long ones; so an
interval is an artefact only where it is off the level (median of itself, the nine before and the
next) *and* off its neighbours, or very far off the level. Measured on annotated beats:
``python -m tests.figures.annotated``.

Neighbours touch: an interval that does not begin where the last beat ended, to 10 ms, has none on
that side; then the other stands for both, and without either only the wide limits hold. A level
reaches a minute back. A Break has nothing on its other side, neither neighbour nor level; the first
two intervals after it, which have hardly a level yet, read the next but one, too.
"""

from typing import Final, NamedTuple, TypeVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from diastole.edge.chunks import Bools, Ints
from diastole.edge.records import MINUTE_NS, SECOND_NS
from diastole.edge.schema import LONGEST_RR_MS, SHORTEST_RR_MS, TOUCH_MS

RULE_VERSION: Final = "verdict-1"
"""Of this rule, its settings and the gate: a table says by which it was judged."""
AHEAD_NS: Final = 5 * SECOND_NS
"""A verdict is final at the latest this long after its beat."""
TOUCH_NS: Final = int(TOUCH_MS * 1e6)
"""An interval touches the one before when it begins where that ended, to this."""
BEFORE: Final = 10
"""Intervals before a beat that its verdict may read."""
LEVEL: Final = BEFORE + 1
"""Intervals in a level: nine before, itself and the next."""
FEW: Final = 2
"""With fewer intervals before it in a level, the next but one is read, too."""
SHORTEST_NS: Final = int(SHORTEST_RR_MS * 1e6)
LONGEST_NS: Final = int(LONGEST_RR_MS * 1e6)
A = TypeVar("A", Ints, Bools)


class Setting(NamedTuple):
    """How far off an interval may be, in thousandths of the level or of its neighbours' mean."""

    short: int
    """Off the level where it is shorter; and an artefact if ..."""
    dip: int
    """... it is shorter than this of its neighbours' mean, too."""
    shortest: int
    """An artefact whatever its neighbours."""
    longest: int
    """An artefact whatever its neighbours."""
    beside_short: int
    """Beside an artefact, refused where it is shorter, ..."""
    beside_long: int
    """... or longer than this."""


STRICT: Final = Setting(970, 880, 750, 1400, 970, 1045)
USUAL: Final = Setting(940, 820, 700, 1600, 940, 1090)
LENIENT: Final = Setting(900, 750, 600, 1700, 900, 1150)


class View(NamedTuple):
    """What the rule compares, for the intervals numbered ``at``."""

    at: Ints
    interval: Ints
    level: Ints
    """Twice the median, so that it is whole."""
    around: Ints
    """Sum of the neighbours that there are, ..."""
    neighbours: Ints
    """... and their number."""


class Sight(NamedTuple):
    """Every interval as it sees itself, and some as an earlier one, with less future, sees them."""

    own: View
    early: View
    left: Bools
    """Whether the interval before is a neighbour."""
    right: Bools
    out: Bools
    """Whether it is shorter or longer than any heart's."""


def see(raw: Ints, end: Ints, stretch: Ints) -> Sight:
    """Look around in the intervals ``raw`` of one stream, in ns, by their ends.

    ``stretch`` counts the Breaks before each. What ends after the last is in the future.
    """
    n = len(raw)
    index = np.arange(n)
    new = np.diff(stretch, prepend=-1) > 0
    first = np.maximum(index - (LEVEL - 2), np.maximum.accumulate(np.where(new, index, 0)))
    stale = np.flatnonzero(end - end[first] > MINUTE_NS)
    first[stale] = np.searchsorted(end, end[stale] - MINUTE_NS)
    left: Bools = (np.abs(end - raw - _shifted(end, 1)) <= TOUCH_NS) & ~new
    right = _shifted(left, -1) & (_shifted(end, -1) - end <= AHEAD_NS)
    second = right & _shifted(left, -2) & (_shifted(end, -2) - end <= AHEAD_NS)
    last = index + right + (second & (index - first < FEW))
    # What an interval says of the next may read neither beyond its own future, nor beyond two.
    soon = right & (_shifted(end, -1) - _shifted(end, 1) <= AHEAD_NS)
    early = np.flatnonzero(left & (index + soon != last))
    x = np.clip(raw, SHORTEST_NS, LONGEST_NS)
    return Sight(
        _view(x, first, last, left, right, index),
        _view(x, first, index + soon, left, soon, early),
        left,
        right,
        (raw < SHORTEST_NS) | (raw > LONGEST_NS),
    )


def _shifted(values: A, by: int) -> A:
    """Return values that stood ``by`` places before; 0 where there was none."""
    moved = np.zeros_like(values)
    if by > 0:
        moved[by:] = values[:-by]
    else:
        moved[:by] = values[-by:]
    return moved


def _view(x: Ints, first: Ints, last: Ints, left: Bools, right: Bools, at: Ints) -> View:
    around = _shifted(x, 1) * left + _shifted(x, -1) * right
    return View(
        at,
        x[at],
        _levels(x, first[at], last[at]),
        around[at],
        left[at].astype(np.int64) + right[at],
    )


def _levels(x: Ints, first: Ints, last: Ints) -> Ints:
    """Twice the median from each ``first`` to its ``last``: ``LEVEL`` intervals or fewer."""
    full = last - first == LEVEL - 1
    levels = np.empty(len(first), np.int64)
    if full.any():
        windows = sliding_window_view(x.astype(np.int32), LEVEL)[first[full]]
        windows.partition(LEVEL // 2, axis=1)
        levels[full] = 2 * windows[:, LEVEL // 2].astype(np.int64)
    few = np.flatnonzero(~full)
    if len(few):
        columns = first[few, None] + np.arange(LEVEL)
        known = columns <= last[few, None]
        windows = np.where(known, x[np.minimum(columns, len(x) - 1)], LONGEST_NS + 1)
        windows.sort(axis=1)
        count = known.sum(axis=1)
        rows = np.arange(len(few))
        levels[few] = windows[rows, (count - 1) // 2] + windows[rows, count // 2]
    return levels


def refuse(setting: Setting, sight: Sight) -> tuple[Bools, Bools]:
    """Return which intervals are artefacts, and which beside one are off the level."""
    core = _is_artefact(setting, sight.own) | sight.out
    seen = core.copy()
    seen[sight.early.at] = _is_artefact(setting, sight.early) | sight.out[sight.early.at]
    beside = (sight.left & _shifted(core, 1)) | (sight.right & _shifted(seen, -1))
    twice = 2000 * sight.own.interval
    level = sight.own.level
    off = (twice < setting.beside_short * level) | (twice > setting.beside_long * level)
    return core, beside & off & ~core


def _is_artefact(setting: Setting, view: View) -> Bools:
    twice = 2000 * view.interval
    # Without a neighbour both sides of the dip are 0 and only the wide limits speak.
    dip = 1000 * view.neighbours * view.interval < setting.dip * view.around
    artefact: Bools = (
        ((twice < setting.short * view.level) & dip)
        | (twice < setting.shortest * view.level)
        | (twice > setting.longest * view.level)
    )
    return artefact
