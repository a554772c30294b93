"""An evaluation as Markdown to read, JSON to reckon with, and a CSV with a person a row."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from diastole.models.card import markdown_table
from diastole.models.figures import Figures
from diastole.models.law import MOST, keeps_law
from diastole.models.metrics import Figure

ABOUT = (
    "Windows of 60 s that lie for 50 s in one label; [95 % interval over people, 2,000 draws]. "
    "*Scored* windows have a p, *decided* ones a decision. Stress here is task-related arousal in "
    "a laboratory. Elapsed time alone is a model of the clock on the same windows: what reading "
    "the protocol's order would reach."
)

Made = Mapping[str, str | Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Figures by what they are of."""

    title: str
    judged_by: str
    """Who judges whom, as a sentence."""
    by_set: Mapping[str, Figures]
    people: Sequence[Mapping[str, str | int | float]]
    transfer: Mapping[str, Figures] = field(default_factory=dict)
    orders: Mapping[str, Mapping[str, Figures]] = field(default_factory=dict)
    """By order, then by set; empty where nothing could be judged anew."""
    made: Made = field(default_factory=dict)
    """The command, its version, the people of each set, and the hash of the model, if there is one:
    that of the file, or of the file which the same training makes of everybody."""


def markdown(evaluation: Evaluation) -> str:
    """Write the evaluation to be read."""
    lines = [f"# {evaluation.title}", "", evaluation.judged_by, ABOUT, ""]
    lines += [*markdown_table(evaluation.by_set), ""]
    if evaluation.transfer:
        lines += ["## Learned on one set, judged on the other", ""]
        lines += [*markdown_table(evaluation.transfer), ""]
    for order, by_set in evaluation.orders.items():
        lines += [f"## No clock inside: {order}", "", *markdown_table(by_set), ""]
        lines += [f"{name}: {_verdict(found)}" for name, found in by_set.items()] + [""]
    lines += ["## A person a row", "", *_people_table(evaluation.people), ""]
    return "\n".join(lines)


def _verdict(found: Figures) -> str:
    kept = "keeps" if keeps_law(found) else "BREAKS"
    return f"{kept} the law (at most {MOST:.2f} of what elapsed time loses)."


def _people_table(people: Sequence[Mapping[str, str | int | float]]) -> list[str]:
    if not people:
        return []
    lines = ["| " + " | ".join(people[0]) + " |", "|---" * len(people[0]) + "|"]
    for row in people:
        cells = (f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in row.values())
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def as_json(evaluation: Evaluation) -> bytes:
    """Write every figure with its interval; what is not known is null."""
    content = {
        "title": evaluation.title,
        "judged_by": evaluation.judged_by,
        "made": dict(evaluation.made),
        "by_set": _plain(evaluation.by_set),
        "transfer": _plain(evaluation.transfer),
        "orders": {order: _plain(found) for order, found in evaluation.orders.items()},
        "people": list(evaluation.people),
    }
    return msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n"


def _plain(columns: Mapping[str, Figures]) -> dict[str, dict[str, object]]:
    return {
        column: {
            name: figure._asdict() if isinstance(figure, Figure) else figure
            for name, figure in figures.items()
        }
        for column, figures in columns.items()
    }


def as_csv(evaluation: Evaluation) -> str:
    """Write every figure as a row: part, of what, figure, value, low, high."""
    parts = {"set": evaluation.by_set, "transfer": evaluation.transfer, **evaluation.orders}
    rows = [
        (part, column, name, *(figure if isinstance(figure, Figure) else (figure, "", "")))
        for part, columns in parts.items()
        for column, figures in columns.items()
        for name, figure in figures.items()
    ]
    return _csv(("part", "of", "figure", "value", "low", "high"), rows)


def people_csv(evaluation: Evaluation) -> str:
    """Write a row a person."""
    people = evaluation.people
    return _csv(tuple(people[0]) if people else (), [tuple(row.values()) for row in people])


def _csv(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([[_known(cell) for cell in row] for row in rows])
    return stream.getvalue()


def _known(cell: object) -> object:
    return "" if isinstance(cell, float) and math.isnan(cell) else cell
