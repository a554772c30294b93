"""Raw signals whose beats and movement are known, and chunks of them cut anywhere."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from diastole.edge.chunks import (
    BREAK,
    BREAK_REASONS,
    Chunk,
    Floats,
    Rows,
    SampleRun,
    by_time,
    join,
    rows_of,
)
from diastole.edge.formats.finding import open_recording
from diastole.edge.records import SECOND_NS, BreakReason, SampleKind
from diastole.edge.signal import stage

START_NS = 1_700_000_000 * SECOND_NS + 123_456_789
WIDTH_S = 0.09


def beat_times_s(seconds: float, seed: int = 0, mean_s: float = 0.8) -> Floats:
    """Give times of beats that breathe and jitter."""
    rng = np.random.default_rng(seed)
    n = int(seconds / mean_s * 2)
    rr = mean_s + 0.05 * np.sin(2 * np.pi * 0.25 * mean_s * np.arange(n)) + rng.normal(0, 0.01, n)
    times = 0.5 + np.cumsum(rr)
    return times[times < seconds]


def pulse_wave(times_s: Floats, seconds: float, rate_hz: float, width_s: float = WIDTH_S) -> Floats:
    """Give a wave whose pulses rise most steeply at ``times_s``, and then once more, lower."""
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    wave = np.zeros_like(t)
    for time_s in times_s:
        phase = (t - time_s) / width_s
        wave += 50 * np.exp(-0.5 * (phase - 1) ** 2) + 12 * np.exp(-0.5 * (phase - 4) ** 2)
    return wave


def swinging(seconds: float, rate_hz: float, per_min: float, size_mg: float = 100) -> Floats:
    """Give an arm that goes round: (n, 3) in mg."""
    phase = 2 * np.pi * per_min / 60 * np.arange(round(seconds * rate_hz)) / rate_hz
    rng = np.random.default_rng(1)
    swing = np.stack([size_mg * np.cos(phase), size_mg * np.sin(phase), 0 * phase + 1000], axis=1)
    return swing + rng.normal(0, 5, swing.shape)


def run_of(values: Floats, rate_hz: float, kind: SampleKind = SampleKind.PPG) -> SampleRun:
    """Give one whole run of the first device."""
    unit = "mg" if kind is SampleKind.ACC else "nW"
    return SampleRun(0, kind, unit, rate_hz, START_NS, 0, values)


def recording(*runs: SampleRun, breaks_ns: Sequence[int] = ()) -> Chunk:
    """Give runs of one device as one chunk, which a Break ends."""
    last_ns = max(run.time_of(len(run.values) - 1) for run in runs) + 1
    times = np.array(sorted([*breaks_ns, last_ns]), np.int64)
    reasons = [BREAK_REASONS.index(BreakReason.PAUSED)] * len(breaks_ns)
    reasons.append(BREAK_REASONS.index(BreakReason.ENDED))
    breaks = rows_of(BREAK, len(times), time_ns=times, device=0, reason=reasons)
    return Chunk(last_ns, ("wrist",), breaks=breaks, samples=runs)


def invented(seconds: float = 60, rate_hz: float = 64, seed: int = 0) -> Chunk:
    """Give a minute of pulse and of a swinging arm, with a Break in it."""
    wave = pulse_wave(beat_times_s(seconds, seed), seconds, rate_hz)
    wave += np.random.default_rng(seed).normal(0, 3, len(wave))
    return recording(
        run_of(wave, rate_hz),
        run_of(swinging(seconds, 32, 80), 32, SampleKind.ACC),
        breaks_ns=[START_NS + round(0.4 * seconds * 1e9)],
    )


def real(path: Path, seconds: int) -> Chunk:
    """Give the raw signals of the first seconds of a recording."""
    chunk = join(list(open_recording(path).chunks()))
    part, _ = chunk.split(chunk.samples[0].start_ns + seconds * SECOND_NS)
    return Chunk(part.until_ns, part.devices, samples=part.samples)


def cuts(chunk: Chunk, count: int = 8) -> st.SearchStrategy[list[int]]:
    """Draw times to cut a chunk at: outside it and inside, twice the same too."""
    begin_ns = min(run.time_of(run.index) for run in chunk.samples)
    times = st.integers(begin_ns - SECOND_NS, chunk.until_ns + SECOND_NS)
    return st.lists(times, max_size=count).map(sorted)


def cut(chunk: Chunk, times_ns: Iterable[int]) -> list[Chunk]:
    """Give the chunk in pieces."""
    pieces, rest = [], chunk
    for time_ns in times_ns:
        piece, rest = rest.split(time_ns)
        pieces.append(piece)
    return [*pieces, rest]


def early(pieces: list[Chunk]) -> list[Chunk]:
    """Give the same pieces, each a piece earlier than its time has come."""
    begin_ns = pieces[0].until_ns - 3600 * SECOND_NS
    untils = [begin_ns, *(piece.until_ns for piece in pieces)]
    held = [
        replace(piece, until_ns=until_ns)
        for piece, until_ns in zip(pieces, untils[:-1], strict=True)
    ]
    return [*held, Chunk(untils[-1], pieces[-1].devices)]


def same(state: stage.State) -> stage.State:
    """Leave the state as it is."""
    return state


def walk(
    chunks: Iterable[Chunk], between: Callable[[stage.State], stage.State] = same
) -> tuple[Rows, Rows, Rows]:
    """Give beats, motions and heart rates of chunks, and hold the contract of ``until_ns``."""
    state, beats, motions, rates = stage.State(), [], [], []
    told_ns: int | None = None
    for chunk in chunks:
        state, after = stage.step(between(state), chunk)
        assert after.until_ns <= chunk.until_ns
        for rows in (after.beats, after.motions, after.heart_rates):
            assert told_ns is None or not len(rows) or int(rows["time_ns"][0]) >= told_ns
        told_ns = after.until_ns if told_ns is None else max(told_ns, after.until_ns)
        beats.append(after.beats)
        motions.append(after.motions)
        rates.append(after.heart_rates)
    told = [by_time(np.concatenate(rows)) for rows in (beats, motions, rates)]
    return told[0], told[1], told[2]
