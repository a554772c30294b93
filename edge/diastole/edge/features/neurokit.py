"""The defining engine: NeuroKit2 0.2.13, one window at a time."""

import warnings
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import numpy as np

from diastole.edge.chunks import Floats, Ints
from diastole.edge.errors import InputError, MissingExtra
from diastole.edge.features.validity import table
from diastole.edge.records import SECOND_NS
from diastole.edge.schema import FEATURE_SCHEMA, FEATURES, INTERPOLATION_HZ, Feature

DEFINED_BY: Final = "0.2.13"
"""Definitions differ between versions, so no other will do."""
COLUMNS: Final = {f.statistic: f.neurokit for f in FEATURES} | {"sd1": "SD1"}
ONE_BIN_MS: Final = 4096.0
"""Bin of the histogram that no feature rests on; NeuroKit2's own can take it a second a window."""


class NeuroKit:
    """The engine that defines the features."""

    name = "neurokit"
    version = f"neurokit2 {DEFINED_BY}"

    def __init__(self) -> None:
        try:
            installed = version("neurokit2")
        except PackageNotFoundError:
            library = "neurokit2"
            raise MissingExtra(library, "neurokit", "the engine neurokit") from None
        if installed != DEFINED_BY:
            what = f"neurokit2 {installed} is installed, but {DEFINED_BY} defines {FEATURE_SCHEMA}"
            raise InputError(what, f"pip install 'neurokit2=={DEFINED_BY}'")

    def compute(
        self,
        spec: Sequence[Feature],
        rr_ms: Floats,
        end_ns: Ints,
        low: Ints,
        high: Ints,
        covered_ns: Ints,
    ) -> Floats:
        """Compute features as :class:`diastole.edge.features.Engine` promises."""
        # It warns of every short window, and NumPy of every division by its deviation of 0.
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return table(
                spec, rr_ms, end_ns, low, high, covered_ns, timed=_timed, spectral=_spectral
            )


def _timed(
    wanted: frozenset[str], rr_ms: Floats, end_ns: Ints, low: Ints, high: Ints
) -> dict[str, Floats]:
    from neurokit2 import hrv_time
    from neurokit2.hrv.hrv_nonlinear import _hrv_nonlinear_poincare
    from neurokit2.hrv.hrv_utils import _hrv_format_input

    names = (wanted - {"hr_mean"}) | {"mean_nn", "rmssd", "sd1", "sd2"}
    found = {name: np.empty(len(low)) for name in names}
    for row in range(len(low)):
        window = _window(rr_ms, end_ns, low[row], high[row])
        values = _by_column(hrv_time(window, binsize=ONE_BIN_MS))
        rr, time_s, missing = _hrv_format_input(window)
        # The rest of hrv_nonlinear costs a hundred times as much and is not wanted.
        values |= _hrv_nonlinear_poincare(rr, rri_time=time_s, rri_missing=missing, out={})
        for name in names:
            found[name][row] = values[COLUMNS[name]]
    return found | {"hr_mean": 60_000 / found["mean_nn"]}


def _spectral(
    wanted: frozenset[str], rr_ms: Floats, end_ns: Ints, low: Ints, high: Ints
) -> dict[str, Floats]:
    from neurokit2 import hrv_frequency

    names = wanted | {"hf"}
    found = {name: np.empty(len(low)) for name in names}
    for row in range(len(low)):
        values = _by_column(
            hrv_frequency(
                _window(rr_ms, end_ns, low[row], high[row]),
                normalize=False,  # the default divides by the largest power
                interpolation_rate=INTERPOLATION_HZ,
            )
        )
        for name in names:
            found[name][row] = values[COLUMNS[name]]
    return found


def _window(rr_ms: Floats, end_ns: Ints, low: int, high: int) -> dict[str, Floats]:
    """One window as NeuroKit2 takes it, its clock at 0 at its first beat."""
    return {
        "RRI": rr_ms[low:high],
        "RRI_Time": (end_ns[low:high] - end_ns[low]) / SECOND_NS,
    }


def _by_column(frame: Any) -> dict[str, float]:
    """Values of NeuroKit2's table of one row, by the name of their column in the schema."""
    return {name.removeprefix("HRV_"): value for name, value in frame.iloc[0].items()}
