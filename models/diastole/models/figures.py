"""The figures of what was said about a set's windows, with intervals over people."""

from typing import Final

import numpy as np

from diastole.edge.chunks import Bools
from diastole.edge.records import Grade, Reason
from diastole.models.clock import elapsed_time
from diastole.models.judged import Judged
from diastole.models.metrics import (
    Figure,
    balanced_accuracy,
    calibration_error,
    median_auc,
    pairs,
    pooled_auc,
    share,
)

Figures = dict[str, Figure | float]
AUC: Final = "AUC over scored windows"
ACCURACY: Final = "balanced accuracy over decided windows"
GRADES: Final = ((Grade.BEATS, "beats"), (Grade.HEART_RATE, "heart rate alone"))


def discrimination(judged: Judged) -> Figures:
    """Return how stress is told from rest in windows so labelled."""
    tasks = judged.take(judged.task)
    scored = tasks.take(tasks.scored)
    return {
        AUC: pooled_auc(scored.p, scored.stress, scored.person),
        "median of the people's own AUC": median_auc(scored.p, scored.stress, scored.person),
        ACCURACY: _accuracy(tasks),
        "calibration error at the set's own prevalence": calibration_error(scored.p, scored.stress),
        **_by_grade(tasks),
    }


def _accuracy(tasks: Judged) -> Figure:
    decided = tasks.take(tasks.decided)
    return balanced_accuracy(decided.says_stress, decided.stress, decided.person)


def _by_grade(tasks: Judged) -> Figures:
    """Return AUC, accuracy and share of each grade apart."""
    found: Figures = {}
    if tasks.grade is None:
        return found
    for grade, name in GRADES:
        own = tasks.grade == grade
        part = tasks.take(own & tasks.scored)
        found[f"AUC, grade {name}"] = pooled_auc(part.p, part.stress, part.person)
        found[f"balanced accuracy, grade {name}"] = _accuracy(tasks.take(own))
        found[f"scored with grade {name}, of rest and stress windows"] = share(
            own & tasks.scored, np.ones(len(tasks), bool), tasks.person
        )
    return found


def shares(judged: Judged) -> Figures:
    """Return how much of the time labelled rest or stress is scored, decided, able to begin."""
    among = {"rest and stress": judged.task, "rest": judged.label == "rest"}
    among["stress"] = judged.stress
    kinds = {"scored": judged.scored, "decided": judged.decided}
    if judged.able is not None:
        kinds["able"] = judged.able
    return {
        f"{kind}, of {label} windows": share(which, windows, judged.person)
        for kind, which in kinds.items()
        for label, windows in among.items()
    }


def beside_the_clock(judged: Judged) -> Figures:
    """Return what elapsed time alone reaches on the windows that were scored and decided."""
    scored = judged.take(judged.task & judged.scored)
    (p,) = elapsed_time(scored, scored)
    decided = scored.decided
    return {
        "elapsed time alone: AUC": pooled_auc(p, scored.stress, scored.person),
        "elapsed time alone: balanced accuracy": balanced_accuracy(
            p[decided] > 0.5, scored.stress[decided], scored.person[decided]
        ),
    }


def under_exercise(judged: Judged) -> Figures:
    """Return which exercise is called stress, and what rest and stress is lost to exertion."""
    found: Figures = {}
    exercise = judged.label == "exercise"
    if exercise.any():
        called = share(judged.says_stress, exercise, judged.person)
        found["exercise windows decided stress"] = called
    if judged.reason is not None:
        lost: Bools = judged.reason == Reason.EXERTION
        for name, among in (("rest", judged.label == "rest"), ("stress", judged.stress)):
            found[f"{name} windows lost to exertion"] = share(lost, among, judged.person)
    return found


def figures_of(judged: Judged) -> Figures:
    """Return every figure of one data set's windows."""
    return (
        discrimination(judged) | shares(judged) | beside_the_clock(judged) | under_exercise(judged)
    )


def people(judged: Judged) -> list[dict[str, str | int | float]]:
    """Return a row a person: how much of their rest and stress is judged, and how well."""
    rows: list[dict[str, str | int | float]] = []
    for person in np.unique(judged.person[judged.task]).tolist():
        own = judged.take((judged.person == person) & judged.task)
        scored, decided = own.take(own.scored), own.take(own.decided)
        rows.append(
            {
                "data_set": str(own.data_set[0]),
                "person": person,
                "rest_windows": int((~own.stress).sum()),
                "stress_windows": int(own.stress.sum()),
                "scored": float(own.scored.mean()),
                "decided": float(own.decided.mean()),
                "auc": float(pairs(scored.p, scored.stress, scored.person).auc(_ONCE))
                if len(scored)
                else np.nan,
                "stress_found": _mean(decided.says_stress[decided.stress]),
                "rest_left_alone": _mean(~decided.says_stress[~decided.stress]),
            }
        )
    return rows


_ONCE: Final = np.ones(1)


def _mean(which: Bools) -> float:
    return float(which.mean()) if len(which) else np.nan
