"""The agent's verbs: each declares its options and returns what does the work."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from pathlib import Path

Run = Callable[[Namespace], int]


def replay(parser: ArgumentParser) -> Run:
    """Declare ``diastole replay``: recordings in, tables and pictures out."""
    add = parser.add_argument
    add("path", type=Path, metavar="FILE|DIR", help="a recording, or a folder of them")
    add("--out", type=Path, help="table to write (.parquet, .csv, .jsonl); of a folder: a folder")
    add("--plot", type=Path, metavar="PNG|SVG", help="draw the session")
    add("--beats", action="store_true", help="write every beat with its verdict beside the table")
    add("--labels", type=Path, help="label file, or a folder of them: adds a column label")
    add("--model", default="shipped", metavar="FILE|none", help="default: the shipped one")
    add("--engine", choices=("vectorised", "neurokit"), default="vectorised", help="of features")
    add("--format", help="name of the format, where its content does not tell")
    add("--subject", help="pseudonym of the wearer, [a-z0-9-] (default: from the name)")
    add("--subjects", type=Path, metavar="CSV", help="session,subject of each session")
    add("--state", type=Path, metavar="DIR", help="hand a wearer's normal on from file to file")
    add(
        "--jobs",
        type=_at_least_one,
        metavar="N",
        help="sessions of a folder at a time (default: one a processor)",
    )
    add("--force", action="store_true", help="replace what exists")
    return _replay


def demo(parser: ArgumentParser) -> Run:
    """Declare ``diastole demo``: a real session and its story."""
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder for what it writes")
    return _demo


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        wrong = f"{text!r} is no whole number from 1 on"
        raise ArgumentTypeError(wrong)
    return int(text)


def _replay(given: Namespace) -> int:
    from diastole.edge.replay.run import replay_path

    return replay_path(given)


def _demo(given: Namespace) -> int:
    from rich.console import Console

    from diastole.edge.demo import run

    return run(given.out, Console())
