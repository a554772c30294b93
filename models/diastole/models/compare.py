"""Models beside each other: inputs, linear or boosted trees, judged on people and sets unseen.

Kept is the smallest that is not worse on the other set: fewest inputs, a line before trees, whose
AUC there falls short of the best one's by no more than drawing people anew would move it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final, NamedTuple

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from diastole.edge.chunks import Bools, Floats
from diastole.edge.schema import INPUT_NAMES
from diastole.models.evaluate import Fit, across, leave_one_person_out, linear
from diastole.models.figures import ACCURACY, AUC, Figures, discrimination, shares
from diastole.models.fit import balanced_weights
from diastole.models.judged import Judged, join_judged
from diastole.models.metrics import figure, pairs
from diastole.models.table import Table
from diastole.models.train import training_rows

TREES: Final = {
    "max_iter": 100,
    "max_leaf_nodes": 5,
    "learning_rate": 0.05,
    "min_samples_leaf": 200,
    "early_stopping": False,
    "random_state": 0,
}
DECIDED: Final = "decided, of rest and stress windows"


class Candidate(NamedTuple):
    """A model that might ship."""

    inputs: tuple[str, ...]
    trees: bool

    def __str__(self) -> str:
        kind = "boosted trees" if self.trees else "linear"
        return f"{kind} on {', '.join(self.inputs)}"

    @property
    def fit(self) -> Fit:
        """What trains it."""
        return boosted(self.inputs) if self.trees else linear(self.inputs)


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """A candidate and what it says: of people left out, and of the set that it has not seen."""

    candidate: Candidate
    apart: Judged
    away: Judged

    def row(self, data_set: str) -> Figures:
        """Return its figures on one set."""
        apart, away = (j.take(j.data_set == data_set) for j in (self.apart, self.away))
        own, other = discrimination(apart), discrimination(away)
        return {
            AUC: own[AUC],
            ACCURACY: own[ACCURACY],
            DECIDED: shares(apart)[DECIDED],
            "AUC, learned on the other set": other[AUC],
            "balanced accuracy, learned on the other set": other[ACCURACY],
        }


@dataclass(frozen=True, slots=True, eq=False)
class Trees:
    """Boosted trees, which take NaN as it is. For comparison: they do not ship."""

    inputs: tuple[str, ...]
    forest: Any

    def score(self, inputs: Floats) -> Floats:
        """Return p(stress) of each row."""
        with threadpool_limits(1):
            p: Floats = self.forest.predict_proba(inputs)[:, 1] if len(inputs) else np.empty(0)
        return p

    def unlike_training(self, inputs: Floats) -> Bools:
        """Refuse nothing."""
        return np.zeros(len(inputs), bool)


def boosted(names: Sequence[str]) -> Fit:
    """Return what trains boosted trees on these inputs, from the rows that ours learns from."""

    def fit(table: Table, left_out: Sequence[str]) -> Trees:
        rows = training_rows(table, left_out)
        weights = balanced_weights(rows.data_set, rows.person, rows.stress) * len(rows)
        forest = HistGradientBoostingClassifier(**TREES)
        with threadpool_limits(1):
            forest.fit(rows.inputs(names), rows.stress, sample_weight=weights)
        return Trees(tuple(names), forest)

    return fit


def candidates() -> list[Candidate]:
    """Return every choice of inputs for a line, and trees on some; the smallest first."""
    lines = [
        Candidate(names, trees=False)
        for size in range(1, len(INPUT_NAMES) + 1)
        for names in combinations(INPUT_NAMES, size)
    ]
    trees = [("hr_rise_1h",), ("hr_above_normal", "hr_rise_1h"), INPUT_NAMES[:3], INPUT_NAMES]
    return sorted([*lines, *(Candidate(names, trees=True) for names in trees)], key=_size)


def _size(candidate: Candidate) -> tuple[int, bool]:
    return len(candidate.inputs), candidate.trees


def compare(table: Table, candidate: Candidate) -> Compared:
    """Judge everybody by the others, and each set by the other."""
    fit = candidate.fit
    away = [across(table, fit, name) for name in np.unique(table.data_set).tolist()]
    return Compared(candidate, leave_one_person_out(table, fit), join_judged(away))


def worse(one: Judged, best: Judged) -> bool:
    """Whether the AUC of one falls short of another's on the same windows, whoever is drawn."""
    one, best = (each.take(each.task & each.scored) for each in (one, best))
    first, then = (pairs(each.p, each.stress, each.person) for each in (one, best))
    if len(first.stress) != len(then.stress):
        return True
    lost = figure(lambda drawn: then.auc(drawn) - first.auc(drawn), len(first.stress))
    return lost.low > 0


def smallest(compared: Sequence[Compared]) -> Candidate:
    """Return the smallest that is not worse on either set than the best of them there."""
    sets = np.unique(compared[0].away.data_set).tolist()
    of = {name: [each.away.take(each.away.data_set == name) for each in compared] for name in sets}
    best = {name: max(judged, key=_auc) for name, judged in of.items()}
    fine = [
        each.candidate
        for place, each in enumerate(compared)
        if not any(worse(of[name][place], best[name]) for name in sets)
    ]
    return min(fine, key=_size)


def _auc(judged: Judged) -> float:
    rows = judged.take(judged.task & judged.scored)
    found = pairs(rows.p, rows.stress, rows.person)
    return found.auc(np.ones(len(found.stress)))
