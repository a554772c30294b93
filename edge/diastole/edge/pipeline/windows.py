"""Windows: which minutes close, and which beats and heart rates lie in them.

Windows of 60 s end at UTC multiples of 5 s, whenever one started to look. One closes when
``until_ns`` has passed its end. A device has a window where any of its heart records touches it:
beats (refused ones too), heart rates, or raw pulse.
"""

from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from diastole.edge.chunks import (
    BEAT_KINDS,
    HEART_RATE,
    Chunk,
    Floats,
    Ints,
    Rows,
    by_time,
    rows_of,
    rr_ns,
)
from diastole.edge.pipeline.verdicts import JUDGED, Judged
from diastole.edge.records import SECOND_NS, SampleKind
from diastole.edge.schema import HOP_S, LONG_HOP_S, LONG_WINDOW_S, WINDOW_S

HOP_NS: Final = HOP_S * SECOND_NS
WINDOW_NS: Final = WINDOW_S * SECOND_NS
LONG_NS: Final = LONG_WINDOW_S * SECOND_NS
KEPT_NS: Final = (LONG_WINDOW_S + LONG_HOP_S) * SECOND_NS
SLOTS: Final = WINDOW_S // HOP_S


class DeviceState(msgspec.Struct, kw_only=True):
    """What windows that are still open need of one device."""

    slots: Ints
    """Hops of 5 s that a heart record touches, by number since the epoch."""
    beats: dict[str, Rows]
    """Judged beats of the last 330 s, by kind."""
    heart_rates: Rows


class State(msgspec.Struct, kw_only=True):
    """What windows that are still open need."""

    closed_ns: int | None = None
    """End of the last window that was closed."""
    devices: dict[str, DeviceState] = {}


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """The windows of one device that closed, and the records in reach of them."""

    device: str
    ends_ns: Ints
    beats: dict[str, Rows]
    heart_rates: Rows


def step(state: State, chunk: Chunk, judged: Judged) -> tuple[State, list[Windows]]:
    """Take in a chunk and its judged beats; give the windows that close, a batch a device."""
    until_ns = min(chunk.until_ns, judged.until_ns)
    last_ns = (until_ns - 1) // HOP_NS * HOP_NS
    devices: dict[str, DeviceState] = {}
    closed: list[Windows] = []
    for name in sorted({*state.devices, *chunk.devices, *judged.devices}):
        device = _taken_in(state.devices.get(name), name, chunk, judged)
        ends = _touched(device.slots, state.closed_ns, last_ns)
        if len(ends):
            closed.append(Windows(name, ends, device.beats, device.heart_rates))
        if kept := _kept(device, last_ns):
            devices[name] = kept
    done = last_ns if state.closed_ns is None else max(last_ns, state.closed_ns)
    return State(closed_ns=done, devices=devices), closed


def spans(times_ns: Ints, ends_ns: Ints, length_ns: int) -> tuple[Ints, Ints]:
    """Return for each window the range [low, high) of records in (end - length, end]."""
    return (
        np.searchsorted(times_ns, ends_ns - length_ns, "right"),
        np.searchsorted(times_ns, ends_ns, "right"),
    )


def covered_ns(rows: Rows, low: Ints, high: Ints, starts_ns: Ints) -> Ints:
    """Sum the parts of the intervals ``rows[low:high]`` that lie inside each window.

    An interval belongs to the window of its end; what the first one has before the window's start
    is cut off. Doubled beats make it more than the window's span.
    """
    lengths = np.maximum(rr_ns(rows["rr_ms"]), 0)
    total = np.concatenate(([0], np.cumsum(lengths)))
    covered: Ints = total[high] - total[low]
    some = high > low
    first = low[some]
    begins = rows["time_ns"][first] - lengths[first]
    covered[some] -= np.clip(starts_ns[some] - begins, 0, lengths[first])
    return covered


def _taken_in(device: DeviceState | None, name: str, chunk: Chunk, judged: Judged) -> DeviceState:
    if device is None:
        device = DeviceState(
            slots=np.empty(0, np.int64), beats={}, heart_rates=rows_of(HEART_RATE, 0)
        )
    rows = judged.rows[judged.rows["device"] == _code(judged.devices, name)]
    beats = dict(device.beats)
    for place, kind in enumerate(BEAT_KINDS):
        if len(new := rows[rows["kind"] == place]):
            beats[kind] = by_time(np.concatenate([beats.get(kind, np.empty(0, JUDGED)), new]))
    code = _code(chunk.devices, name)
    rates = chunk.heart_rates[chunk.heart_rates["device"] == code]
    touched = [rows["time_ns"], rates["time_ns"]]
    for run in chunk.samples:
        if run.device == code and run.kind is not SampleKind.ACC and len(run.values):
            first, last = run.time_of(run.index), run.time_of(run.index + len(run.values) - 1)
            touched.append(np.arange(first, last + HOP_NS, HOP_NS).clip(max=last))
    slots = np.concatenate([device.slots, *(-(-times // HOP_NS) for times in touched)])
    return DeviceState(
        slots=np.unique(slots),
        beats=beats,
        heart_rates=by_time(np.concatenate([device.heart_rates, rates])),
    )


def _code(devices: tuple[str, ...], name: str) -> int:
    return devices.index(name) if name in devices else -1


def _touched(slots: Ints, closed_ns: int | None, last_ns: int) -> Ints:
    """Return the ends of the windows that hold a touched hop and were not closed before."""
    hops = np.unique(slots[:, None] + np.arange(SLOTS))
    hops = hops[hops <= last_ns // HOP_NS]
    if closed_ns is not None:
        hops = hops[hops > closed_ns // HOP_NS]
    ends: Ints = hops * HOP_NS
    return ends


def _kept(device: DeviceState, last_ns: int) -> DeviceState | None:
    """Return what later windows can still reach, None where that is nothing."""
    slots = device.slots[device.slots > last_ns // HOP_NS + 1 - SLOTS]
    beats = {
        kind: kept
        for kind, rows in device.beats.items()
        if len(kept := rows[rows["time_ns"] > last_ns + HOP_NS - KEPT_NS])
    }
    rates = device.heart_rates
    rates = rates[rates["time_ns"] > last_ns + HOP_NS - WINDOW_NS]
    if not len(slots) and not beats and not len(rates):
        return None
    return DeviceState(slots=slots, beats=beats, heart_rates=rates)


def seconds(lengths_ns: Ints) -> Floats:
    """Return nanoseconds as seconds."""
    result: Floats = lengths_ns / SECOND_NS
    return result
