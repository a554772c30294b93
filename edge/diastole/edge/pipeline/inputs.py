"""Model inputs ``inputs-1``: distances from the wearer's own normal and own last hour.

Never time, never counters: a model must not read the clock.
"""

import numpy as np

from diastole.edge.chunks import Floats, Rows
from diastole.edge.pipeline.recent import Recent
from diastole.edge.pipeline.strain import ln
from diastole.edge.schema import INPUT_NAMES


def inputs(recent: Recent, strain: Rows, rmssd_ms: Floats) -> Floats:
    """Return (N, 4) in the order of the schema; NaN where the signal does not give it."""
    columns = {
        "hr_above_normal": (recent.ln_hr - strain["hr_centre"]) / strain["hr_spread"],
        "hr_above_normal_3min": (recent.ln_hr_3min - strain["hr_centre"]) / strain["hr_spread"],
        "hr_rise_1h": recent.ln_hr - recent.ln_hr_hour,
        "rmssd_above_normal": (ln(rmssd_ms) - strain["rmssd_centre"]) / strain["rmssd_spread"],
    }
    return np.stack([columns[name] for name in INPUT_NAMES], 1)
