"""Models beside each other, and the smallest that is not worse on the set that it has not seen."""

import os

import numpy as np

from diastole.models.compare import candidates, compare, smallest
from diastole.models.datasets import sessions_of
from diastole.models.evaluate import labelled
from diastole.models.metrics import Figure
from diastole.models.table import observe_sessions
from diastole.models.train import CHOSEN
from tests.figures.observed import DATA


def cell(figure: Figure | float) -> str:
    """Return a figure short enough for a table."""
    return str(figure) if isinstance(figure, Figure) else f"{figure:.3f}"


def main() -> None:
    """Observe every labelled session once; print a row a candidate, set by set."""
    table = labelled(observe_sessions(sessions_of(DATA), os.cpu_count() or 1))
    compared = [compare(table, candidate) for candidate in candidates()]
    for data_set in np.unique(table.data_set).tolist():
        rows = {each.candidate: each.row(data_set) for each in compared}
        print(f"| {data_set} | " + " | ".join(next(iter(rows.values()))) + " |")
        print("|---" * 6 + "|")
        for candidate, row in rows.items():
            print(f"| {candidate} | " + " | ".join(map(cell, row.values())) + " |")
        print()
    print(f"the smallest that is not worse on the other set: {smallest(compared)}")
    print(f"shipped: linear on {', '.join(CHOSEN)}; the card says why")


if __name__ == "__main__":
    main()
