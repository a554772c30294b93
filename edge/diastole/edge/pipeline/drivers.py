"""What drove an episode: the model inputs that lie far from what is usual, in plain units."""

from collections.abc import Sequence

import numpy as np

from diastole.edge.chunks import Floats, Rows
from diastole.edge.pipeline.rules import Rules
from diastole.edge.records import Driver
from diastole.edge.schema import INPUT_NAMES


def drivers_of(stress: Rows, names: Sequence[str], rules: Rules) -> list[Driver]:
    """Return what is far from usual in the readings of stress by which an episode began.

    The heart rate's distance of the last three minutes says the same as that of the last one, and
    is named only where the model does not read the latter.
    """
    drivers = []
    for name in names:
        if name == "hr_above_normal_3min" and "hr_above_normal" in names:
            continue
        away = _median(stress["inputs"][:, INPUT_NAMES.index(name)])
        limit = rules.driver_rise if name == "hr_rise_1h" else rules.driver_spreads
        if abs(away) >= limit:
            value, usual = _measured(stress, name)
            drivers.append(Driver(input=name, value=value, normal=usual))
    return drivers


def _measured(stress: Rows, name: str) -> tuple[float, float]:
    """Return the value that the input measures, and the usual one, in bpm or ms."""
    if name == "rmssd_above_normal":
        return _median(stress["rmssd_ms"]), _median(stress["rmssd_normal_ms"])
    if name == "hr_rise_1h":
        rise = stress["inputs"][:, INPUT_NAMES.index(name)]
        return _median(stress["hr_bpm"]), _median(stress["hr_bpm"] / np.exp(rise))
    return _median(stress["hr_bpm"]), _median(stress["hr_normal_bpm"])


def _median(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")
