"""No clock inside the model: what is lost when the session's order is no help.

The law: with the first task moved to the front, or a start at its end, our AUC loses at most a
third of what elapsed time alone loses. It is only as strong as what elapsed time loses.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Final

import numpy as np

from diastole.edge.chunks import Floats
from diastole.edge.labels import Segment, read_labels
from diastole.edge.schema import WINDOW_S
from diastole.models.clock import elapsed_time
from diastole.models.datasets import LabelledSession
from diastole.models.figures import Figures
from diastole.models.judged import Judged
from diastole.models.metrics import Figure, figure, pairs
from diastole.models.reorder import (
    Piece,
    first_task,
    late_start,
    moved,
    moved_labels,
    task_first,
)
from diastole.models.table import Table, join_tables, table_of

Orders = dict[str, Table]
ORDERS: Final[dict[str, Callable[[Segment], tuple[Piece, ...]]]] = {
    "first task moved to the front": task_first,
    "late start": late_start,
}
MOST: Final = 1 / 3
"""Share of what elapsed time loses that may be lost."""


def observe_orders(sessions: Sequence[LabelledSession], jobs: int) -> Orders:
    """Observe the sessions that hold a task in each of the other orders."""
    holding = [s for s in sessions if first_task(read_labels(s.labels).of(s.path)) is not None]
    with ProcessPoolExecutor(jobs) as pool:
        return {
            name: join_tables(list(pool.map(partial(observe_in_order, name), holding)))
            for name in ORDERS
        }


def observe_in_order(order: str, session: LabelledSession) -> Table:
    """Observe one session in another order; none of its windows where it holds no task."""
    from diastole.edge.formats.finding import open_recording
    from diastole.edge.replay.walk import observe_recording

    segments = read_labels(session.labels).of(session.path)
    task = first_task(segments)
    pieces = ORDERS[order](task) if task is not None else ()
    seen = observe_recording(moved(open_recording(session.path), pieces))
    return table_of(session, seen, moved_labels(segments, pieces))


def losses_by_set(plain: Judged, other: Judged, left: Judged) -> dict[str, Figures]:
    """Return the losses of each set; ``left``: the recorded windows that a late start leaves."""
    found = {}
    for name in np.unique(plain.data_set).tolist():
        own, moved_there, same = (j.take(j.data_set == name) for j in (plain, other, left))
        same = same.take(same.task & same.scored & np.isin(same.session, moved_there.session))
        (clock,) = elapsed_time(own.take(own.task & own.scored), same)
        found[name] = {
            **losses(own, moved_there),
            "AUC as recorded, after the first task": _auc(same, same.p),
            "elapsed time alone: AUC as recorded, after the first task": _auc(same, clock),
        }
    return found


def after_first_task(judged: Judged, sessions: Sequence[LabelledSession]) -> Judged:
    """Return the windows that lie wholly after their session's first task."""
    begins = np.full(len(judged), np.inf)
    for session in sessions:
        task = first_task(read_labels(session.labels).of(session.path))
        if task is not None:
            begins[judged.session == f"{session.data_set}/{session.name}"] = task.t_end_s
    return judged.take(judged.t_s - WINDOW_S >= begins)


def losses(plain: Judged, other: Judged) -> Figures:
    """Return what AUC is lost from one order of the same sessions to the other, elapsed time's too.

    Both are of the windows scored in each order, of the people who have some in both.
    """
    plain, other = (each.take(each.task & each.scored) for each in (plain, other))
    plain = plain.take(np.isin(plain.session, other.session))
    both = np.intersect1d(plain.person, other.person)
    plain, other = (each.take(np.isin(each.person, both)) for each in (plain, other))
    before, after = elapsed_time(plain, plain, other)
    ours = _loss(plain, plain.p, other, other.p)
    clock = _loss(plain, before, other, after)
    return {
        "AUC as recorded": _auc(plain, plain.p),
        "AUC in this order": _auc(other, other.p),
        "elapsed time alone: AUC as recorded": _auc(plain, before),
        "elapsed time alone: AUC in this order": _auc(other, after),
        "AUC lost": ours,
        "elapsed time alone: AUC lost": clock,
        "AUC lost, of what elapsed time loses": float(np.divide(ours.value, clock.value or np.nan)),
    }


def keeps_law(found: Figures) -> bool:
    """Whether at most a third is lost of what elapsed time loses."""
    ours, clock = found["AUC lost"], found["elapsed time alone: AUC lost"]
    return float(_value(ours)) <= MOST * max(float(_value(clock)), 0.0)


def _value(of: Figure | float) -> float:
    return of.value if isinstance(of, Figure) else of


def _auc(judged: Judged, p: Floats) -> Figure:
    found = pairs(p, judged.stress, judged.person)
    return figure(found.auc, len(found.stress))


def _loss(plain: Judged, before: Floats, other: Judged, after: Floats) -> Figure:
    """Return the loss with its interval over people, each drawn into both orders alike."""
    first = pairs(before, plain.stress, plain.person)
    then = pairs(after, other.stress, other.person)
    return figure(lambda drawn: first.auc(drawn) - then.auc(drawn), len(first.stress))
