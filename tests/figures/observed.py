"""Recorded sessions, observed side by side, with something taken away where a figure asks."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diastole.edge.chunks import BEAT, HEART_RATE, MOTION, Chunk, Floats, rows_of
from diastole.edge.labels import Segment, label_windows, read_labels
from diastole.edge.pipeline.observations import Observations
from diastole.edge.records import SampleKind
from diastole.edge.replay import observe
from diastole.edge.schema import WINDOW_S

DATA = Path(__file__).parents[3] / "shared" / "data"
SETS = {
    "Stress-Predict": sorted((DATA / "stress-predict").glob("*.zip")),
    "Hongn": sorted((DATA / "hongn").glob("*/*.zip")),
    "MMASH": sorted((DATA / "mmash").glob("*.zip")),
}
LABELS = {
    "Stress-Predict": DATA / "labels" / "stress-predict.csv",
    "Hongn": DATA / "labels" / "hongn.csv",
    "MMASH": DATA / "labels" / "mmash.csv",
}
Alter = Callable[[Chunk], Chunk]


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """One session's windows with the labels beside them."""

    name: str
    start_ns: int
    observations: Observations
    t_s: Floats
    label: NDArray[np.str_]
    raw_label: NDArray[np.str_]


def whole(chunk: Chunk) -> Chunk:
    """Take nothing away."""
    return chunk


def without_motion(chunk: Chunk) -> Chunk:
    """Take acceleration and motion away."""
    runs = tuple(run for run in chunk.samples if run.kind is not SampleKind.ACC)
    return replace(chunk, motions=rows_of(MOTION, 0), samples=runs)


def device_beats(chunk: Chunk) -> Chunk:
    """Leave of the heart only the beats that the device gives."""
    runs = tuple(run for run in chunk.samples if run.kind is SampleKind.ACC)
    return replace(chunk, heart_rates=rows_of(HEART_RATE, 0), samples=runs)


def raw_pulse(chunk: Chunk) -> Chunk:
    """Leave of the heart only the raw pulse."""
    return replace(chunk, heart_rates=rows_of(HEART_RATE, 0), beats=rows_of(BEAT, 0))


def see(task: tuple[Path, Path, Alter]) -> Seen:
    """Observe one session."""
    path, labels, alter = task
    session = observe(path, alter=alter)
    segments = read_labels(labels).of(path)
    window_s = np.full(len(session.t_s), float(WINDOW_S))
    raw = [Segment(s.t_start_s, s.t_end_s, s.raw_label, s.raw_label) for s in segments]
    return Seen(
        path.stem,
        session.recording.start_ns,
        session.observations,
        session.t_s,
        label_windows(segments, session.t_s, window_s),
        label_windows(raw, session.t_s, window_s),
    )


def seen(data_set: str, alter: Alter = whole, some: Sequence[Path] | None = None) -> Iterator[Seen]:
    """Yield the sessions of a set, observed on every processor."""
    if not SETS[data_set]:
        text = f"no recordings under {DATA.name}: put the shared folder beside the project"
        raise SystemExit(text)
    tasks = [(path, LABELS[data_set], alter) for path in some or SETS[data_set]]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(see, tasks)


def pooled(sessions: Sequence[Seen], name: str) -> NDArray[Any]:
    """Return one column of all the sessions' observations."""
    return np.concatenate([session.observations.rows[name] for session in sessions])
