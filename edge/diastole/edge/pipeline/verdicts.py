"""Which beats count: a verdict for every interval, read from raw intervals and its own flags.

``step(state, chunk)`` gives a ``Judged``: rows of ``JUDGED`` (the columns of ``BEAT``, the verdict,
and whether a strict and a lenient setting of the same rule would accept the interval), sorted by
time, and ``until_ns``: no later step gives an older row, though one may give a row between those
given here from ``until_ns`` on. Devices count into ``Judged.devices``, which begins with the
chunk's.

A beat's own flags speak first, then the rule (:mod:`diastole.edge.pipeline.rule`), which reads ten
raw intervals before and two after that end within five seconds, of the same device and kind,
flagged ones included: a chunk cut elsewhere changes nothing.
"""

from typing import Final, NamedTuple

import msgspec
import numpy as np

from diastole.edge.chunks import (
    BEAT,
    BEAT_KINDS,
    VERDICTS,
    Chunk,
    Ints,
    Rows,
    by_time,
    rows_of,
    rr_ns,
)
from diastole.edge.pipeline.rule import (
    AHEAD_NS,
    BEFORE,
    LENIENT,
    STRICT,
    TOUCH_NS,
    USUAL,
    refuse,
    see,
)
from diastole.edge.records import Verdict

JUDGED: Final = np.dtype([*BEAT.descr, ("verdict", "u1"), ("strict", "?"), ("lenient", "?")])

WORST_ERROR_MS: Final = 30.0
LEAST_QUALITY: Final = 0.4

ACCEPTED, NO_CONTACT, MOVING, IMPRECISE, LOW_QUALITY, ACROSS, OUT_OF_RANGE, ARTEFACT, BESIDE = (
    VERDICTS.index(verdict)
    for verdict in (
        Verdict.ACCEPTED,
        Verdict.NO_CONTACT,
        Verdict.MOVING,
        Verdict.IMPRECISE,
        Verdict.LOW_QUALITY,
        Verdict.ACROSS_BREAK,
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
    later = breaks[max(len(known) - 1, 0) :]  # the last one past still parts what follows it
    return Device(streams, later), found


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
    """Judge all the beats of one device and kind, sorted by time; give rows of ``JUDGED``.

    ``breaks_ns`` are the device's Breaks, sorted; a beat at a Break's instant lies before it.
    """
    end = rows["time_ns"]
    sight = see(rr_ns(rows["rr_ms"]), end, np.searchsorted(breaks_ns, end))
    core, beside = refuse(USUAL, sight)
    own = _own_reason(rows, breaks_ns)
    judged = rows_of(JUDGED, len(rows), **{name: rows[name] for name in BEAT.names or ()})
    judged["verdict"] = np.select(
        [own != ACCEPTED, sight.out, core, beside], [own, OUT_OF_RANGE, ARTEFACT, BESIDE], ACCEPTED
    )
    for name, setting in (("strict", STRICT), ("lenient", LENIENT)):
        core, beside = refuse(setting, sight)
        judged[name] = (own == ACCEPTED) & ~core & ~beside
    return judged


def _own_reason(rows: Rows, breaks_ns: Ints) -> Ints:
    end = rows["time_ns"]
    before = np.searchsorted(breaks_ns, end)
    last_break = np.concatenate([[-(2**62)], breaks_ns])[before]
    reasons: Ints = np.select(
        [
            rows["contact"] == 0,
            rows["moving"] == 1,
            rows["error_ms"] > WORST_ERROR_MS,  # false where NaN, not given
            rows["quality"] < LEAST_QUALITY,
            end - rr_ns(rows["rr_ms"]) <= last_break + TOUCH_NS,
        ],
        [NO_CONTACT, MOVING, IMPRECISE, LOW_QUALITY, ACROSS],
        ACCEPTED,
    )
    return reasons
