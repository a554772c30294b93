"""What the first model reaches on people whom it has not seen: ``make figures`` prints it.

Below it, the same for every choice of two to four inputs, by which the model's were chosen: the
simplest that is not worse.
"""

import os
from itertools import combinations

import numpy as np

from diastole.edge.schema import INPUT_NAMES
from diastole.models.card import markdown_table
from diastole.models.datasets import sessions_of
from diastole.models.evaluate import discrimination, figures, leave_one_person_out
from diastole.models.table import Table, observe_sessions
from diastole.models.train import CHOSEN
from tests.figures.observed import DATA


def choices(table: Table) -> list[str]:
    """Return a line for each choice of inputs: AUC and balanced accuracy, a set after the other."""
    tasks = table.take(table.task)
    lines = []
    for size in (2, 3, 4):
        for names in combinations(INPUT_NAMES, size):
            judged = leave_one_person_out(tasks, names)
            cells = []
            for data_set in np.unique(tasks.data_set):
                found = discrimination(judged.take(tasks.data_set == data_set))
                cells += [
                    str(found["AUC over scored windows"]),
                    str(found["balanced accuracy over decided windows"]),
                ]
            lines.append("  ".join([*cells, ", ".join(names)]))
    return lines


def main() -> None:
    """Observe every labelled session once; print all figures."""
    table = observe_sessions(sessions_of(DATA), os.cpu_count() or 1)
    by_set, by_transfer = figures(table, CHOSEN)
    for columns in (by_set, by_transfer):
        print("\n".join(markdown_table(columns)), end="\n\n")
    print("AUC and balanced accuracy on", " and on ".join(by_set), "by the inputs chosen:")
    print("\n".join(choices(table)))


if __name__ == "__main__":
    main()
