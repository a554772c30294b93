"""Tables and models made up for tests."""

import numpy as np

from diastole.edge.chunks import Floats
from diastole.edge.pipeline.observations import OBSERVATION, STATUSES, Observations
from diastole.edge.pipeline.scoring import Metadata
from diastole.edge.records import NormalStatus
from diastole.edge.schema import FEATURE_NAMES, INPUT_NAMES
from diastole.models.fit import Linear
from diastole.models.table import Table, join_tables
from diastole.models.train import describe

NAMES = ("hr_above_normal", "rmssd_above_normal")


def observations(inputs: Floats) -> Observations:
    """Give windows that lack nothing, with these model inputs."""
    rows = np.zeros(len(inputs), OBSERVATION)
    rows["time_ns"] = np.arange(1, len(inputs) + 1) * 5_000_000_000
    rows["coverage"] = 0.9
    rows["still_min"] = 10
    rows["normal_status"] = STATUSES.index(NormalStatus.PROVISIONAL)
    return Observations(("e4",), rows, np.full((len(inputs), len(FEATURE_NAMES)), np.nan), inputs)


def person(data_set: str, name: str, seed: int, rise: float = 1.5, n: int = 60) -> Table:
    """Give a session of rest, then stress, then exercise, whose inputs rise under stress."""
    random = np.random.default_rng(seed)
    label = np.repeat(["rest", "stress", "exercise"], n // 3)
    inputs = random.normal(size=(n, len(INPUT_NAMES))) + rise * (label == "stress")[:, None]
    inputs[random.random(n) < 0.3, INPUT_NAMES.index("rmssd_above_normal")] = np.nan
    return Table(
        observations(inputs),
        np.arange(1, n + 1, dtype=np.float64) * 5,
        label,
        np.full(n, data_set),
        np.full(n, f"{data_set}-{name}"),
        np.full(n, f"{data_set}/{name}"),
    )


def table() -> Table:
    """Give two sets of four and five people, the demo's among them."""
    sets = {"stress-predict": ("s01", "s03", "s05", "s06"), "hongn": ("s01", "s06", "f01", "f02")}
    return join_tables(
        [
            person(data_set, name, seed)
            for data_set, names in sets.items()
            for seed, name in enumerate(names, 10 * len(data_set))
        ]
    )


def linear() -> Linear:
    """Give a model of NAMES that needs the first input and does without the second."""
    return Linear(
        fill=np.array([np.nan, 0.25]),
        centre=np.array([0.5, -0.25]),
        spread=np.array([1.5, 0.75]),
        weights=np.array([1.25, -0.5]),
        bias=-0.125,
    )


def metadata() -> Metadata:
    """Give what a file of that model says about itself."""
    return describe(linear(), table(), NAMES, ())
