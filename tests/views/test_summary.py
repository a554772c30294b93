"""A summary says what the table holds, in words that describe the body."""

import io
import math

import numpy as np
import pytest
from rich.console import Console

from diastole.edge.records import Decision, Reason, Verdict
from diastole.edge.views.summary import cohort_row, summary
from diastole.edge.views.words import DECISION_WORDS, REASON_WORDS, VERDICT_WORDS, percent, said
from tests.views.wearer import Columns, lab_hour


def shown(columns: Columns, notes: tuple[str, ...] = ()) -> list[str]:
    text = io.StringIO()
    console = Console(file=text, width=120, color_system=None)
    console.print(summary(columns, title="lab/S01 [red]", notes=notes))
    return [" ".join(line.split()) for line in text.getvalue().splitlines()]


def test_it_adds_up_worn_time_and_what_was_said() -> None:
    columns, _ = lab_hour()
    lines = shown(columns)
    rows = len(columns["t_s"])
    stress = int((columns["decision"] == "stress").sum())
    assert lines[0] == "lab/S01 [red]"
    assert f"worn {rows / 12:.1f} min, 2024-05-03 07:30 to 08:30 UTC" in lines
    assert f"stress-like {stress / 12:.1f} min ({stress / rows:.0%})" in lines
    assert "body at work or recovering 10.0 min (18%)" in lines
    assert any(line.startswith("normal 61-71 bpm: below 1%") for line in lines)
    assert "device wrist, SIMULATED" in lines
    assert "model 3f2a9c01d4e5" in lines
    assert lines[-1].endswith("not a medical device. How the wearer feels counts more.")


def test_it_sets_what_was_said_beside_the_labels() -> None:
    lines = shown(lab_hour()[0])
    assert lines.index("label minutes calm undecided stress-like") > 0
    assert "exercise 10.0 0% 100% 0%" in lines
    unlabelled = {name: column for name, column in lab_hour()[0].items() if name != "label"}
    assert not any(line.startswith("label") for line in shown(unlabelled))


def test_it_says_what_is_missing() -> None:
    columns, _ = lab_hour()
    nothing = np.full(len(columns["t_s"]), np.nan)
    columns |= dict.fromkeys(("rmssd_ms", "activity_mg", "normal_hr_low_bpm"), nothing)
    columns["model"] = np.full(len(nothing), "")
    lines = shown(columns, notes=("a second header in mid-file",))
    assert "RMSSD never measurable" in lines
    assert "normal not learned" in lines
    assert any("no motion" in line for line in lines)
    assert "model none: every reading is undecided" in lines
    assert "note: a second header in mid-file" in lines


def test_each_device_is_told_apart() -> None:
    columns, _ = lab_hour()
    columns["device"] = np.where(np.arange(len(columns["t_s"])) % 2, "strap", "wrist")
    lines = shown(columns)
    assert {"device strap, SIMULATED", "device wrist, SIMULATED"} <= set(lines)


def test_a_session_without_readings_is_said() -> None:
    empty = {name: column[:0] for name, column in lab_hour()[0].items()}
    assert any("no readings" in line for line in shown(empty))


def test_a_row_among_many_adds_up() -> None:
    columns, _ = lab_hour()
    row = cohort_row(columns, session="lab/S01", subject="s01", notes=("one", "two"))
    undecided = sum(float(row[f"undecided_{reason}_min"]) for reason in Reason)
    spoken = float(row["calm_min"]) + float(row["stress_min"])
    assert spoken + undecided == pytest.approx(float(row["worn_min"]), abs=0.1)
    assert row["decided_share"] == pytest.approx(spoken / float(row["worn_min"]), abs=1e-3)
    assert row["hr_median_bpm"] == pytest.approx(np.nanmedian(columns["hr_mean_bpm"]), abs=1e-3)
    assert (row["device"], row["notes"], row["error"]) == ("wrist", "one; two", "")


def test_a_row_of_a_session_that_failed_has_the_same_columns() -> None:
    failed = cohort_row({}, session="lab/S02", subject="s02", error="truncated")
    assert list(failed) == list(cohort_row(lab_hour()[0], session="a", subject="b"))
    assert failed["worn_min"] == 0
    assert math.isnan(float(failed["hr_median_bpm"]))
    assert failed["error"] == "truncated"


def test_every_decision_reason_and_verdict_has_its_words() -> None:
    assert set(DECISION_WORDS) == set(Decision)
    assert set(REASON_WORDS) == set(Reason)
    assert set(VERDICT_WORDS) == set(Verdict) - {Verdict.ACCEPTED}
    assert said("undecided", "asleep") == "undecided: asleep"
    assert said("stress", "") == "stress-like"


def test_what_is_not_quite_nothing_is_not_called_nothing() -> None:
    assert percent(np.arange(1000) == 0) == "<1%"
    assert percent(np.zeros(5, np.bool_)) == "0%"
    assert percent(np.zeros(0, np.bool_)) == "0%"
