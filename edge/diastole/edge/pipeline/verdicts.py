"""Which beats count: a verdict for every interval, read from raw intervals and its own flags.

``step(state, chunk)`` gives a ``Judged``: rows of ``JUDGED`` (the columns of ``BEAT``, the verdict,
and whether a strict and a lenient setting of the same rule would accept the interval), sorted by
time, and ``until_ns``: no later step gives an older row, though one may give a row between those
given here from ``until_ns`` on. Devices count into ``Judged.devices``, which begins with the
chunk's.

The rule looks at an interval, the nine before it and the two after it of the same device and kind,
and never at an earlier verdict: a chunk cut elsewhere changes nothing. A sinus arrhythmia swings
far, but it does not make ONE short interval between two long ones; so an interval is an artefact
only where it is off the level (median of the last minute's last ten and the next one) *and*
off its neighbours, or very far off the level. Neighbours touch: an interval that does not begin
where the last beat ended, to 10 ms, has none on that side, nor has one across a Break, across which
the level is not read either.
"""

from typing import Final, NamedTuple, TypeVar

import msgspec
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from diastole.edge.chunks import (
    BEAT,
    BEAT_KINDS,
    VERDICTS,
    Bools,
    Chunk,
    Ints,
    Rows,
    by_time,
    rows_of,
    rr_ns,
)
from diastole.edge.records import MINUTE_NS, SECOND_NS, Verdict

JUDGED: Final = np.dtype([*BEAT.descr, ("verdict", "u1"), ("strict", "?"), ("lenient", "?")])

AHEAD_NS: Final = 5 * SECOND_NS
"""A verdict is final at the latest this long after its beat."""
TOUCH_NS: Final = 10_000_000
"""An interval touches the one before when it begins where that ended, to this."""
BEFORE: Final = 10
"""Intervals before a beat that its verdict may read."""
LEVEL: Final = BEFORE + 1
"""Intervals in a level: nine before, itself and the next."""
FEW: Final = 2
"""With fewer intervals before it in a level, the next but one is read, too."""
SHORTEST_NS: Final = 300_000_000
LONGEST_NS: Final = 2_000_000_000
WORST_ERROR_MS: Final = 30.0
LEAST_QUALITY: Final = 0.4

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

ACCEPTED, NO_CONTACT, MOVING, IMPRECISE, LOW_QUALITY, OUT_OF_RANGE, ARTEFACT, BESIDE = (
    VERDICTS.index(verdict)
    for verdict in (
        Verdict.ACCEPTED,
        Verdict.NO_CONTACT,
        Verdict.MOVING,
        Verdict.IMPRECISE,
        Verdict.LOW_QUALITY,
        Verdict.OUT_OF_RANGE,
        Verdict.ARTEFACT,
        Verdict.BESIDE_ARTEFACT,
    )
)


class Judged(NamedTuple):
    """Beats whose verdict is final, and how far that has come."""

    devices: tuple[str, ...]
    rows: Rows
    """Of ``JUDGED``, sorted by time."""
    until_ns: int
    """No later step gives a row older than this."""


class Stream(msgspec.Struct, frozen=True):
    """Raw intervals of one device and kind that verdicts to come may read."""

    rows: Rows
    """Of ``BEAT``; what ``device`` says in here means nothing."""
    done: int
    """How many of them, the oldest, have been judged."""


class Device(msgspec.Struct, frozen=True):
    """What is kept of one device."""

    streams: dict[str, Stream]
    breaks_ns: Ints
    """Breaks that came early."""


class State(msgspec.Struct, frozen=True):
    """What is kept between steps, by device name and kind of beat."""

    devices: dict[str, Device] = {}


def step(state: State, chunk: Chunk) -> tuple[State, Judged]:
    """Judge what has become final: two later beats, a Break or five seconds have followed it."""
    names = tuple(dict.fromkeys([*chunk.devices, *state.devices]))
    devices: dict[str, Device] = {}
    found: list[Rows] = []
    until_ns = chunk.until_ns
    for place, name in enumerate(names):
        device = state.devices.get(name, Device({}, np.empty(0, np.int64)))
        beats = chunk.beats[chunk.beats["device"] == place]
        breaks = chunk.breaks["time_ns"][chunk.breaks["device"] == place]
        devices[name], judged = _step_device(device, beats, breaks, chunk.until_ns)
        for rows in judged:
            rows["device"] = place
        found += judged
        pending = [s.rows["time_ns"][s.done] for s in devices[name].streams.values() if _waits(s)]
        until_ns = min([until_ns, *map(int, pending)])
    rows = by_time(np.concatenate([np.empty(0, JUDGED), *found]))
    return State(devices), Judged(names, rows, until_ns)


def _waits(stream: Stream) -> bool:
    return stream.done < len(stream.rows)


def _step_device(
    device: Device, beats: Rows, breaks: Ints, until_ns: int
) -> tuple[Device, list[Rows]]:
    breaks = np.sort(np.concatenate([device.breaks_ns, breaks]))
    # A device that breaks off at until_ns itself has given all that it had for that instant.
    until_ns += int(until_ns in breaks)
    known = breaks[breaks < until_ns]
    streams: dict[str, Stream] = {}
    found: list[Rows] = []
    for code, kind in enumerate(BEAT_KINDS):
        new = beats[beats["kind"] == code]
        stream = device.streams.get(kind)
        if stream is None:
            if not len(new):
                continue
            stream = Stream(np.empty(0, BEAT), 0)
        streams[str(kind)], judged = _step_stream(stream, new, known, until_ns)
        found.append(judged)
    return Device(streams, breaks[breaks >= until_ns]), found


def _step_stream(stream: Stream, new: Rows, breaks: Ints, until_ns: int) -> tuple[Stream, Rows]:
    waiting = by_time(np.concatenate([stream.rows[stream.done :], new]))
    rows = np.concatenate([stream.rows[: stream.done], waiting])
    times = rows["time_ns"]
    known = int(np.searchsorted(times, until_ns))
    broken = int(np.searchsorted(times, breaks[-1], "right")) if len(breaks) else 0
    aged = int(np.searchsorted(times, until_ns - AHEAD_NS))
    final = max(stream.done, known - 2, broken, aged)
    judged = np.empty(0, JUDGED)
    if final > stream.done:
        judged = judge(rows[:known], breaks)[stream.done : final]
    kept = min(max(final - BEFORE, broken), final)
    return Stream(rows[kept:].copy(), final - kept), judged


def judge(rows: Rows, breaks_ns: Ints) -> Rows:
    """Judge the beats of one device and kind, sorted by time; those before are not there.

    ``breaks_ns`` are the device's Breaks, sorted. An interval after the last ends in the future.
    """
    end = rows["time_ns"]
    raw = rr_ns(rows["rr_ms"])
    out = (raw < SHORTEST_NS) | (raw > LONGEST_NS)
    sight = _see(raw, end, np.searchsorted(breaks_ns, end))
    core, beside = _refuse(USUAL, sight, out)
    own = _own_reason(rows)
    judged = rows_of(JUDGED, len(rows), **{name: rows[name] for name in BEAT.names or ()})
    judged["verdict"] = np.select(
        [own != ACCEPTED, out, core, beside], [own, OUT_OF_RANGE, ARTEFACT, BESIDE], ACCEPTED
    )
    for name, setting in (("strict", STRICT), ("lenient", LENIENT)):
        core, beside = _refuse(setting, sight, out)
        judged[name] = (own == ACCEPTED) & ~core & ~beside
    return judged


def _own_reason(rows: Rows) -> Ints:
    reasons: Ints = np.select(
        [
            rows["contact"] == 0,
            rows["moving"] == 1,
            rows["error_ms"] > WORST_ERROR_MS,  # false where NaN, not given
            rows["quality"] < LEAST_QUALITY,
        ],
        [NO_CONTACT, MOVING, IMPRECISE, LOW_QUALITY],
        ACCEPTED,
    )
    return reasons


class _View(NamedTuple):
    """What the rule compares, for the intervals numbered ``at``."""

    at: Ints
    interval: Ints
    level: Ints
    """Twice the median, so that it is whole."""
    around: Ints
    """Sum of the neighbours that there are, ..."""
    neighbours: Ints
    """... and their number."""


class _Sight(NamedTuple):
    """Every interval as it sees itself, and some as an earlier one, with less future, sees them."""

    own: _View
    early: _View
    left: Bools
    """Whether the interval before is a neighbour."""
    right: Bools


def _see(raw: Ints, end: Ints, stretch: Ints) -> _Sight:
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
    return _Sight(
        _view(x, first, last, left, right, index),
        _view(x, first, index + soon, left, soon, early),
        left,
        right,
    )


def _shifted(values: A, by: int) -> A:
    """Return values that stood ``by`` places before; 0 where there was none."""
    moved = np.zeros_like(values)
    if by > 0:
        moved[by:] = values[:-by]
    else:
        moved[:by] = values[-by:]
    return moved


def _view(x: Ints, first: Ints, last: Ints, left: Bools, right: Bools, at: Ints) -> _View:
    around = _shifted(x, 1) * left + _shifted(x, -1) * right
    return _View(
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


def _refuse(setting: Setting, sight: _Sight, out: Bools) -> tuple[Bools, Bools]:
    """Return which intervals are artefacts, and which beside one are off the level."""
    core = _is_artefact(setting, sight.own) | out
    seen = core.copy()
    seen[sight.early.at] = _is_artefact(setting, sight.early) | out[sight.early.at]
    beside = (sight.left & _shifted(core, 1)) | (sight.right & _shifted(seen, -1))
    twice = 2000 * sight.own.interval
    level = sight.own.level
    off = (twice < setting.beside_short * level) | (twice > setting.beside_long * level)
    return core, beside & off & ~core


def _is_artefact(setting: Setting, view: _View) -> Bools:
    twice = 2000 * view.interval
    # Without a neighbour both sides of the dip are 0 and only the wide limits speak.
    dip = 1000 * view.neighbours * view.interval < setting.dip * view.around
    artefact: Bools = (
        ((twice < setting.short * view.level) & dip)
        | (twice < setting.shortest * view.level)
        | (twice > setting.longest * view.level)
    )
    return artefact
