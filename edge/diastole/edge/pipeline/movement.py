"""How the wearer moves: activity, rhythm, stillness and sleep at each hop.

The motion of one of a subject's devices serves all of them; where two give the same second, the
first by name is taken. What meets a threshold is summed in whole micro-g.
"""

from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from diastole.edge.chunks import Bools, Chunk, Floats, Ints
from diastole.edge.pipeline.rules import Rules
from diastole.edge.pipeline.windows import HOP_NS, WINDOW_NS, spans
from diastole.edge.records import MINUTE_NS, SECOND_NS
from diastole.edge.schema import HOP_S, WINDOW_S

SECOND, ACTIVITY, CADENCE = range(3)
"""Columns: number of the second since the epoch, whole micro-g, thousandths of a turn a minute."""
NO_CADENCE: Final = -1


class State(msgspec.Struct, kw_only=True):
    """The last minutes' motion, and the wearer's sleep."""

    seconds: dict[str, Ints] = {}
    """Motion of the last three minutes, by device: rows of (n, 3), see SECOND and its kin."""
    minutes: Ints | None = None
    """(n, 3): number of the minute since the epoch, seconds with motion, their summed micro-g."""
    asleep: bool = False
    judged_minute: int | None = None
    """The minute up to which sleep is judged."""
    last_hop_ns: int | None = None
    still_since_ns: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Movement:
    """N hops, in order of time, each once."""

    ends_ns: Ints
    activity_mg: Floats
    """Median of the window's seconds; NaN without motion."""
    sustained: Bools
    """Moving for two minutes, or hard."""
    rhythmic: Bools
    still_min: Floats
    asleep: Bools

    def at(self, ends_ns: Ints) -> "Movement":
        """Return the hops that end at ``ends_ns``."""
        i = np.searchsorted(self.ends_ns, ends_ns)
        return Movement(
            ends_ns,
            self.activity_mg[i],
            self.sustained[i],
            self.rhythmic[i],
            self.still_min[i],
            self.asleep[i],
        )


def step(
    state: State, chunk: Chunk, ends_ns: Ints, until_ns: int, rules: Rules
) -> tuple[State, Movement]:
    """Take in a chunk's motion; give the movement at the hops that end at ``ends_ns``."""
    by_device = _taken_in(state.seconds, chunk)
    seconds = _one_a_second(by_device)
    minutes = _minutes(state.minutes, seconds, until_ns)
    asleep, judged = _sleep(state, minutes, ends_ns, until_ns, rules)
    activity, sustained, rhythmic = _activity(seconds, ends_ns, rules)
    still_min, since = _stillness(state, ends_ns, activity, rules)
    kept_from = until_ns // SECOND_NS - rules.moving_span_s - WINDOW_S
    after = State(
        seconds={
            name: kept
            for name, rows in by_device.items()
            if len(kept := rows[rows[:, SECOND] > kept_from])
        },
        minutes=minutes[minutes[:, 0] > until_ns // MINUTE_NS - rules.asleep_min - 2],
        asleep=judged[0],
        judged_minute=judged[1],
        last_hop_ns=int(ends_ns[-1]) if len(ends_ns) else state.last_hop_ns,
        still_since_ns=since,
    )
    return after, Movement(ends_ns, activity, sustained, rhythmic, still_min, asleep)


def _taken_in(seconds: dict[str, Ints], chunk: Chunk) -> dict[str, Ints]:
    taken = dict(seconds)
    rows = chunk.motions[np.isfinite(chunk.motions["activity_mg"])]
    for code, name in enumerate(chunk.devices):
        mine = rows[rows["device"] == code]
        if len(mine):
            cadence = np.nan_to_num(mine["cadence_per_min"], nan=NO_CADENCE / 1000)
            new = np.stack(
                [
                    -(-mine["time_ns"] // SECOND_NS),
                    _thousandths(mine["activity_mg"]),
                    _thousandths(cadence),
                ],
                axis=1,
            )
            taken[name] = np.concatenate([taken.get(name, np.empty((0, 3), np.int64)), new])
    return taken


def _thousandths(values: Floats) -> Ints:
    whole: Ints = np.rint(np.clip(values, -1e9, 1e9) * 1000).astype(np.int64)
    return whole


def _one_a_second(by_device: dict[str, Ints]) -> Ints:
    """Return each second once, in order of time."""
    none = np.empty((0, 3), np.int64)
    rows = np.concatenate([none, *(by_device[name] for name in sorted(by_device))])
    _, first = np.unique(rows[:, SECOND], return_index=True)
    one: Ints = rows[first]
    return one


def _activity(seconds: Ints, ends_ns: Ints, rules: Rules) -> tuple[Floats, Bools, Bools]:
    """Return each hop's activity, whether movement is sustained, and whether it is rhythmic."""
    span_hops = rules.moving_span_s // HOP_S
    hops = np.unique(ends_ns[:, None] - np.arange(span_hops) * HOP_NS)
    medians = _medians(seconds, hops)
    moving = np.concatenate(([0], np.cumsum(medians > rules.moving_mg)))
    low, high = spans(hops, ends_ns, span_hops * HOP_NS)
    activity = medians[np.searchsorted(hops, ends_ns)]
    sustained = (2 * (moving[high] - moving[low]) > span_hops) | (activity > rules.strenuous_mg)
    cadenced = seconds[:, CADENCE] >= rules.rhythm_per_min * 1000
    rhythm = np.concatenate(([0], np.cumsum(cadenced)))
    low, high = spans(seconds[:, SECOND] * SECOND_NS, ends_ns, WINDOW_NS)
    rhythmic = (rhythm[high] - rhythm[low] >= rules.rhythm_share * (high - low)) & (high > low)
    return activity, sustained, rhythmic


def _medians(seconds: Ints, ends_ns: Ints) -> Floats:
    """Return the median activity of each minute that ends at ``ends_ns``; NaN without motion."""
    low, high = spans(seconds[:, SECOND] * SECOND_NS, ends_ns, WINDOW_NS)
    count = high - low
    widest = int(count.max(initial=0))
    if widest == 0:
        return np.full(len(ends_ns), np.nan)
    place = np.arange(widest)
    index = np.minimum(low[:, None] + place, len(seconds) - 1)
    values = np.where(place < count[:, None], seconds[index, ACTIVITY] / 1000, np.inf)
    values.sort(1)
    rows = np.arange(len(ends_ns))
    lower = values[rows, np.maximum(count - 1, 0) // 2]
    upper = values[rows, np.minimum(count // 2, widest - 1)]
    return np.where(count > 0, (lower + upper) / 2, np.nan)


def _minutes(old: Ints | None, seconds: Ints, until_ns: int) -> Ints:
    """Return the table of whole minutes that have passed, with those of before."""
    if old is None:
        old = np.empty((0, 3), np.int64)
    minute = -(-seconds[:, SECOND] * SECOND_NS // MINUTE_NS)
    fresh = (minute > (old[-1, 0] if len(old) else np.iinfo(np.int64).min)) & (
        minute * MINUTE_NS < until_ns
    )
    numbers, place, counts = np.unique(minute[fresh], return_inverse=True, return_counts=True)
    sums = np.zeros(len(numbers), np.int64)
    np.add.at(sums, place, seconds[fresh, ACTIVITY])
    return np.concatenate([old, np.stack([numbers, counts, sums], 1)])


def _sleep(
    state: State, minutes: Ints, ends_ns: Ints, until_ns: int, rules: Rules
) -> tuple[Bools, tuple[bool, int | None]]:
    """Return whether the wearer sleeps at each hop, and the state after it.

    Minute ``m`` is judged by the ``asleep_min`` minutes before it. Falling asleep needs motion in
    all of them; once asleep, minutes without motion are passed over until none is left.
    """
    reach = np.arange(1, rules.asleep_min + 1)
    numbers = np.unique(minutes[:, :1] + reach)
    done = (until_ns - 1) // MINUTE_NS + 1
    numbers = numbers[numbers <= done]
    if state.judged_minute is not None:
        numbers = numbers[numbers > state.judged_minute]
    total = np.concatenate((np.zeros((1, 2), np.int64), np.cumsum(minutes[:, 1:], 0)))
    low = np.searchsorted(minutes[:, 0], numbers - rules.asleep_min)
    high = np.searchsorted(minutes[:, 0], numbers)
    count, summed = (total[high] - total[low]).T
    falls = (high - low == rules.asleep_min) & (summed < rules.asleep_mg * 1000 * count)
    wakes = summed > rules.awake_mg * 1000 * count
    wakes[:1] |= state.judged_minute is None or numbers[:1] > state.judged_minute + 1
    wakes[1:] |= np.diff(numbers) > 1
    turn = np.maximum.accumulate(np.where(falls | wakes, np.arange(len(numbers)), -1))
    asleep = np.append(np.where(turn >= 0, falls[turn], state.asleep), False)
    hop_minute = -(-ends_ns // MINUTE_NS)
    at = np.searchsorted(numbers, hop_minute)
    at[np.append(numbers, 0)[at] != hop_minute] = len(numbers)
    here = asleep[at]
    if state.judged_minute is not None:  # its answer serves the hops of that minute still to come
        here |= (hop_minute == state.judged_minute) & state.asleep
    if not len(numbers):
        return here, (state.asleep, state.judged_minute)
    return here, (bool(asleep[-2]), int(numbers[-1]))


def _stillness(
    state: State, ends_ns: Ints, activity_mg: Floats, rules: Rules
) -> tuple[Floats, int]:
    """Return the still minutes before each hop, and since when the last one is still."""
    if not len(ends_ns):
        return np.empty(0), state.still_since_ns
    still = activity_mg < rules.moving_mg
    begins = ~still
    begins[1:] |= np.diff(ends_ns) > HOP_NS
    begins[0] |= state.last_hop_ns is None or ends_ns[0] - state.last_hop_ns > HOP_NS
    start = np.maximum.accumulate(np.where(begins, np.arange(len(ends_ns)), -1))
    since = np.where(start >= 0, ends_ns[start], state.still_since_ns)
    return np.where(still, (ends_ns - since) / MINUTE_NS, 0.0), int(since[-1])
