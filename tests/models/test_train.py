"""Who a model learns from, and that nobody is judged by a model that knows them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from diastole.edge.errors import InputError
from diastole.edge.pipeline.scoring import read_model
from diastole.edge.schema import INPUT_NAMES, UNCERTAIN
from diastole.models.card import card
from diastole.models.clock import elapsed_time
from diastole.models.datasets import HELD_OUT_FOR_DEMO
from diastole.models.evaluate import across, figures, judged_by, leave_one_person_out, linear
from diastole.models.metrics import Figure
from diastole.models.table import Table
from diastole.models.train import train, training_rows
from tests.models import made

NAMES = ("hr_above_normal", "hr_rise_1h")


def relabelled(table: Table, who: str) -> Table:
    """Give the same table with one person's rest and stress exchanged."""
    other = {"rest": "stress", "stress": "rest"}
    own = table.person == who
    label = [
        other.get(name, name) if mine else name for name, mine in zip(table.label, own, strict=True)
    ]
    return replace(table, label=np.array(label))


def test_the_same_table_gives_the_same_bytes() -> None:
    assert train(made.table(), NAMES) == train(made.table(), NAMES)


def test_the_file_tells_who_is_in_it() -> None:
    about = read_model(train(made.table(), NAMES), Path("m")).metadata
    assert [(seen.data_set, seen.people, seen.windows) for seen in about.trained] == [
        ("hongn", 3, 120),
        ("stress-predict", 4, 160),
    ]
    assert about.left_out == (HELD_OUT_FOR_DEMO,)
    assert about.prevalence == 0.5
    assert [(item.name, item.unit) for item in about.inputs] == [
        ("hr_above_normal", "spread"),
        ("hr_rise_1h", "ln"),
    ]


def test_the_file_opens_on_old_runtimes_and_is_small() -> None:
    content = train(made.table(), NAMES)
    found = onnx.load_from_string(content)
    assert (found.opset_import[0].version, found.ir_version) == (17, 8)
    assert {node.op_type for node in found.graph.node} == {
        *("IsNaN", "Where", "Sub", "Div", "MatMul", "Add", "Sigmoid")
    }
    assert len(content) < 4000


def test_the_person_of_the_demo_changes_no_bit_of_any_model() -> None:
    table = made.table()
    assert HELD_OUT_FOR_DEMO in table.person
    assert train(relabelled(table, HELD_OUT_FOR_DEMO), NAMES) == train(table, NAMES)
    others = table.person != HELD_OUT_FOR_DEMO
    told = leave_one_person_out(relabelled(table, HELD_OUT_FOR_DEMO), linear(NAMES)).p
    assert (told[others] == leave_one_person_out(table, linear(NAMES)).p[others]).all()


@pytest.mark.parametrize("who", ["stress-predict-s03", "hongn-f01"])
def test_nobody_s_own_labels_reach_what_is_said_about_them(who: str) -> None:
    table = made.table()
    other = relabelled(table, who)
    own = table.person == who
    ours, theirs = (
        leave_one_person_out(table, linear(NAMES)),
        leave_one_person_out(other, linear(NAMES)),
    )
    assert (ours.p[own] == theirs.p[own]).all()
    assert (ours.p[~own] != theirs.p[~own]).any()  # the labels do reach the others
    fit = linear(NAMES)(table, [])
    plain, exchanged = (judged_by(fit, each.take(each.task)) for each in (table, other))
    (clock,), (otherwise,) = elapsed_time(plain, plain), elapsed_time(exchanged, exchanged)
    assert (clock == otherwise)[own[table.task]].all()


def test_a_model_of_one_set_has_not_seen_the_other() -> None:
    table = made.table()
    away = across(table, linear(NAMES), "hongn")
    assert set(away.data_set) == {"stress-predict"}
    swapped = relabelled(relabelled(table, "stress-predict-s01"), "stress-predict-s05")
    assert (away.p == across(swapped, linear(NAMES), "hongn").p).all()


def test_only_windows_that_lack_nothing_but_a_model_are_learned_from() -> None:
    table = made.table()
    n = len(table)
    first = np.flatnonzero(table.person == "hongn-f01")[:6]
    rows = table.observations.rows
    rows["asleep"][first[0]] = True
    rows["exertion"][first[1]] = True
    rows["coverage"][first[2:4]] = 1.1, 0.29
    rows["normal_status"][first[4]] = 0
    table.observations.inputs[first[5], INPUT_NAMES.index("hr_rise_1h")] = np.nan
    left = training_rows(table)
    assert len(left) == 2 * n // 3 - 40 - 6
    assert set(left.label) == {"rest", "stress"}


def test_figures_of_people_who_can_be_told_apart() -> None:
    by_set, transfer = figures(made.table(), NAMES)
    assert list(by_set) == ["hongn", "stress-predict"]
    assert list(transfer) == ["hongn → stress-predict", "stress-predict → hongn"]
    for found in by_set.values():
        auc, scored = found["AUC over scored windows"], found["scored, of rest and stress windows"]
        assert isinstance(auc, Figure)
        assert isinstance(scored, Figure)
        assert auc.value > 0.85
        assert scored.value == 1
        clock = found["elapsed time alone: AUC"]
        assert isinstance(clock, Figure)
        assert clock.value == 1  # rest first, in everybody


def test_undecided_windows_count_in_no_accuracy_but_in_the_shares() -> None:
    judged = leave_one_person_out(made.table(), linear(NAMES))
    calm, stress = judged.decided & ~judged.says_stress, judged.says_stress
    near = (judged.p >= UNCERTAIN[0]) & (judged.p <= UNCERTAIN[1])
    assert near.any()
    assert not (near & (calm | stress)).any()
    assert (stress <= (judged.p > UNCERTAIN[1])).all()
    assert (calm <= (judged.p < UNCERTAIN[0])).all()


def test_the_card_names_sets_people_figures_and_limits() -> None:
    table = made.table()
    model = read_model(train(table, NAMES), Path("m"))
    text = card(model.metadata, model.hash, *figures(table, NAMES))
    for part in (model.hash[:12], HELD_OUT_FOR_DEMO, "10.13026/he0v-tf17", "10.3390/s22218135"):
        assert part in text
    assert "| AUC over scored windows | 0." in text
    assert "nan" not in text.split("AUC, grade heart rate alone")[0]


@pytest.mark.parametrize("label", ["rest", "stress", "other"])
def test_one_label_alone_is_nothing_to_learn_from(label: str) -> None:
    table = made.table()
    with pytest.raises(InputError, match="both rest and stress"):
        train(replace(table, label=np.full(len(table), label)), NAMES)
