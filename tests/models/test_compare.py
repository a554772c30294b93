"""Models beside each other: the smallest that is not worse."""

from dataclasses import replace

import numpy as np

from diastole.edge.schema import INPUT_NAMES
from diastole.models.compare import (
    Candidate,
    Compared,
    boosted,
    candidates,
    compare,
    smallest,
    worse,
)
from diastole.models.evaluate import leave_one_person_out
from diastole.models.figures import AUC
from diastole.models.judged import Judged
from diastole.models.metrics import Figure
from diastole.models.table import join_tables
from tests.models import made

ONE = Candidate(INPUT_NAMES[:1], trees=False)
TWO = Candidate(INPUT_NAMES[:2], trees=False)
TREES = Candidate(INPUT_NAMES[:1], trees=True)


def told(right: float) -> Judged:
    """Give what is said of ten people of two sets, right in that share of each one's windows."""
    people = np.repeat([f"p{k}" for k in range(10)], 40)
    stress = np.tile([False, True], 200)
    fooled = np.tile(np.arange(40) >= round(40 * right), 10)
    return Judged(
        data_set=np.where(people < "p5", "a", "b"),
        person=people,
        session=people,
        t_s=np.arange(400, dtype=np.float64),
        label=np.where(stress, "stress", "rest"),
        p=np.where(stress != fooled, 0.9, 0.1),
        decision=np.where(stress != fooled, "stress", "calm"),
    )


def compared(*of: tuple[Candidate, float]) -> list[Compared]:
    """Give candidates that are right in a share of the windows."""
    return [Compared(candidate, told(right), told(right)) for candidate, right in of]


def test_the_smallest_of_equals_is_kept() -> None:
    assert smallest(compared((TWO, 0.9), (TREES, 0.9), (ONE, 0.9))) == ONE


def test_a_smaller_one_that_is_worse_is_not_kept() -> None:
    assert smallest(compared((ONE, 0.8), (TREES, 0.7), (TWO, 0.9))) == TWO


def test_worse_is_whoever_is_drawn() -> None:
    good, bad = told(0.9), told(0.8)
    assert worse(bad, good)
    assert not worse(good, bad)
    assert not worse(good, good)
    one_person = bad.person == "p0"
    mixed = replace(good, p=np.where(one_person, bad.p, good.p))
    assert not worse(mixed, good)  # without p0 there is no difference


def test_every_choice_of_inputs_is_a_candidate_and_the_smallest_come_first() -> None:
    found = candidates()
    assert sum(not each.trees for each in found) == 2 ** len(INPUT_NAMES) - 1
    sizes = [(len(each.inputs), each.trees) for each in found]
    assert sizes == sorted(sizes)
    assert len(set(found)) == len(found)


def test_trees_are_judged_as_ours_are_and_never_by_their_own() -> None:
    visits = [made.person(name, f"p{k}", k, n=900) for name in ("a", "b") for k in range(3)]
    table = join_tables(visits)
    judged = leave_one_person_out(table, boosted(made.NAMES))
    assert judged.scored.all()
    again = leave_one_person_out(table, boosted(made.NAMES))
    assert (judged.p == again.p).all()
    row = compare(table.take(table.task), Candidate(made.NAMES, trees=True)).row("a")
    auc = row[AUC]
    assert isinstance(auc, Figure)
    assert auc.value > 0.6
