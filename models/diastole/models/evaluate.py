"""What a model says about people whom it has not seen: one model a person, trained without them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from diastole.edge.chunks import words
from diastole.edge.pipeline.judge import Scorer, judge
from diastole.edge.pipeline.observations import DECISIONS, GRADES, NO_REASON, REASONS
from diastole.edge.pipeline.rules import Rules
from diastole.edge.pipeline.scoring import read_model
from diastole.models.figures import Figures, discrimination, figures_of
from diastole.models.judged import Judged, check_two, join_judged
from diastole.models.table import Table
from diastole.models.train import train

Fit = Callable[[Table, Sequence[str]], Scorer]
"""A table and people to leave out, to a model of the others."""
FOLD: Final = Path("fold")


def linear(names: Sequence[str]) -> Fit:
    """Return what trains the model that would ship with these inputs, the ONNX file itself."""
    return lambda table, left_out: read_model(train(table, names, left_out), FOLD)


def judged_by(model: Scorer, table: Table) -> Judged:
    """Judge a table as a replay would."""
    readings = judge(table.observations, model, Rules())
    told = readings.reason != NO_REASON
    return Judged(
        data_set=table.data_set,
        person=table.person,
        session=table.session,
        t_s=table.t_s,
        label=table.label,
        p=readings.p_stress,
        decision=words(DECISIONS, readings.decision),
        able=readings.able,
        grade=words(GRADES, table.observations.rows["grade"]),
        reason=np.where(told, words(REASONS, np.where(told, readings.reason, 0)), ""),
    )


def folds(table: Table, fit: Fit) -> dict[str, Scorer]:
    """Return a model for each person, trained on all sets without them."""
    return {who: fit(table, [who]) for who in np.unique(table.person).tolist()}


def judged_apart(models: Mapping[str, Scorer], table: Table) -> Judged:
    """Judge everybody by the model that is theirs."""
    parts, places = [], []
    for who in np.unique(table.person).tolist():
        own = np.flatnonzero(table.person == who)
        places.append(own)
        parts.append(judged_by(models[who], table.take(own)))
    return join_judged(parts).take(np.argsort(np.concatenate(places)))


def leave_one_person_out(table: Table, fit: Fit) -> Judged:
    """Judge everybody by a model that was trained on all sets without them."""
    return judged_apart(folds(table, fit), table)


def across(table: Table, fit: Fit, learned: str) -> Judged:
    """Judge the other sets by a model that was trained on one."""
    own = table.data_set == learned
    return judged_by(fit(table.take(own), []), table.take(~own))


def labelled(table: Table) -> Table:
    """Return the windows that figures are about."""
    return table.take(table.task | (table.label == "exercise"))


def figures_by_set(judged: Judged) -> dict[str, Figures]:
    """Return every figure by data set; raise InputError where one cannot be evaluated."""
    check_two(judged.data_set, judged.person, judged.label)
    return {
        name: figures_of(judged.take(judged.data_set == name))
        for name in np.unique(judged.data_set).tolist()
    }


def figures_of_transfer(table: Table, fit: Fit) -> dict[str, Figures]:
    """Return how stress is told by what was learned on one set and judged on another."""
    found = {}
    sets = np.unique(table.data_set).tolist()
    for learned in sets:
        for other in (name for name in sets if name != learned):
            away = across(table, fit, learned)
            found[f"{learned} → {other}"] = discrimination(away.take(away.data_set == other))
    return found


def figures(table: Table, names: Sequence[str]) -> tuple[dict[str, Figures], dict[str, Figures]]:
    """Return the figures by set, leaving one person out, and by what was learned and judged."""
    rows, fit = labelled(table), linear(names)
    return figures_by_set(leave_one_person_out(rows, fit)), figures_of_transfer(rows, fit)
