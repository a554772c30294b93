"""The first stage of observe: raw samples to beats, heart rate and motion, however they were cut.

Each run waits, by itself, in the state. Pulses and heart rate of a UTC-aligned core of ``CORE_NS``
are told once ``until_ns`` lies ``AHEAD_NS`` behind it, motion once its second is over. A Break of
the device ends its runs: what waits is told at once, with the last sample held, and what follows
begins anew.
"""

from dataclasses import replace
from typing import Final

import msgspec
import numpy as np

from diastole.edge.chunks import (
    BEAT,
    BEAT_KINDS,
    HEART_RATE,
    HEART_RATE_KINDS,
    MOTION,
    Chunk,
    Floats,
    Rows,
    SampleRun,
    by_time,
    rows_of,
    sample_offsets_ns,
)
from diastole.edge.records import SECOND_NS, BeatKind, HeartRateKind, SampleKind
from diastole.edge.signal import motion, pulse, swing, track

CORE_NS: Final = 2 * SECOND_NS
AHEAD_NS: Final = 8 * SECOND_NS
"""At least the pulses' and the track's reach; with a core it makes the fixed lag of 10 s."""
SHORTEST_NS: Final = 300_000_000
LONGEST_NS: Final = 3 * SECOND_NS
"""Pulses further apart have a hole between them, not an interval."""
BEHIND_NS: Final = {
    SampleKind.PPG: AHEAD_NS + LONGEST_NS,
    SampleKind.ACC: int(motion.REACH_S + 1) * SECOND_NS,
}
"""What is kept of the past, so that a piece tells what the whole would."""


class Waiting(msgspec.Struct, kw_only=True):
    """A run's samples that are still to be told, and those before that their telling needs."""

    device: str
    kind: str
    unit: str
    rate_hz: float
    start_ns: int
    first: int
    """Count of the first value here in the whole run."""
    values: Floats
    told_ns: int
    """What lies before has been told."""
    belief: Floats
    """Of the track at ``told_ns``; empty without a track."""


class Ending(msgspec.Struct, kw_only=True):
    """A Break that came early: its device's samples before it may still come."""

    device: str
    time_ns: int


class State(msgspec.Struct, kw_only=True):
    """What waits, for one subject."""

    runs: list[Waiting] = []
    swings: list[swing.Swing] = []
    endings: list[Ending] = []


def step(state: State, chunk: Chunk) -> tuple[State, Chunk]:
    """Add the beats and the motion that the chunk's samples complete, and hold ``until_ns`` back.

    No later step gives a row older than an ``until_ns`` given before.
    """
    endings = state.endings + [
        Ending(device=chunk.devices[int(row["device"])], time_ns=int(row["time_ns"]))
        for row in chunk.breaks
    ]
    due = [e for e in endings if e.time_ns <= chunk.until_ns]
    names = list(chunk.devices)
    swings = swing.taken_in(state.swings, chunk)
    beats, rates, motions, waiting = [chunk.beats], [chunk.heart_rates], [chunk.motions], []
    for whole in _taken_in(state.runs, chunk):
        pieces = _ended(whole, [e.time_ns for e in due if e.device == whole.device])
        for i, run in enumerate(pieces):
            if run.device not in names:
                names.append(run.device)
            is_last = i == len(pieces) - 1
            ready_ns = _ready_ns(run, chunk.until_ns) if is_last else _end_ns(run)
            device, belief = names.index(run.device), run.belief
            if run.kind == SampleKind.PPG:
                beats.append(_beats(run, ready_ns, device))
                belief, told = _tracked(run, ready_ns, device, swings)
                rates.append(told)
            else:
                motions.append(_motions(run, ready_ns, device))
            if is_last and _end_ns(run) >= min(chunk.until_ns, ready_ns):
                waiting.append(_kept(run, ready_ns, belief))
    held = [run.told_ns for run in waiting if _end_ns(run) > run.told_ns]
    return (
        State(
            runs=waiting,
            swings=swing.kept(swings, chunk.until_ns),
            endings=[e for e in endings if e.time_ns > chunk.until_ns],
        ),
        replace(
            chunk,
            until_ns=min(chunk.until_ns, *held) if held else chunk.until_ns,
            devices=tuple(names),
            beats=by_time(np.concatenate(beats)),
            heart_rates=by_time(np.concatenate(rates)),
            motions=by_time(np.concatenate(motions)),
        ),
    )


def _taken_in(waiting: list[Waiting], chunk: Chunk) -> list[Waiting]:
    """Return the runs that wait, each with what the chunk adds to it, and the chunk's new ones."""
    runs = list(waiting)
    for piece in chunk.samples:
        if piece.kind not in BEHIND_NS or not len(piece.values):
            continue
        device = chunk.devices[piece.device]
        for i, run in enumerate(runs):
            if run.device == device and piece.follows(_as_run(run, piece.device)):
                values = np.concatenate([run.values, piece.values])
                runs[i] = msgspec.structs.replace(run, values=values)
                break
        else:
            runs.append(_begun(device, piece))
    return runs


def _begun(device: str, piece: SampleRun) -> Waiting:
    return Waiting(
        device=device,
        kind=piece.kind,
        unit=piece.unit,
        rate_hz=piece.rate_hz,
        start_ns=piece.start_ns,
        first=piece.index,
        values=piece.values,
        told_ns=piece.time_of(piece.index),
        belief=track.begin() if piece.kind is SampleKind.PPG else np.empty(0),
    )


def _as_run(run: Waiting, device: int = 0) -> SampleRun:
    return SampleRun(
        device, SampleKind(run.kind), run.unit, run.rate_hz, run.start_ns, run.first, run.values
    )


def _end_ns(run: Waiting) -> int:
    """Time at which the run's next sample is due."""
    return _as_run(run).time_of(run.first + len(run.values))


def _ended(run: Waiting, at_ns: list[int]) -> list[Waiting]:
    """Cut the run at the times within it: all but the last piece are over."""
    pieces = [run]
    for time_ns in sorted(set(at_ns)):
        before, after = _as_run(pieces[-1]).cut(time_ns)
        if len(before.values):
            pieces[-1] = msgspec.structs.replace(pieces[-1], values=before.values)
            pieces.append(_begun(run.device, after))
    return pieces


def _ready_ns(run: Waiting, until_ns: int) -> int:
    """Up to where the run can be told, whatever comes."""
    if run.kind == SampleKind.PPG:
        until_ns = (until_ns - AHEAD_NS) // CORE_NS * CORE_NS
    else:
        until_ns = until_ns // SECOND_NS * SECOND_NS
    return max(until_ns, run.told_ns)


def _beats(run: Waiting, ready_ns: int, device: int) -> Rows:
    """Return the intervals that end from ``told_ns`` to before ``ready_ns``."""
    if ready_ns <= run.told_ns:
        return rows_of(BEAT, 0)
    found = pulse.find(run.values, run.first, run.rate_hz)
    times_ns = run.start_ns + np.rint(found.places * (1e9 / run.rate_hz)).astype(np.int64)
    between_ns, ends_ns = np.diff(times_ns), times_ns[1:]
    quality = np.minimum(found.quality[1:], found.quality[:-1])
    new = (ends_ns >= run.told_ns) & (ends_ns < ready_ns)
    new &= (between_ns >= SHORTEST_NS) & (between_ns <= LONGEST_NS)
    return rows_of(
        BEAT,
        int(new.sum()),
        time_ns=ends_ns[new],
        device=device,
        kind=BEAT_KINDS.index(BeatKind.PPG),
        rr_ms=between_ns[new] / 1e6,
        quality=quality[new],
    )


def _tracked(
    run: Waiting, ready_ns: int, device: int, swings: list[swing.Swing]
) -> tuple[Floats, Rows]:
    """Return the belief at ``ready_ns``, and a row a second from ``told_ns`` to before it."""
    times_ns = track.seconds_ns(run.told_ns, min(ready_ns, _end_ns(run)))
    if not len(times_ns) or not len(run.values):
        return run.belief, rows_of(HEART_RATE, 0)
    acc_mg = swing.beside(swings, run.device, _as_run(run))
    asked = track.ask(run.values, acc_mg, run.first, run.rate_hz, run.start_ns, times_ns)
    belief, hr_bpm = track.follow(run.belief, asked)
    rows = rows_of(
        HEART_RATE,
        len(times_ns),
        time_ns=times_ns,
        device=device,
        kind=HEART_RATE_KINDS.index(HeartRateKind.SPECTRAL),
        hr_bpm=hr_bpm,
    )
    return belief, rows


def _motions(run: Waiting, ready_ns: int, device: int) -> Rows:
    """Return the seconds that end after ``told_ns`` and begin before ``ready_ns``."""
    if ready_ns <= run.told_ns or not len(run.values):
        return rows_of(MOTION, 0)
    times_ns = _as_run(run).times_ns()
    seconds = motion.seconds(run.values, times_ns, run.rate_hz)
    begins_ns = seconds.end_ns - SECOND_NS
    # a run's first second may begin before it
    new = (seconds.end_ns > run.told_ns) & (begins_ns < ready_ns)
    new &= np.isfinite(seconds.activity_mg)
    return rows_of(
        MOTION,
        int(new.sum()),
        time_ns=seconds.end_ns[new],
        device=device,
        activity_mg=seconds.activity_mg[new],
        cadence_per_min=seconds.cadence_per_min[new],
    )


def _kept(run: Waiting, told_ns: int, belief: Floats) -> Waiting:
    """Return the run without the samples that nothing to come depends on."""
    times_ns = run.start_ns + sample_offsets_ns(
        np.arange(run.first, run.first + len(run.values)), run.rate_hz
    )
    k = int(np.searchsorted(times_ns, told_ns - BEHIND_NS[SampleKind(run.kind)], "left"))
    return msgspec.structs.replace(
        run, first=run.first + k, values=run.values[k:].copy(), told_ns=told_ns, belief=belief
    )
