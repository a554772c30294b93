"""What a model says about people whom it has not seen, and the figures of that."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from diastole.edge.chunks import Bools, Floats
from diastole.edge.pipeline.judge import judge
from diastole.edge.pipeline.observations import DECISIONS, GRADES
from diastole.edge.pipeline.rules import Rules
from diastole.edge.pipeline.scoring import read_model
from diastole.edge.records import Decision, Grade
from diastole.models.fit import balanced_weights
from diastole.models.metrics import (
    Figure,
    balanced_accuracy,
    calibration_error,
    median_auc,
    pooled_auc,
    share,
)
from diastole.models.table import Table
from diastole.models.train import train

Figures = dict[str, Figure | float]
BOOSTING: Final = {"max_iter": 150, "max_leaf_nodes": 7, "early_stopping": False, "random_state": 0}


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A table and what was said about each of its windows."""

    table: Table
    p: Floats
    """NaN where there is none."""
    says: tuple[Bools, Bools]
    """Whether it says calm, whether it says stress; neither where undecided."""
    able: Bools

    def take(self, which: Bools) -> "Judged":
        """Return the chosen windows."""
        calm, stress = self.says
        return Judged(
            self.table.take(which), self.p[which], (calm[which], stress[which]), self.able[which]
        )

    @property
    def scored(self) -> Bools:
        """Which windows have a p."""
        return ~np.isnan(self.p)

    @property
    def decided(self) -> Bools:
        """Which windows have a decision."""
        return self.says[0] | self.says[1]


def judged_by(content: bytes, table: Table) -> Judged:
    """Judge a table as a replay would, by the bytes of a model file."""
    readings = judge(table.observations, read_model(content, Path("fold")), Rules())
    calm, stress = (
        readings.decision == DECISIONS.index(said) for said in (Decision.CALM, Decision.STRESS)
    )
    return Judged(table, readings.p_stress, (calm, stress), readings.able)


def leave_one_person_out(table: Table, names: Sequence[str]) -> Judged:
    """Judge everybody by a model that was trained on all sets without them."""
    p = np.full(len(table), np.nan)
    calm, stress, able = (np.zeros(len(table), bool) for _ in range(3))
    for person in np.unique(table.person).tolist():
        own = np.flatnonzero(table.person == person)
        fold = judged_by(train(table, names, [person]), table.take(own))
        p[own], able[own] = fold.p, fold.able
        calm[own], stress[own] = fold.says
    return Judged(table, p, (calm, stress), able)


def across(table: Table, names: Sequence[str], learned: str) -> Judged:
    """Judge the other sets by a model that was trained on one."""
    own = table.data_set == learned
    return judged_by(train(table.take(own), names), table.take(~own))


def elapsed_time(table: Table) -> Floats:
    """Return p(stress) from the minutes since the session's start alone, leaving one person out.

    What a protocol that runs rest first gives away: the figure that ours must be read beside.
    """
    p = np.full(len(table), np.nan)
    with threadpool_limits(1):  # threads that wait for each other cost more than they save here
        for person in np.unique(table.person):
            own = table.person == person
            rest = table.take(~own)
            weights = balanced_weights(rest.data_set, rest.person, rest.stress) * len(rest)
            clock = HistGradientBoostingClassifier(**BOOSTING)
            clock.fit(rest.minutes[:, None], rest.stress, sample_weight=weights)
            p[own] = clock.predict_proba(table.minutes[own, None])[:, 1]
    return p


def discrimination(judged: Judged) -> Figures:
    """Return how stress is told from rest in windows so labelled, and in how many of them."""
    tasks = judged.take(judged.table.task)
    scored, decided = tasks.take(tasks.scored), tasks.take(tasks.decided)
    table = scored.table
    found: Figures = {
        "AUC over scored windows": pooled_auc(scored.p, table.stress, table.person),
        "median of the people's own AUC": median_auc(scored.p, table.stress, table.person),
        "balanced accuracy over decided windows": balanced_accuracy(
            decided.says[1], decided.table.stress, decided.table.person
        ),
        "calibration error at the set's own prevalence": calibration_error(scored.p, table.stress),
    }
    for grade, name in ((Grade.BEATS, "beats"), (Grade.HEART_RATE, "heart rate alone")):
        part = scored.take(table.observations.rows["grade"] == GRADES.index(grade)).table
        p = scored.p[table.observations.rows["grade"] == GRADES.index(grade)]
        found[f"AUC, grade {name}"] = pooled_auc(p, part.stress, part.person)
    return found


def shares(judged: Judged) -> Figures:
    """Return how much of the time labelled rest or stress is scored, decided, able to begin."""
    table = judged.table
    among = {"rest and stress": table.task, "rest": table.label == "rest", "stress": table.stress}
    kinds = {"scored": judged.scored, "decided": judged.decided, "able": judged.able}
    return {
        f"{kind}, of {label} windows": share(which, windows, table.person)
        for kind, which in kinds.items()
        for label, windows in among.items()
        if kind != "able" or label == "rest and stress"
    }


def beside_the_clock(judged: Judged) -> Figures:
    """Return what elapsed time alone reaches on the windows that ours scored and decided."""
    scored = judged.take(judged.table.task & judged.scored)
    table, p = scored.table, elapsed_time(scored.table)
    decided = scored.decided
    return {
        "elapsed time alone: AUC": pooled_auc(p, table.stress, table.person),
        "elapsed time alone: balanced accuracy": balanced_accuracy(
            p[decided] > 0.5, table.stress[decided], table.person[decided]
        ),
    }


def under_exercise(judged: Judged) -> Figures:
    """Return which windows labelled exercise are called stress; nothing where there are none."""
    exercise = judged.table.label == "exercise"
    if not exercise.any():
        return {}
    called = share(judged.says[1], exercise, judged.table.person)
    return {"exercise windows decided stress": called}


def figures_of_set(judged: Judged, data_set: str) -> Figures:
    """Return every figure of one data set."""
    own = judged.take(judged.table.data_set == data_set)
    return discrimination(own) | shares(own) | beside_the_clock(own) | under_exercise(own)


def figures(table: Table, names: Sequence[str]) -> tuple[dict[str, Figures], dict[str, Figures]]:
    """Return the figures by set, leaving one person out, and by what was learned and judged."""
    labelled = table.take(table.task | (table.label == "exercise"))
    judged = leave_one_person_out(labelled, names)
    sets = np.unique(labelled.data_set).tolist()
    transfer = {}
    for learned in sets:
        for other in (name for name in sets if name != learned):
            away = across(labelled, names, learned)
            transfer[f"{learned} → {other}"] = discrimination(
                away.take(away.table.data_set == other)
            )
    return {name: figures_of_set(judged, name) for name in sets}, transfer
