"""Every window of every labelled session, observed once: what is trained on and judged."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from diastole.edge.chunks import Bools, Floats, Ints
from diastole.edge.labels import Segment, label_windows, read_labels
from diastole.edge.pipeline.judge import judge
from diastole.edge.pipeline.observations import REASONS, Observations, join_observations
from diastole.edge.pipeline.rules import Rules
from diastole.edge.records import Reason
from diastole.edge.schema import WINDOW_S
from diastole.models.datasets import LabelledSession
from diastole.models.judged import Texts

if TYPE_CHECKING:
    from diastole.edge.replay import Session


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """N windows in the order of sessions and time."""

    observations: Observations
    t_s: Floats
    """Seconds from the session's start to the window's end."""
    label: Texts
    """Empty where no label holds 50 s of the window."""
    data_set: Texts
    person: Texts
    session: Texts
    """``SET/NAME``, as the set's label file names it."""

    def __len__(self) -> int:
        return len(self.label)

    def take(self, which: Bools | Ints) -> "Table":
        """Return the chosen windows."""
        return Table(
            self.observations.take(which),
            self.t_s[which],
            self.label[which],
            self.data_set[which],
            self.person[which],
            self.session[which],
        )

    def inputs(self, names: Sequence[str]) -> Floats:
        """Return the inputs as columns in this order."""
        return np.column_stack([self.observations.input(name) for name in names])

    @property
    def stress(self) -> Bools:
        """Whether the window is labelled stress."""
        stress: Bools = self.label == "stress"
        return stress

    @property
    def task(self) -> Bools:
        """Whether the window is labelled rest or stress."""
        task: Bools = self.stress | (self.label == "rest")
        return task

    def judgeable(self) -> Bools:
        """Return which windows lack nothing but a model."""
        reason = judge(self.observations, None, Rules()).reason
        able: Bools = reason == REASONS.index(Reason.NO_MODEL)
        return able


def observe_session(session: LabelledSession) -> Table:
    """Observe one recording and put its labels beside its windows."""
    from diastole.edge.replay import observe

    return table_of(session, observe(session.path), read_labels(session.labels).of(session.path))


def table_of(session: LabelledSession, seen: "Session", segments: Sequence[Segment]) -> Table:
    """Return what was observed of a session, with these labels."""
    n = len(seen.observations)
    return Table(
        seen.observations,
        seen.t_s,
        label_windows(segments, seen.t_s, np.full(n, float(WINDOW_S))),
        np.full(n, session.data_set),
        np.full(n, session.person),
        np.full(n, f"{session.data_set}/{session.name}"),
    )


def observe_sessions(sessions: Sequence[LabelledSession], jobs: int) -> Table:
    """Observe many recordings, ``jobs`` at a time; the table does not depend on how many."""
    with ProcessPoolExecutor(jobs) as pool:
        return join_tables(list(pool.map(observe_session, sessions)))


def join_tables(parts: Sequence[Table]) -> Table:
    """Return one after the other."""
    return Table(
        join_observations([part.observations for part in parts]),
        np.concatenate([part.t_s for part in parts]),
        np.concatenate([part.label for part in parts]),
        np.concatenate([part.data_set for part in parts]),
        np.concatenate([part.person for part in parts]),
        np.concatenate([part.session for part in parts]),
    )
