"""How much of the labelled time can be judged: ``python -m tests.figures.coverage``.

Shares of windows with a heart rate (a source covers 0.30 of the window, a track 0.50) and with an
RMSSD, for rest and stress apart, by what the heart is read from. Of the raw pulse there are its
peaks and our track.
"""

import numpy as np

from diastole.edge.pipeline.observations import well_covered
from diastole.edge.pipeline.rules import Rules
from tests.figures.observed import (
    Alter,
    device_beats,
    pooled,
    raw_pulse,
    seen,
    whole,
)

WAYS: dict[str, Alter] = {
    "choice of all": whole,
    "device beats": device_beats,
    "raw pulse": raw_pulse,
}
LABELS = {"Stress-Predict": ("rest", "stress"), "Hongn": ("rest", "stress", "exercise")}


def main() -> None:
    """Print the table."""
    rules = Rules()
    print(f"{'set':15} {'from':24} {'label':9} {'windows':>8} {'heart rate':>10} {'RMSSD':>6}")
    for data_set, labels in LABELS.items():
        labelled: dict[str, int] = {}
        for way, alter in WAYS.items():
            sessions = list(seen(data_set, alter))
            coverage = pooled(sessions, "coverage")
            rate = well_covered(pooled(sessions, "source"), coverage, rules)
            rate &= coverage <= rules.max_coverage
            rmssd = np.concatenate([s.observations.feature("rmssd_ms") for s in sessions])
            named = np.concatenate([s.label for s in sessions])
            for label in labels:
                inside = named == label
                # a window that no record touches has no row; the first way has a row for all
                n = labelled.setdefault(label, int(inside.sum()))
                shares = rate[inside].sum() / n, np.isfinite(rmssd[inside]).sum() / n
                print(f"{data_set:15} {way:24} {label:9} {n:8} {shares[0]:10.2f} {shares[1]:6.2f}")


if __name__ == "__main__":
    main()
