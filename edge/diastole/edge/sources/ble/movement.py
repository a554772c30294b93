"""Acceleration as it comes over the radio, made into movement a second."""

from typing import Final

import numpy as np

from diastole.edge.records import SECOND_NS
from diastole.edge.signal.motion import REACH_S, Seconds, seconds
from diastole.edge.sources.ble.protocol import Acceleration

APART_NS: Final = SECOND_NS
"""Where a packet comes by more than this off its time, samples are missing: all begins anew."""
PULL: Final = 16
"""A packet's arrival moves the samples' clock by one part in so many."""


class Movement:
    """Places samples in time by their number and the packets' arrival, and tells whole seconds."""

    def __init__(self) -> None:
        self.begin()
        self.told_ns: int | None = None
        """End of the last second that was told."""

    def begin(self) -> None:
        """Forget what came: the next samples do not follow it."""
        self._rate_hz = 0.0
        self._values = np.empty((0, 3))
        self._times_ns = np.empty(0, np.int64)

    def add(self, piece: Acceleration, arrived_ns: int) -> Seconds:
        """Take in a packet; return the seconds that are whole by it."""
        n = len(piece.xyz_mg)
        spacing_ns = SECOND_NS / piece.rate_hz
        last_ns = int(self._times_ns[-1]) if len(self._times_ns) else 0
        due_ns = last_ns + round(n * spacing_ns)
        if piece.rate_hz != self._rate_hz or abs(arrived_ns - due_ns) > APART_NS:
            self.begin()
            self._rate_hz = piece.rate_hz
            last_ns, due_ns = arrived_ns - round(n * spacing_ns), arrived_ns
        due_ns += (arrived_ns - due_ns) // PULL
        step_ns = (due_ns - last_ns) / max(n, 1)
        times_ns = last_ns + np.rint(step_ns * np.arange(1, n + 1)).astype(np.int64)
        self._values = np.concatenate([self._values, piece.xyz_mg])
        self._times_ns = np.concatenate([self._times_ns, times_ns])
        return self._whole()

    def _whole(self) -> Seconds:
        times_ns = self._times_ns
        if not len(times_ns):
            return Seconds(times_ns, np.empty(0), np.empty(0))
        end_ns = int(times_ns[-1]) // SECOND_NS * SECOND_NS
        told_ns = -(2**62) if self.told_ns is None else self.told_ns
        if end_ns <= max(told_ns, int(times_ns[0])):
            return Seconds(times_ns[:0], np.empty(0), np.empty(0))
        found = seconds(self._values, times_ns, self._rate_hz)
        new = (found.end_ns > told_ns) & (found.end_ns <= end_ns) & np.isfinite(found.activity_mg)
        self.told_ns = end_ns
        kept = times_ns >= end_ns - round((REACH_S + 1) * SECOND_NS)
        self._values, self._times_ns = self._values[kept], times_ns[kept]
        return Seconds(found.end_ns[new], found.activity_mg[new], found.cadence_per_min[new])
