"""Names, units and validity of features (``hrv-1``) and of model inputs (``inputs-1``).

Limits say when a value exists at all: below them it is NaN, in either engine. They are this
project's proposal, judged from Munoz 2015 (PLoS One 10:e0138921), Castaldo 2019 (BMC Med Inform
Decis Mak 19:12) and Bernardes 2022 (Sensors 22:8450); they are not published cut-offs.
"""

from typing import Final, NamedTuple

FEATURE_SCHEMA: Final = "hrv-1"
INPUT_SCHEMA: Final = "inputs-1"

WINDOW_S: Final = 60
"""Length of a window."""
HOP_S: Final = 5
"""Windows end at UTC multiples of this."""
LONG_WINDOW_S: Final = 300
LONG_HOP_S: Final = 30
"""Features over 300 s are computed at UTC multiples of this and carried between."""

UNCERTAIN: Final = (0.47, 0.53)
"""A probability of stress between these decides nothing, unless the settings say otherwise."""

SHORTEST_RR_MS: Final = 300.0
LONGEST_RR_MS: Final = 2000.0
"""An interval outside is no heartbeat's."""
TOUCH_MS: Final = 10.0
"""Two intervals are successive where the later begins, to this, where the earlier ended."""
MAX_HOLE_S: Final = 3.0
"""A spectrum is not taken across a longer hole between beats."""
MIN_STEP_MS: Final = 290.0
"""Nor across beats that end nearer than this, which are doubled (no interval is under 300 ms)."""
FLAT_MS: Final = 0.5
"""A spectrum of intervals that differ by less has no meaning (a BLE step is 0.977 ms)."""
DUST_MS: Final = 1e-6
"""SD1, SD2 or RMSSD at or under this is rounding dust of an exact 0: no ratio of it exists."""
DUST_MS2: Final = 1e-6
"""HF at or under this is rounding dust of a smooth curve: no ratio or logarithm of it exists."""
INTERPOLATION_HZ: Final = 4


class Feature(NamedTuple):
    """One number of a window, and what the window must hold for it to exist."""

    name: str
    unit: str
    statistic: str
    """Name of the statistic, the same for 60 s and 300 s."""
    neurokit: str
    """Column of NeuroKit2 0.2.13 that defines it (``60000/MeanNN`` is derived)."""
    covered_s: float
    beats: int
    pairs: int
    """Successive pairs: intervals that touch."""

    @property
    def spectral(self) -> bool:
        """Whether it comes from the spectrum: holes and flat windows rule it out."""
        return self.statistic in SPECTRAL

    @property
    def ratio(self) -> bool:
        """Whether dust rules it out."""
        return self.statistic in RATIOS


SPECTRAL: Final = frozenset({"lf", "hf", "lf_hf", "tp", "ln_hf"})
RATIOS: Final = frozenset({"sdrmssd", "sd1sd2", "cvi", "lf_hf", "ln_hf"})

FEATURES_60S: Final = (
    Feature("hr_mean_bpm", "bpm", "hr_mean", "60000/MeanNN", 10, 5, 0),
    Feature("mean_nn_ms", "ms", "mean_nn", "MeanNN", 10, 5, 0),
    Feature("median_nn_ms", "ms", "median_nn", "MedianNN", 10, 5, 0),
    Feature("min_nn_ms", "ms", "min_nn", "MinNN", 30, 10, 0),
    Feature("max_nn_ms", "ms", "max_nn", "MaxNN", 30, 10, 0),
    Feature("prc20_nn_ms", "ms", "prc20_nn", "Prc20NN", 30, 20, 0),
    Feature("prc80_nn_ms", "ms", "prc80_nn", "Prc80NN", 30, 20, 0),
    Feature("sdnn_ms", "ms", "sdnn", "SDNN", 30, 20, 0),
    Feature("mad_nn_ms", "ms", "mad_nn", "MadNN", 30, 20, 0),
    Feature("iqr_nn_ms", "ms", "iqr_nn", "IQRNN", 30, 20, 0),
    Feature("cvnn", "1", "cvnn", "CVNN", 30, 20, 0),
    Feature("rmssd_ms", "ms", "rmssd", "RMSSD", 30, 20, 15),
    Feature("sdsd_ms", "ms", "sdsd", "SDSD", 30, 20, 15),
    Feature("cvsd", "1", "cvsd", "CVSD", 30, 20, 15),
    Feature("sdrmssd", "1", "sdrmssd", "SDRMSSD", 45, 30, 25),
    Feature("pnn20_pct", "%", "pnn20", "pNN20", 45, 30, 25),
    Feature("pnn50_pct", "%", "pnn50", "pNN50", 45, 30, 25),
    Feature("sd2_ms", "ms", "sd2", "SD2", 45, 30, 25),
    Feature("sd1sd2", "1", "sd1sd2", "SD1SD2", 45, 30, 25),
    Feature("cvi", "1", "cvi", "CVI", 45, 30, 25),
    Feature("hf_ms2", "ms2", "hf", "HF", 50, 35, 30),
    Feature("ln_hf", "ln ms2", "ln_hf", "LnHF", 50, 35, 30),
)
FEATURES_300S: Final = (
    Feature("sdnn_ms_300s", "ms", "sdnn", "SDNN", 240, 150, 0),
    Feature("rmssd_ms_300s", "ms", "rmssd", "RMSSD", 240, 150, 120),
    Feature("pnn50_pct_300s", "%", "pnn50", "pNN50", 240, 150, 120),
    Feature("sd1sd2_300s", "1", "sd1sd2", "SD1SD2", 240, 150, 120),
    Feature("lf_ms2_300s", "ms2", "lf", "LF", 240, 150, 120),
    Feature("hf_ms2_300s", "ms2", "hf", "HF", 240, 150, 120),
    Feature("lf_hf_300s", "1", "lf_hf", "LFHF", 240, 150, 120),
    Feature("tp_ms2_300s", "ms2", "tp", "TP", 240, 150, 120),
)
FEATURES: Final = FEATURES_60S + FEATURES_300S
FEATURE_NAMES: Final = tuple(feature.name for feature in FEATURES)


class Input(NamedTuple):
    """One number that a model may ask for by name."""

    name: str
    unit: str
    meaning: str


INPUTS: Final = (
    Input("hr_above_normal", "spread", "ln heart rate less the normal's, in spreads of the normal"),
    Input("hr_above_normal_3min", "spread", "the same, mean of the last 3 min"),
    Input("hr_rise_1h", "ln", "ln heart rate less its mean over the own last hour"),
    Input("rmssd_above_normal", "spread", "ln RMSSD less the normal's, in spreads of the normal"),
)
INPUT_NAMES: Final = tuple(item.name for item in INPUTS)
