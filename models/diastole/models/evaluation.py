"""The verb ``evaluate``: the shipped way of training, a model file, or anybody's predictions."""

import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

import numpy as np

from diastole.edge.labels import read_labels
from diastole.edge.pipeline.scoring import Model, load_model
from diastole.models.datasets import LabelledSession, sessions_of, sets_at
from diastole.models.evaluate import (
    figures_by_set,
    figures_of_transfer,
    folds,
    judged_apart,
    judged_by,
    labelled,
    linear,
)
from diastole.models.figures import people
from diastole.models.judged import Judged, check_two
from diastole.models.law import after_first_task, losses_by_set, observe_orders
from diastole.models.predictions import read_predictions
from diastole.models.report import Evaluation, Made
from diastole.models.table import observe_sessions
from diastole.models.train import CHOSEN, train

APART: Final = "Everybody is judged by a model trained on all sets without them, no label used."


def evaluation_of(
    data: Path, model: Path | None, predictions: Path | None, jobs: int
) -> Evaluation:
    """Evaluate what was asked for on the sets under the data folder."""
    sessions = sessions_of(data, sets_at(data))
    if predictions is not None:
        return of_predictions(sessions, predictions)
    if model is not None:
        return of_model(sessions, load_model(model), jobs)
    return of_training(sessions, CHOSEN, jobs)


def of_training(sessions: Sequence[LabelledSession], names: Sequence[str], jobs: int) -> Evaluation:
    """Evaluate the model that these inputs make, leaving one person out."""
    check_sessions(sessions)
    table = labelled(observe_sessions(sessions, jobs))
    fit = linear(names)
    models = folds(table, fit)
    judged = judged_apart(models, table)
    left = after_first_task(judged, sessions)
    orders = {
        order: losses_by_set(judged, judged_apart(models, labelled(other)), left)
        for order, other in observe_orders(sessions, jobs).items()
    }
    return Evaluation(
        f"A model of {', '.join(names)}, leaving one person out",
        APART,
        figures_by_set(judged),
        people(judged),
        figures_of_transfer(table, fit) if len(np.unique(table.data_set)) > 1 else {},
        orders,
        made_by("diastole evaluate", judged, hashlib.sha256(train(table, names)).hexdigest()),
    )


def of_model(sessions: Sequence[LabelledSession], model: Model, jobs: int) -> Evaluation:
    """Evaluate a model file as it stands, on people whom it may have learned from."""
    check_sessions(sessions)
    table = labelled(observe_sessions(sessions, jobs))
    judged = judged_by(model, table)
    left = after_first_task(judged, sessions)
    orders = {
        order: losses_by_set(judged, judged_by(model, labelled(other)), left)
        for order, other in observe_orders(sessions, jobs).items()
    }
    seen = ", ".join(f"{t.people} people of {t.data_set}" for t in model.metadata.trained)
    return Evaluation(
        f"Model {model.hash[:12]} as it stands",
        f"One file judges everybody; it has learned from {seen}: on those sets these figures "
        "flatter it.",
        figures_by_set(judged),
        people(judged),
        orders=orders,
        made=made_by("diastole evaluate --model", judged, model.hash),
    )


def of_predictions(sessions: Sequence[LabelledSession], path: Path) -> Evaluation:
    """Evaluate anybody's predictions against the labels."""
    judged = read_predictions(path, sessions)
    return Evaluation(
        f"Predictions of {path.name}",
        "What was predicted is taken as it stands; whether it has seen these people is not known "
        "here, and sessions in another order cannot be judged from it.",
        figures_by_set(judged),
        people(judged),
        made=made_by("diastole evaluate --predictions", judged),
    )


def made_by(command: str, judged: Judged, model: str = "") -> Made:
    """Return what an evaluation says of its making: nothing of when or where."""
    sets = np.unique(judged.data_set).tolist()
    held = {name: len(np.unique(judged.person[judged.data_set == name])) for name in sets}
    made: Made = {"command": command, "diastole": version("diastole"), "people": held}
    return {**made, "model": model} if model else made


def check_sessions(sessions: Sequence[LabelledSession]) -> None:
    """Raise InputError, before the work, where there are no two people or no two classes."""
    rows = [
        (session.data_set, session.person, segment.label)
        for session in sessions
        for segment in read_labels(session.labels).of(session.path)
    ]
    check_two(*np.array(rows, np.str_).reshape(-1, 3).T)
