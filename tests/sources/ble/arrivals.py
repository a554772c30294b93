"""A strap's packets as they reach the host: jitter, stalls that end in a burst, a drifting crystal.

Host time is the truth; the device counts it by a crystal that runs ``drift`` fast.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from diastole.edge.records import SECOND_NS

TICKS = 1024


class Arrived(NamedTuple):
    """A packet: when it came, its intervals, and when their beats were."""

    at_ns: int
    ticks: list[int]
    truth_ns: list[int]


def arrivals(
    seconds: float, seed: int, *, drift: float = 40e-6, stalls: float = 0.002
) -> Iterator[Arrived]:
    """Give the packets of a strap that sends each second what has ended in it."""
    chance = np.random.default_rng(seed)
    begun = 1_800_000_000 * SECOND_NS
    beat_s, second, queue_ns = 0.0, 0, 0
    ticks: list[int] = []
    truth: list[int] = []
    while second < seconds:
        breath = 0.035 * np.sin(2 * np.pi * 0.25 * beat_s) + 0.03 * np.sin(0.63 * beat_s)
        interval_s = 0.82 + breath + chance.normal(0, 0.01)
        beat_s += interval_s
        while beat_s > second + 1:
            second += 1
            late_s = chance.exponential(0.02) + (chance.random() < stalls) * chance.uniform(0, 3)
            queue_ns = max(queue_ns + 100_000, begun + round((second + late_s) * SECOND_NS))
            yield Arrived(queue_ns, ticks, truth)
            ticks, truth = [], []
        ticks.append(round(interval_s * (1 + drift) * TICKS))  # each is rounded by itself
        truth.append(begun + round(beat_s * SECOND_NS))
