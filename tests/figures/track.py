"""Our track of the heart rate against what is known of it: ``python -m tests.figures.track``.

Visits without exercise, by minutes every 5 s in labelled rest and stress; a track speaks where
it covers half of a minute.
1. Beside the device's beats, where they cover 0.30: they exist only where the pulse is clean.
2. Rest without such beats less the person's rest with them, still and moving (35 mg), median over
   people [quartiles]: a track that reads noise as fast would stand out here.
3. Clean stretches of 90 s (beats cover 0.85) with another wearer's movement mixed in, at so many
   times the clean wave's size: stretches without beats, of twice that wearer's usual slope.
4. Runners with an ECG (TROIKA): each second's rate against the 8 s around it.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat

from diastole.edge.chunks import HEART_RATE_KINDS, Bools, Chunk, Floats, Rows, SampleRun, join
from diastole.edge.formats.finding import open_recording
from diastole.edge.labels import label_windows, read_labels
from diastole.edge.pipeline.rules import Rules
from diastole.edge.records import SECOND_NS, HeartRateKind, SampleKind
from diastole.edge.schema import HOP_S, WINDOW_S
from diastole.edge.signal import stage
from tests.figures.observed import DATA, LABELS, SETS

RULES: Final = Rules()
STRETCH_S: Final = 90
SIZES: Final = (0.5, 1.0, 2.0)
EACH: Final = 4
"""Clean stretches of a session, and moved ones."""
NEEDED: Final = 12
"""Windows that a person's median needs."""


@dataclass(frozen=True, slots=True, eq=False)
class Minutes:
    """One session's minutes: rates and what they cover by source, and what was going on."""

    label: NDArray[np.str_]
    activity_mg: Floats
    beats_bpm: Floats
    beats_cover: Floats
    track_bpm: Floats
    track_cover: Floats
    device_bpm: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """A stretch of a session's raw signals, with the rate of its beats (NaN: moved)."""

    session: str
    wave: Floats
    acc_mg: Floats
    bpm: Floats
    """Of the 8 s around each second."""


def told(chunk: Chunk) -> Chunk:
    """Return the chunk with what the raw signals give."""
    return stage.step(stage.State(), chunk)[1]


def see(task: tuple[str, Path]) -> tuple[Minutes, list[Stretch], list[Stretch]]:
    """Return a session's minutes, its clean stretches and its moved ones."""
    data_set, path = task
    recording = open_recording(path)
    chunk = join(list(recording.chunks()))
    given = told(chunk)
    last_s = int((chunk.until_ns - recording.start_ns) / SECOND_NS)
    ends = np.arange(WINDOW_S, last_s, HOP_S, dtype=float)
    track, device = (_rates(given.heart_rates, kind) for kind in HeartRateKind)
    beats = _beats(chunk, recording.start_ns)
    beats_bpm, beats_cover = _of_beats(beats, ends, WINDOW_S)
    track_bpm, track_cover = _of_rates(track, ends, recording.start_ns)
    motion_s = (given.motions["time_ns"] - recording.start_ns) / SECOND_NS
    activity = _medians(motion_s, given.motions["activity_mg"], ends)
    segments = read_labels(LABELS[data_set]).of(path)
    labels = label_windows(segments, ends, np.full(len(ends), float(WINDOW_S)))
    minutes = Minutes(
        labels,
        activity,
        beats_bpm,
        beats_cover,
        track_bpm,
        track_cover,
        _of_rates(device, ends, recording.start_ns)[0],
    )
    return minutes, *_stretches(path, chunk, beats, motion_s, given.motions["activity_mg"])


def _rates(rows: Rows, kind: HeartRateKind) -> Rows:
    ours = (rows["kind"] == HEART_RATE_KINDS.index(kind)) & np.isfinite(rows["hr_bpm"])
    kept: Rows = rows[ours]
    return kept


def _beats(chunk: Chunk, start_ns: int) -> tuple[Floats, Floats]:
    rows = chunk.beats[(chunk.beats["rr_ms"] >= 300) & (chunk.beats["rr_ms"] <= 2000)]
    return (rows["time_ns"] - start_ns) / SECOND_NS, rows["rr_ms"] / 1000


def _of_beats(beats: tuple[Floats, Floats], ends: Floats, span_s: float) -> tuple[Floats, Floats]:
    at_s, rr_s = beats
    low, high = (np.searchsorted(at_s, ends - back, "right") for back in (span_s, 0))
    total = np.concatenate([[0], np.cumsum(rr_s)])
    covered = total[high] - total[low]
    with np.errstate(invalid="ignore", divide="ignore"):
        return 60 * (high - low) / covered, covered / span_s


def _of_rates(rows: Rows, ends: Floats, start_ns: int) -> tuple[Floats, Floats]:
    at_s = (rows["time_ns"] - start_ns) / SECOND_NS
    low, high = (np.searchsorted(at_s, ends - back, "right") for back in (WINDOW_S, 0))
    total = np.concatenate([[0], np.cumsum(rows["hr_bpm"])])
    with np.errstate(invalid="ignore", divide="ignore"):
        return (total[high] - total[low]) / (high - low), (high - low) / WINDOW_S


def _medians(at_s: Floats, values: Floats, ends: Floats) -> Floats:
    low, high = (np.searchsorted(at_s, ends - back, "right") for back in (WINDOW_S, 0))
    pairs = zip(low, high, strict=True)
    return np.array([np.median(values[a:b]) if b > a else np.nan for a, b in pairs])


def _stretches(
    path: Path, chunk: Chunk, beats: tuple[Floats, Floats], motion_s: Floats, activity_mg: Floats
) -> tuple[list[Stretch], list[Stretch]]:
    by_kind = {run.kind: run for run in chunk.samples}
    ppg, acc = by_kind.get(SampleKind.PPG), by_kind.get(SampleKind.ACC)
    clean: list[Stretch] = []
    moved: list[Stretch] = []
    if ppg is None or acc is None or ppg.rate_hz != 2 * acc.rate_hz:
        return clean, moved
    slope = np.diff(ppg.values)
    step = int(STRETCH_S * ppg.rate_hz)
    usual = np.median([slope[i : i + step].std() for i in range(0, len(slope), step)])
    for begin_s in range(0, len(ppg.values) // int(ppg.rate_hz) - STRETCH_S, STRETCH_S):
        first = int(begin_s * ppg.rate_hz)
        _, (cover,) = _of_beats(beats, np.array([begin_s + STRETCH_S]), STRETCH_S - 20)
        within = (motion_s > begin_s) & (motion_s <= begin_s + STRETCH_S)
        wave = ppg.values[first : first + step]
        moves = np.repeat(acc.values[first // 2 : (first + step) // 2], 2, axis=0)
        if len(moves) < step:
            continue
        bpm, sure = _of_beats(
            beats, np.arange(begin_s + 4.0, begin_s + STRETCH_S + 4, dtype=np.float64), 8
        )
        stretch = Stretch(path.name, wave, moves, np.where(sure >= 0.75, bpm, np.nan))
        busy = np.median(activity_mg[within]) > 15 and np.std(np.diff(wave)) > 2 * usual
        if cover > 0.85:
            clean.append(stretch)
        elif cover < 0.15 and busy:
            moved.append(stretch)
    return clean[:EACH], moved[:EACH]


def mixed(task: tuple[Stretch, Stretch, float]) -> tuple[float, float]:
    """Return the track's error in bpm over the last minute of a mixture, and what it covers."""
    clean, moved, size = task
    wave = clean.wave + moved.wave * (size * np.diff(clean.wave).std() / np.diff(moved.wave).std())
    hr_bpm = _track(wave, moved.acc_mg, 64.0)[STRETCH_S - 65 : STRETCH_S - 5]
    true = np.nanmean(clean.bpm[STRETCH_S - 65 : STRETCH_S - 5])
    known = np.isfinite(hr_bpm)
    return float(hr_bpm[known].mean() - true) if known.any() else np.nan, float(known.mean())


def _track(wave: Floats, acc_mg: Floats, rate_hz: float) -> Floats:
    ppg = SampleRun(0, SampleKind.PPG, "1", rate_hz, 0, 0, wave)
    acc = replace(ppg, kind=SampleKind.ACC, unit="mg", values=acc_mg)
    after = stage.step(stage.State(), Chunk(10**12, ("wrist",), samples=(ppg, acc)))[1]
    rates: Floats = after.heart_rates["hr_bpm"]
    return rates


def runner(task: tuple[Path, int]) -> tuple[Floats, Floats]:
    """Return the track's and the ECG's rate of a recording, one of its two waves."""
    path, channel = task
    signals: Any = loadmat(path)["sig"]
    true = loadmat(path.with_name(path.stem + "_BPMtrace.mat"))["BPM0"].ravel()
    rates = _track(signals[channel].astype(float), signals[3:6].T * 1000.0, 125.0)
    at = 4 + 2 * np.arange(len(true))
    kept = at < len(rates)
    return rates[at[kept]], true[kept]


def agreement(sessions: Sequence[Minutes]) -> str:
    """Return the line of tables 1 and 2."""
    near, speaks = [], []
    off: dict[str, list[float]] = {key: [] for key in ("still", "moving", "device")}
    for seen in sessions:
        task = np.isin(seen.label, ["rest", "stress"])
        sure = seen.beats_cover >= RULES.min_coverage
        ours = seen.track_cover >= RULES.track_coverage
        speaks.append(ours[task])
        near.append(np.abs(seen.track_bpm - seen.beats_bpm)[task & sure & ours] <= 5)
        rest = seen.label == "rest"
        if (rest & sure).sum() < NEEDED:
            continue
        usual = np.median(seen.beats_bpm[rest & sure])
        still = seen.activity_mg < RULES.moving_mg
        ways: list[tuple[str, Floats, Bools]] = [
            ("still", seen.track_bpm, still & ours),
            ("moving", seen.track_bpm, ~still & ours),
            ("device", seen.device_bpm, still),
        ]
        for key, bpm, which in ways:
            doubtful = which & rest & ~sure
            if doubtful.sum() >= NEEDED:
                off[key].append(float(np.nanmedian(bpm[doubtful]) - usual))
    parts = [f"{np.concatenate(speaks).mean():7.2f} {np.concatenate(near).mean():9.3f} "]
    for values in off.values():
        low, middle, high = np.percentile(values, [25, 50, 75]) if values else [np.nan] * 3
        parts.append(f"{middle:+5.1f} [{low:+5.1f},{high:+5.1f}] ({len(values):2}) ")
    return " ".join(parts)


def main() -> None:
    """Print the tables."""
    print(__doc__)
    rest = "rest without beats: still"
    print(
        f"{'set':15} {'speaks':>7} {'in 5 bpm':>9}  {rest:>24} {'moving':>24} {'device, still':>24}"
    )
    clean: list[Stretch] = []
    moved: list[Stretch] = []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for name in ("Stress-Predict", "Hongn"):
            # a wearer at exercise would mix a strong pulse of their own in
            paths = [path for path in SETS[name] if not path.parent.name.endswith("aerobic")]
            seen = list(pool.map(see, [(name, path) for path in paths]))
            print(f"{name:15} {agreement([minutes for minutes, _, _ in seen])}", flush=True)
            clean += [stretch for _, some, _ in seen for stretch in some]
            moved += [stretch for _, _, some in seen for stretch in some]
        draw = np.random.default_rng(0)
        print(f"\n{'mixed in':15} {'speaks':>7} {'in 3 bpm':>9} {'in 5 bpm':>9} {'bias':>6}")
        for size in SIZES:
            pairs = [(one, moved[draw.integers(len(moved))], size) for one in clean]
            errors, covers = np.array(list(pool.map(mixed, pairs, chunksize=8))).T
            speaks = covers >= RULES.track_coverage
            off = errors[speaks]
            shares = [np.mean(np.abs(off) <= near) for near in (3, 5)]
            print(
                f"{size:<15} {speaks.mean():7.2f} {shares[0]:9.3f} {shares[1]:9.3f} "
                f"{off.mean():+6.1f}"
            )
        paths = sorted((DATA / "troika").glob("DATA_*_TYPE0?.mat"))
        runs = list(pool.map(runner, [(path, channel) for path in paths for channel in (1, 2)]))
    ours, true = (np.concatenate(parts) for parts in zip(*runs, strict=True))
    off = np.abs(ours - true)[np.isfinite(ours)]
    print(f"\n{'runners':15} {len(off) / len(true):7.2f} {'':9} {np.mean(off <= 5):9.3f}", end="")
    print(f"   mean error {off.mean():.1f} bpm, median {np.median(off):.1f}")


if __name__ == "__main__":
    main()
