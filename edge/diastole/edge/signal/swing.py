"""Acceleration held as long as a device's pulse wave may ask what moved it."""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from diastole.edge.chunks import Chunk, Floats, Ints, SampleRun
from diastole.edge.records import SECOND_NS, SampleKind

KEPT_NS: Final = 24 * SECOND_NS
"""The lag of raw signal, and what a pulse wave keeps of its past."""
NEAR_NS: Final = 250_000_000
"""Further from a sample of acceleration it is not known."""


class Swing(msgspec.Struct, kw_only=True):
    """A device's acceleration of late, its runs joined: times, and (n, 3) in mg."""

    device: str
    times_ns: Ints
    values: Floats


def taken_in(swings: Sequence[Swing], chunk: Chunk) -> list[Swing]:
    """Return each device's acceleration with what the chunk adds."""
    by_device = {swing.device: swing for swing in swings}
    for run in chunk.samples:
        if run.kind is SampleKind.ACC and len(run.values):
            name = chunk.devices[run.device]
            times_ns, values = run.times_ns(), run.values
            if (old := by_device.get(name)) is not None:
                times_ns = np.concatenate([old.times_ns, times_ns])
                values = np.concatenate([old.values, values])
                order = np.argsort(times_ns, kind="stable")
                times_ns, values = times_ns[order], values[order]
            by_device[name] = Swing(device=name, times_ns=times_ns, values=values)
    return list(by_device.values())


def kept(swings: Sequence[Swing], until_ns: int) -> list[Swing]:
    """Return what a pulse wave that is told up to here may still ask for."""
    late = []
    for swing in swings:
        k = int(np.searchsorted(swing.times_ns, until_ns - KEPT_NS))
        if k < len(swing.times_ns):
            times_ns, values = swing.times_ns[k:].copy(), swing.values[k:].copy()
            late.append(Swing(device=swing.device, times_ns=times_ns, values=values))
    return late


def beside(swings: Sequence[Swing], device: str, pulse: SampleRun) -> Floats:
    """Acceleration (n, 3) in mg at the pulse wave's own samples, 0 where it is not known.

    What comes after the last of them has no part in it: it may not be here yet.
    """
    for swing in swings:
        if swing.device == device:
            at_ns, times_ns = pulse.times_ns(), swing.times_ns
            which = (times_ns <= at_ns[-1]) & np.isfinite(swing.values).all(axis=1)
            if which.any():
                return _at(at_ns, times_ns[which], swing.values[which])
    return np.zeros((len(pulse.values), 3))


def _at(at_ns: Ints, times_ns: Ints, values: Floats) -> Floats:
    after = np.searchsorted(times_ns, at_ns).clip(0, len(times_ns) - 1)
    before = np.maximum(after - 1, 0)
    off_ns = np.minimum(np.abs(at_ns - times_ns[before]), np.abs(times_ns[after] - at_ns))
    # from the first sample on, where whole nanoseconds fit a float
    places = [np.interp(at_ns - at_ns[0], times_ns - at_ns[0], axis) for axis in values.T]
    return np.where((off_ns > NEAR_NS)[:, None], 0.0, np.stack(places, axis=1))
