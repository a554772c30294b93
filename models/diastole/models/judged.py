"""Windows, what is known of each, and what was said about it: plain columns, whoever said it."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diastole.edge.chunks import Bools, Floats, Ints
from diastole.edge.errors import InputError
from diastole.edge.records import Decision

Texts = NDArray[np.str_]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """N windows with their labels and what was predicted; None for what was not told."""

    data_set: Texts
    person: Texts
    session: Texts
    t_s: Floats
    """Seconds from the session's start to the window's end."""
    label: Texts
    """Empty where no label holds 50 s of the window."""
    p: Floats
    """p(stress) at a prevalence of one half; NaN where there is none."""
    decision: Texts
    """calm, undecided or stress."""
    able: Bools | None = None
    grade: Texts | None = None
    reason: Texts | None = None

    def __len__(self) -> int:
        return len(self.p)

    def take(self, which: Bools | Ints) -> "Judged":
        """Return the chosen windows."""
        columns: dict[str, Any] = {item.name: getattr(self, item.name) for item in fields(self)}
        taken: dict[str, Any] = {
            name: None if c is None else c[which] for name, c in columns.items()
        }
        return Judged(**taken)

    @property
    def stress(self) -> Bools:
        """Which windows are labelled stress."""
        stress: Bools = self.label == "stress"
        return stress

    @property
    def task(self) -> Bools:
        """Which windows are labelled rest or stress."""
        task: Bools = self.stress | (self.label == "rest")
        return task

    @property
    def scored(self) -> Bools:
        """Which windows have a p."""
        return ~np.isnan(self.p)

    @property
    def decided(self) -> Bools:
        """Which windows have a decision."""
        decided: Bools = self.decision != Decision.UNDECIDED
        return decided

    @property
    def says_stress(self) -> Bools:
        """Which windows are called stress."""
        says: Bools = self.decision == Decision.STRESS
        return says


def join_judged(parts: Sequence[Judged]) -> Judged:
    """Return one after the other; a column that one of them lacks is told of none."""
    columns: dict[str, Any] = {}
    for item in fields(Judged):
        each = [getattr(part, item.name) for part in parts]
        columns[item.name] = None if any(c is None for c in each) else np.concatenate(each)
    return Judged(**columns)


def check_two(data_set: Texts, person: Texts, label: Texts) -> None:
    """Raise InputError unless each set has two people, and rest and stress, to tell apart."""
    if not len(label):
        what = "there is no window to evaluate"
        raise InputError(what, "give recordings that have labels")
    for name in np.unique(data_set).tolist():
        tasks = (data_set == name) & np.isin(label, ["rest", "stress"])
        classes, people = (len(np.unique(column[tasks])) for column in (label, person))
        if classes < 2:
            only = f"only {label[tasks][0]}" if classes else "neither rest nor stress"
            what = f"{name} holds {only}"
            raise InputError(what, "an evaluation needs labelled windows of both to tell apart")
        if people < 2:
            what = f"{name} holds one person"
            raise InputError(what, "an evaluation is over people: give two or more")
