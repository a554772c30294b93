"""The verbs of this room: each declares its options and returns what runs."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Final

MODEL_FILE: Final = "stress.onnx"
CARD_FILE: Final = "stress.md"
PEOPLE_FILE: Final = "subjects.csv"
"""Whose session is whose, as ``diastole replay --subjects`` takes it."""
EVALUATION_FILES: Final = ("evaluation.md", "evaluation.json", "figures.csv", "people.csv")


def train(parser: ArgumentParser) -> Callable[[Namespace], int]:
    """Declare the options of ``diastole train``, and return what runs."""
    parser.add_argument("--data", type=Path, required=True, help="the folder of labelled sets")
    parser.add_argument(
        "--out", type=Path, required=True, help="the folder for model, card and subjects.csv"
    )
    parser.add_argument("--jobs", type=int, default=2, help="sessions observed at a time")
    parser.add_argument("--force", action="store_true", help="replace what is there")
    return _train


def evaluate(parser: ArgumentParser) -> Callable[[Namespace], int]:
    """Declare the options of ``diastole evaluate``, and return what runs."""
    add = parser.add_argument
    add("--data", type=Path, required=True, help="the folder of labelled sets")
    judge = parser.add_mutually_exclusive_group()
    judge.add_argument(
        "--model",
        type=Path,
        metavar="FILE",
        help="judge by this file as it stands (default: train the shipped kind of model anew "
        "without each person)",
    )
    judge.add_argument(
        "--predictions",
        type=Path,
        metavar="CSV",
        help="anybody's: session,t_s,p_stress,decision, a row a window of 60 s",
    )
    add("--out", type=Path, help=f"a folder for {', '.join(EVALUATION_FILES)}")
    add("--jobs", type=int, default=2, help="sessions observed at a time")
    add("--force", action="store_true", help="replace what is there")
    return _evaluate


def _evaluate(given: Namespace) -> int:
    from diastole.edge.outputs import refuse_existing, whole_file
    from diastole.models.evaluation import evaluation_of
    from diastole.models.report import as_csv, as_json, markdown, people_csv

    paths = [given.out / name for name in EVALUATION_FILES] if given.out is not None else []
    for path in paths:
        refuse_existing(path, force=given.force)
    found = evaluation_of(given.data, given.model, given.predictions, given.jobs)
    text = markdown(found)
    print(text)
    contents = (
        text.encode(),
        as_json(found),
        as_csv(found).encode(),
        people_csv(found).encode(),
    )
    for path, content in zip(paths, contents if paths else (), strict=True):
        with whole_file(path, force=given.force) as stream:
            stream.write(content)
    return 0


def _train(given: Namespace) -> int:
    from diastole.edge.outputs import refuse_existing, whole_file
    from diastole.edge.pipeline.scoring import read_model
    from diastole.models.card import card
    from diastole.models.datasets import people_csv, sessions_of
    from diastole.models.evaluate import figures
    from diastole.models.table import observe_sessions
    from diastole.models.train import CHOSEN, train

    model_path, card_path, people_path = (
        given.out / name for name in (MODEL_FILE, CARD_FILE, PEOPLE_FILE)
    )
    for path in (model_path, card_path, people_path):
        refuse_existing(path, force=given.force)
    sessions = sessions_of(given.data)
    table = observe_sessions(sessions, given.jobs)
    content = train(table)
    model = read_model(content, model_path)
    text = card(model.metadata, model.hash, *figures(table, CHOSEN))
    people = people_csv(sessions)
    for path, written in (
        (model_path, content),
        (card_path, text.encode()),
        (people_path, people.encode()),
    ):
        with whole_file(path, force=given.force) as stream:
            stream.write(written)
    print(f"{model_path}: model {model.hash[:12]}, its card {card_path.name} beside it")
    return 0
