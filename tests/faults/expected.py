"""What must be in the store: the same sessions replayed by themselves, with no delivery at all."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from diastole.edge.replay.session import Options, replay_session
from diastole.edge.sources.scenario import Scenario
from diastole.edge.sources.simulate import write_session

START: Final = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(
    days=1
)
"""Within what the store keeps."""
START_MS: Final = int(START.timestamp() * 1000)
CODES: Final = {"calm": 0.0, "undecided": 1.0, "stress": 2.0}
Rows = Mapping[tuple[str, int], Mapping[str, float]]
"""Fields by subject and time."""


def write_sessions(folder: Path, scenario: Scenario, subjects: list[str]) -> dict[str, Path]:
    """Write a simulated session for each subject."""
    paths = {}
    recent = msgspec.structs.replace(scenario, start=START)
    for seed, subject in enumerate(subjects):
        paths[subject] = folder / f"{subject}.jsonl"
        write_session(recent, seed, paths[subject], folder / f"{subject}.truth.csv")
    return paths


def readings(paths: Mapping[str, Path]) -> dict[tuple[str, int], dict[str, float]]:
    """Return every reading of the sessions, by subject and millisecond."""
    found: dict[tuple[str, int], dict[str, float]] = {}
    for subject, path in paths.items():
        columns = replay_session(path, subject, Options()).columns
        times = (1000 * columns["t_s"]).round().astype(np.int64) + START_MS
        numbers = {name: c for name, c in columns.items() if _is_number(c)}
        for row, time_ms in enumerate(times):
            fields = {name: float(c[row]) for name, c in numbers.items() if np.isfinite(c[row])}
            fields["decision_code"] = CODES[str(columns["decision"][row])]
            found[subject, int(time_ms)] = fields
    return found


def episodes(paths: Mapping[str, Path]) -> dict[tuple[str, int], dict[str, float]]:
    """Return every episode, by subject and the millisecond of its start."""
    found: dict[tuple[str, int], dict[str, float]] = {}
    for subject, path in paths.items():
        told = replay_session(path, subject, Options())
        assert told.episodes is not None
        for row, t_s in enumerate(told.episodes["t_start_s"]):
            found[subject, START_MS + round(1000 * float(t_s))] = {
                "peak_p": float(told.episodes["peak_p"][row])
            }
    return found


def _is_number(column: NDArray[Any]) -> bool:
    return bool(np.issubdtype(column.dtype, np.floating))
