"""The own last minutes: how the heart rate stands to its own last hour and last three minutes.

Sums are of whole millionths of ln bpm, so that no cut of the chunks moves them.
"""

from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from diastole.edge.chunks import Bools, Floats, Ints
from diastole.edge.pipeline.rules import Rules
from diastole.edge.pipeline.windows import spans
from diastole.edge.records import MINUTE_NS, SECOND_NS

MICRO: Final = 1e6
RISE_NS: Final = 120 * SECOND_NS


class State(msgspec.Struct, kw_only=True):
    """One device's last hour."""

    minutes: Ints
    """(n, 3): number of the minute, hops with a heart rate, their summed micro-ln-bpm."""
    hops: Ints
    """(n, 2): end and micro-ln-bpm of the hops of the last three minutes."""


@dataclass(frozen=True, slots=True, eq=False)
class Recent:
    """N hops of one device; NaN where there is too little."""

    ln_hr: Floats
    ln_hr_hour: Floats
    """Mean over the own last hour, from three minutes on."""
    ln_hr_3min: Floats
    rise_2min: Floats
    """ln heart rate less that of two minutes before."""


def start() -> State:
    """Return the state before the first record."""
    return State(minutes=np.empty((0, 3), np.int64), hops=np.empty((0, 2), np.int64))


def step(state: State, ends_ns: Ints, ln_hr: Floats, rules: Rules) -> tuple[State, Recent]:
    """Take in hops (NaN: no valid heart rate); give how each stands to what was before it."""
    valid = np.isfinite(ln_hr)
    micro = np.rint(np.where(valid, ln_hr, 0.0) * MICRO).astype(np.int64)
    hops = np.concatenate([state.hops, np.stack([ends_ns, micro], 1)[valid]])
    minutes, hour = _hour(state.minutes, ends_ns, micro, valid, rules)
    now = np.where(valid, micro / MICRO, np.nan)
    recent = Recent(
        ln_hr=now,
        ln_hr_hour=hour,
        ln_hr_3min=_mean(hops, ends_ns, rules.context_s * SECOND_NS),
        rise_2min=now - _at(hops, ends_ns - RISE_NS),
    )
    if len(ends_ns):
        newest = int(ends_ns[-1])
        hops = hops[hops[:, 0] > newest - rules.context_s * SECOND_NS]
        minutes = minutes[minutes[:, 0] >= -(-newest // MINUTE_NS) - rules.hour_min]
    return State(minutes=minutes, hops=hops), recent


def _hour(old: Ints, ends_ns: Ints, micro: Ints, valid: Bools, rules: Rules) -> tuple[Ints, Floats]:
    """Return the table of minutes, and at each hop the mean of the hour before it.

    The hour is the sixty whole minutes before the hop's own, and that minute so far.
    """
    minute = -(-ends_ns // MINUTE_NS)
    seen = np.concatenate([old, np.stack([minute, np.ones_like(micro), micro], 1)[valid]])
    numbers, first = np.unique(seen[:, 0], return_index=True)
    table = np.zeros((len(numbers), 3), np.int64)
    table[:, 0] = numbers
    if len(numbers):
        table[:, 1:] = np.add.reduceat(seen[:, 1:], first, axis=0)
    # rows before the old ones' last minute are sums already; within a minute, order is time
    running = np.concatenate((np.zeros((1, 2), np.int64), np.cumsum(seen[:, 1:], 0)))
    upto = len(old) + np.cumsum(valid)
    begin = np.searchsorted(seen[:, 0], minute - rules.hour_min, "left")
    count, total = (running[upto] - running[begin]).T
    enough = count >= rules.hour_need
    mean = np.where(enough, total / (np.maximum(count, 1) * MICRO), np.nan)
    return table, mean


def _mean(hops: Ints, ends_ns: Ints, length_ns: int) -> Floats:
    low, high = spans(hops[:, 0], ends_ns, length_ns)
    total = np.concatenate(([0], np.cumsum(hops[:, 1])))
    count = high - low
    mean: Floats = np.where(
        count > 0, (total[high] - total[low]) / (np.maximum(count, 1) * MICRO), np.nan
    )
    return mean


def _at(hops: Ints, times_ns: Ints) -> Floats:
    """Return ln heart rate of the hop that ends exactly at each time; NaN: there is none."""
    at = np.searchsorted(hops[:, 0], times_ns)
    known = np.append(hops, [[np.iinfo(np.int64).max, 0]], 0)
    value: Floats = np.where(known[at, 0] == times_ns, known[at, 1] / MICRO, np.nan)
    return value
