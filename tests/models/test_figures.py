"""Figures from plain columns, worked by hand, and how they are written."""

import csv
import io
import json

import numpy as np
import pytest

from diastole.edge.errors import InputError
from diastole.models.evaluate import judged_by, leave_one_person_out, linear
from diastole.models.figures import Figures, discrimination, people, shares, under_exercise
from diastole.models.judged import Judged, check_two, join_judged
from diastole.models.metrics import Figure
from diastole.models.report import Evaluation, as_csv, as_json, markdown
from tests.models import made

LABEL = ["rest", "rest", "rest", "stress", "stress", "exercise", ""]
P = [0.2, 0.5, np.nan, 0.9, 0.3, 0.8, 0.9]
DECISION = ["calm", "undecided", "undecided", "stress", "calm", "stress", "stress"]
GRADE = ["beats", "heart_rate", "beats", "beats", "heart_rate", "beats", "beats"]
REASON = ["", "uncertain", "exertion", "", "", "", ""]


def judged(people: int = 2, *, plain: bool = False) -> Judged:
    """Give seven windows of each person; ``plain`` without what a replay adds."""
    n = 7 * people
    more = {} if plain else {"grade": np.tile(GRADE, people), "reason": np.tile(REASON, people)}
    return Judged(
        data_set=np.full(n, "a"),
        person=np.repeat([f"p{k}" for k in range(people)], 7),
        session=np.repeat([f"a/s{k}" for k in range(people)], 7),
        t_s=np.tile(np.arange(60.0, 95, 5), people),
        label=np.tile(LABEL, people),
        p=np.tile(P, people),
        decision=np.tile(DECISION, people),
        **more,
    )


def values(found: dict[str, Figure | float]) -> dict[str, float]:
    """Return what the figures are, without their intervals."""
    return {k: f.value if isinstance(f, Figure) else f for k, f in found.items()}


def test_discrimination_is_of_what_is_scored_and_decided() -> None:
    found = values(discrimination(judged()))
    # 0.9 beats both, 0.3 beats 0.2 alone
    assert found["AUC over scored windows"] == pytest.approx(3 / 4)
    # of two decided stress windows one is found, the one decided rest window is left alone
    assert found["balanced accuracy over decided windows"] == pytest.approx(3 / 4)
    assert found["AUC, grade beats"] == 1
    assert found["AUC, grade heart rate alone"] == 0
    assert found["scored with grade beats, of rest and stress windows"] == pytest.approx(2 / 5)


def test_shares_stand_apart_for_rest_and_stress() -> None:
    found = values(shares(judged()))
    assert found["scored, of rest windows"] == pytest.approx(2 / 3)
    assert found["scored, of stress windows"] == 1
    assert found["decided, of rest windows"] == pytest.approx(1 / 3)
    assert found["decided, of rest and stress windows"] == pytest.approx(3 / 5)
    assert not any(name.startswith("able") for name in found)


def test_exertion_is_told_of_both_sides() -> None:
    found = values(under_exercise(judged()))
    assert found == {
        "exercise windows decided stress": 1,
        "rest windows lost to exertion": pytest.approx(1 / 3),
        "stress windows lost to exertion": 0,
    }


def test_what_was_not_told_makes_no_figure() -> None:
    plain = judged(plain=True)
    assert not any("grade" in name for name in discrimination(plain))
    assert list(under_exercise(plain)) == ["exercise windows decided stress"]


def test_a_person_a_row() -> None:
    rows = people(judged(3))
    assert [row["person"] for row in rows] == ["p0", "p1", "p2"]
    assert rows[0] == {
        "data_set": "a",
        "person": "p0",
        "rest_windows": 3,
        "stress_windows": 2,
        "scored": pytest.approx(4 / 5),
        "decided": pytest.approx(3 / 5),
        "auc": pytest.approx(3 / 4),
        "stress_found": pytest.approx(1 / 2),
        "rest_left_alone": 1,
    }


def test_parts_keep_the_columns_that_all_of_them_have() -> None:
    joined = join_judged([judged(1), judged(1, plain=True)])
    assert len(joined) == 14
    assert joined.grade is None
    assert join_judged([judged(1), judged(1)]).grade is not None


def test_what_a_replay_says_becomes_the_plain_columns() -> None:
    table = made.table()
    table.observations.rows["exertion"][3] = True
    said = judged_by(linear(made.NAMES)(table, []), table)
    assert said.reason is not None
    assert said.able is not None
    assert said.reason[3] == "exertion"
    assert ((said.reason == "") == said.decided).all()
    assert (said.able <= said.decided).all()
    apart = leave_one_person_out(table, linear(made.NAMES))
    assert (apart.t_s == table.t_s).all()
    assert (apart.person == table.person).all()


@pytest.mark.parametrize(
    ("data_set", "person", "label", "said"),
    [
        ([], [], [], "no window"),
        (["a", "a"], ["p", "p"], ["rest", "stress"], "a holds one person"),
        (["a", "a"], ["p", "q"], ["rest", "rest"], "a holds only rest"),
        (["a", "a"], ["p", "q"], ["other", ""], "a holds neither"),
        (["a", "a", "b"], ["p", "q", "r"], ["rest", "stress", "rest"], "b holds only rest"),
    ],
)
def test_too_little_to_tell_apart_is_said(
    data_set: list[str], person: list[str], label: list[str], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        check_two(*(np.array(column, np.str_) for column in (data_set, person, label)))


def test_every_figure_is_written_with_its_interval() -> None:
    own: Figures = {"AUC": Figure(0.7, 0.6, 0.8), "error": 0.05, "none": float("nan")}
    lost: Figures = {
        "AUC lost": Figure(0.2, 0.1, 0.3),
        "elapsed time alone: AUC lost": Figure(0.3, 0.2, 0.4),
    }
    evaluation = Evaluation(
        "title", "by whom.", {"a": own}, people(judged()), orders={"late start": {"a": lost}}
    )
    rows = list(csv.DictReader(io.StringIO(as_csv(evaluation))))
    assert rows[0] == {
        "part": "set",
        "of": "a",
        "figure": "AUC",
        "value": "0.7",
        "low": "0.6",
        "high": "0.8",
    }
    assert rows[1]["low"] == ""
    assert rows[2]["value"] == ""
    told = json.loads(as_json(evaluation))
    assert told["by_set"]["a"]["AUC"] == {"value": 0.7, "low": 0.6, "high": 0.8}
    assert told["by_set"]["a"]["none"] is None
    text = markdown(evaluation)
    assert "| AUC | 0.700 [0.60, 0.80] |" in text
    assert "a: BREAKS the law" in text
