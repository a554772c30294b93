"""Anybody's predictions against the labels, and what is said to those that cannot be used."""

from pathlib import Path

import numpy as np
import pytest

from diastole.edge.cli import main
from diastole.edge.errors import BadFile
from diastole.models.commands import EVALUATION_FILES
from diastole.models.datasets import sessions_of
from diastole.models.predictions import read_predictions
from tests.models.test_datasets import make

HEADER = "session,t_s,p_stress,decision"
LABELS = "session,t_start_s,t_end_s,label\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Give a data folder whose recordings nobody needs to open, rest and then stress in each."""
    folder = tmp_path / "data"
    for name, sessions in {
        "stress-predict": ["S01", "S03", "S05"],
        "hongn": ["stress/S01", "stress/S03", "aerobic/S01"],
    }.items():
        make(folder, name, sessions)
        rows = [f"{s},0,300,rest\n{s},300,600,stress\n" for s in sessions]
        (folder / "labels" / f"{name}.csv").write_text(LABELS + "".join(rows))
    return folder


def write(folder: Path, *lines: str, header: str = HEADER) -> Path:
    """Write a file of predictions."""
    path = folder / "predictions.csv"
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def good(*sessions: str) -> list[str]:
    """Give predictions that are mostly right, undecided in between."""
    return [
        line
        for session in sessions
        for line in (
            f"{session},100,0.2,calm",
            f"{session},200,0.55,undecided",
            f"{session},300,,undecided",
            f"{session},400,0.8,stress",
            f"{session},500,0.5,undecided",
            f"{session},330,0.9,stress",
        )
    ]


EVERY = ("S01", "S03", "S05", "hongn/stress/S01", "stress/S03")


def test_windows_take_the_labels_of_their_session(data: Path, tmp_path: Path) -> None:
    judged = read_predictions(write(tmp_path, *good("S01", "stress/S01")), sessions_of(data))
    assert judged.label.tolist() == ["rest", "rest", "rest", "stress", "stress", ""] * 2
    assert judged.person.tolist() == ["stress-predict-s01"] * 6 + ["hongn-s01"] * 6
    assert np.isnan(judged.p).tolist() == [False, False, True, False, False, False] * 2
    assert judged.decided.tolist() == [True, False, False, True, False, True] * 2
    assert judged.able is None


def test_optional_columns_are_taken_where_given(data: Path, tmp_path: Path) -> None:
    header = f"{HEADER},able,grade,reason,other"
    path = write(tmp_path, "S01,100,0.2,calm,True,beats,,x", header=header)
    judged = read_predictions(path, sessions_of(data))
    assert judged.able is not None
    assert judged.able.tolist() == [True]
    assert judged.grade is not None
    assert judged.grade.tolist() == ["beats"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("S01,x,0.5,calm", r"line 2: t_s is 'x'"),
        ("S01,60,1.5,calm", r"line 2: p_stress is 1\.5"),
        ("S01,60,much,calm", r"line 2: p_stress is 'much'"),
        ("S01,60,0.5,stressed", r"line 2: decision is 'stressed'"),
        ("S01,60", r"line 2: decision is ''"),
        ("S02,60,0.5,calm", r"session 'S02' matches no labels"),
        ("aerobic/S03,60,0.5,calm", r"matches no labels"),
    ],
)
def test_what_cannot_be_used_is_said(data: Path, tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(BadFile, match=said):
        read_predictions(write(tmp_path, line), sessions_of(data))


def test_a_name_that_two_sessions_bear_is_refused(data: Path, tmp_path: Path) -> None:
    (data / "labels" / "stress-predict.csv").write_text(f"{LABELS}S07,0,60,rest\n")
    (data / "stress-predict" / "S07.zip").touch()
    with pytest.raises(BadFile, match="matches the labels of hongn/aerobic/S01 and hongn/stress"):
        read_predictions(write(tmp_path, "S01,60,0.5,calm"), sessions_of(data))


def test_a_window_told_twice_is_refused(data: Path, tmp_path: Path) -> None:
    path = write(tmp_path, "S01,60,0.5,calm", "S01,65,0.5,calm", "S01,60.0,0.7,stress")
    with pytest.raises(BadFile, match=r"line 4: a second prediction for S01 at 60 s"):
        read_predictions(path, sessions_of(data))


def test_a_missing_column_is_named(data: Path, tmp_path: Path) -> None:
    path = write(tmp_path, "S01,60,0.5", header="session,t_s,p_stress")
    with pytest.raises(BadFile, match="without the column decision"):
        read_predictions(path, sessions_of(data))


def evaluate(data: Path, predictions: Path, out: Path) -> int:
    """Run the verb."""
    given = ("--data", data, "--predictions", predictions, "--out", out)
    return main(["evaluate", *map(str, given)])


def test_the_verb_prints_and_writes(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert evaluate(data, write(tmp_path, *good(*EVERY)), out) == 0
    told = capsys.readouterr().out
    assert "| AUC over scored windows | 0.750 [" in told
    assert "| balanced accuracy over decided windows | 1.000 [1.00, 1.00]" in told
    assert "elapsed time alone" in told
    assert "stress-predict-s05" in told
    assert sorted(path.name for path in out.iterdir()) == sorted(EVALUATION_FILES)
    assert (out / "evaluation.md").read_text().strip() == told.strip()
    assert len((out / "people.csv").read_text().splitlines()) == 1 + len(EVERY)
    assert "NaN" not in (out / "evaluation.json").read_text()


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (good("S01"), "stress-predict holds one person"),
        (good("S01", "stress/S01", "stress/S03"), "stress-predict holds one person"),
        (["S01,100,0.5,calm", "S03,100,0.5,calm"], "holds only rest"),
        (["S01,330,0.5,calm", "S03,330,0.5,calm"], "holds neither rest nor stress"),
        (["S02,60,0.5,calm"], "matches no labels"),
        ([], "holds no prediction"),
    ],
)
def test_an_evaluation_that_cannot_be_is_one_sentence(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], lines: list[str], said: str
) -> None:
    out = tmp_path / "out"
    assert evaluate(data, write(tmp_path, *lines), out) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize("keep", ["stress-predict", "hongn"])
def test_sessions_of_one_person_are_refused_before_the_work(
    data: Path, capsys: pytest.CaptureFixture[str], keep: str
) -> None:
    other = {"stress-predict": "hongn", "hongn": "stress-predict"}[keep]
    (data / "labels" / f"{other}.csv").unlink()
    labels = data / "labels" / f"{keep}.csv"
    name = {"stress-predict": "S01", "hongn": "stress/S01"}[keep]
    labels.write_text(f"{LABELS}{name},0,300,rest\n{name},300,600,stress\n")
    assert main(["evaluate", "--data", str(data)]) == 2
    assert f"{keep} holds one person" in capsys.readouterr().err
