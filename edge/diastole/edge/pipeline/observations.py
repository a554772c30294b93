"""What leaves observe and judge, as columns: one row a hop and device that a window touches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from diastole.edge.chunks import BEAT_KINDS, HEART_RATE_KINDS, Bools, Floats, Ints, Rows
from diastole.edge.pipeline.rules import Rules
from diastole.edge.records import Decision, Grade, HeartRateKind, NormalStatus, Reason
from diastole.edge.schema import FEATURE_NAMES, INPUT_NAMES

# A source, grade, status, decision or reason is a column of its place in these.
SOURCES: Final = (*BEAT_KINDS, *HEART_RATE_KINDS, "none")
NO_SOURCE: Final = len(SOURCES) - 1
GRADES: Final = tuple(Grade)
STATUSES: Final = tuple(NormalStatus)
DECISIONS: Final = tuple(Decision)
REASONS: Final = tuple(Reason)
NO_REASON: Final = 255

OBSERVATION: Final = np.dtype(
    [
        ("time_ns", "i8"),  # the window's end
        ("device", "u2"),
        ("source", "u1"),
        ("grade", "u1"),
        ("beats", "i4"),  # accepted intervals
        ("coverage", "f8"),
        ("activity_mg", "f8"),  # NaN: no motion
        ("still_min", "f8"),
        ("exertion", "?"),
        ("asleep", "?"),
        ("normal_status", "u1"),
        ("normal_have", "i4"),
        ("normal_need", "i4"),
        ("normal_hr_low_bpm", "f8"),
        ("normal_hr_high_bpm", "f8"),
        ("normal_rmssd_low_ms", "f8"),
        ("normal_rmssd_high_ms", "f8"),
        ("utc_offset_min", "i2"),
    ]
)


@dataclass(frozen=True, slots=True, eq=False)
class Observations:
    """N observations: ``rows`` of OBSERVATION, features (N, 30) and model inputs (N, 4) by name."""

    devices: tuple[str, ...]
    rows: Rows
    features: Floats
    inputs: Floats

    def __len__(self) -> int:
        return len(self.rows)

    def feature(self, name: str) -> Floats:
        """Return one feature's column."""
        column: Floats = self.features[:, FEATURE_NAMES.index(name)]
        return column

    def input(self, name: str) -> Floats:
        """Return one model input's column."""
        column: Floats = self.inputs[:, INPUT_NAMES.index(name)]
        return column

    def take(self, which: Bools | Ints | slice) -> "Observations":
        """Return the chosen rows."""
        return Observations(
            self.devices, self.rows[which], self.features[which], self.inputs[which]
        )


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """Observations and what they say about strain, row by row."""

    observations: Observations
    p_stress: Floats
    """Probability of stress at a prevalence of one half; NaN where none was computed."""
    decision: NDArray[np.uint8]
    """Places in DECISIONS."""
    reason: NDArray[np.uint8]
    """Places in REASONS, NO_REASON where decided."""
    able: Bools
    """Decided, and an episode may begin here."""

    def __len__(self) -> int:
        return len(self.observations)


def well_covered(source: Ints, coverage: Floats, rules: Rules) -> Bools:
    """Tell where a window's source (a place in SOURCES) covers enough to decide and to teach."""
    track = source == SOURCES.index(HeartRateKind.SPECTRAL)
    enough: Bools = coverage >= np.where(track, rules.track_coverage, rules.min_coverage)
    return enough


def no_observations(devices: tuple[str, ...] = ()) -> Observations:
    """Return none."""
    return Observations(
        devices,
        np.zeros(0, OBSERVATION),
        np.empty((0, len(FEATURE_NAMES))),
        np.empty((0, len(INPUT_NAMES))),
    )


def join_observations(parts: Sequence[Observations]) -> Observations:
    """Return one after the other; ``devices`` of the later parts begin with those before."""
    if not parts:
        return no_observations()
    return Observations(
        max((part.devices for part in parts), key=len),
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.inputs for part in parts]),
    )
