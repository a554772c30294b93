"""What the shipped kind of model reaches on people whom it has not seen: ``diastole evaluate``.

Below it the shipped file: its size, and how long one scoring takes.
"""

import os
import time

import numpy as np

from diastole.edge.pipeline.scoring import load_model, shipped
from diastole.models.datasets import sessions_of
from diastole.models.evaluation import of_training
from diastole.models.report import markdown
from diastole.models.train import CHOSEN
from tests.figures.observed import DATA

SCORINGS = 20_000


def of_one_scoring() -> str:
    """Return the size of the shipped file, and how long it takes to score one window."""
    model = load_model(shipped())
    rows = np.random.default_rng(0).normal(size=(SCORINGS, 1, len(model.inputs)))
    took = np.empty(SCORINGS)
    for place, row in enumerate(rows):
        begun = time.perf_counter()
        model.score(row)
        model.unlike_training(row)
        took[place] = time.perf_counter() - begun
    middle, late = np.percentile(took, [50, 99]) * 1e3
    size = shipped().stat().st_size
    return f"model file {size / 1000:.1f} kB; a scoring {middle:.3f} ms, p99 {late:.3f} ms"


def main() -> None:
    """Evaluate; print every figure that concerns readings."""
    print(markdown(of_training(sessions_of(DATA), CHOSEN, os.cpu_count() or 1)))
    print(of_one_scoring())


if __name__ == "__main__":
    main()
