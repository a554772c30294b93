"""Episodes of a recording: beside its table, in the summary, and of a folder in one table."""

from pathlib import Path

import numpy as np
import pytest

from diastole.edge.cli import main
from diastole.edge.formats.recorder import write
from diastole.edge.formats.session import Header
from diastole.edge.replay.episodes import episode_columns, join_episodes
from diastole.edge.tables import EPISODE_UNITS, read_columns
from tests.strategies import START_NS, Stretch, recording

STIRRED = (Stretch(12, 62, 40, 4), Stretch(5, 78, 12, 6), Stretch(8, 62, 40, 4))


def stirred(path: Path, seed: int = 0) -> None:
    """Write a calm wearer, five minutes of strain, and calm again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, Header(start_ns=START_NS), [recording(*STIRRED, seed=seed)])


def replayed(*words: str | Path) -> int:
    """Run ``diastole replay`` with the shipped model."""
    return main(["replay", *map(str, words)])


@pytest.mark.parametrize(
    ("table", "beside"), [("t.csv", "t.episodes.csv"), ("t.parquet", "t.episodes.parquet")]
)
def test_they_stand_beside_the_table_and_in_the_summary(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], table: str, beside: str
) -> None:
    stirred(tmp_path / "s.jsonl")
    assert replayed(tmp_path / "s.jsonl", "--out", tmp_path / table) == 0
    told = capsys.readouterr()
    assert "episodes of strain: 1, 1 told" in told.out
    assert beside in told.err
    found = read_columns(tmp_path / beside)
    assert tuple(found) == tuple(EPISODE_UNITS)
    assert found["session"].tolist() == ["s"]
    (start,), (known,), (end,) = (found[n] for n in ("t_start_s", "t_told_s", "t_end_s"))
    assert 720 < start < 780
    assert start < known <= start + 180
    assert 990 < end < 1080
    readings = read_columns(tmp_path / table)
    assert readings["decision"][readings["t_s"] == start].tolist() == ["stress"]
    assert found["peak_p"] >= found["mean_p"]
    assert found["end_reason"].tolist() == ["calm"]
    assert "above your normal while still" in found["drivers"][0]


def test_a_folder_has_them_in_one_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("b", "a/c"):
        stirred(tmp_path / f"in/{name}.jsonl", seed=len(name))
    (tmp_path / "in/bad.txt").write_text("no beats\n")
    assert replayed(tmp_path / "in", "--out", tmp_path / "out", "--jobs", "2") == 0
    assert "episodes.csv" in capsys.readouterr().out
    found = read_columns(tmp_path / "out/episodes.csv")
    assert found["session"].tolist() == ["a/c", "b"]
    summary = read_columns(tmp_path / "out/summary.csv")
    assert summary["episodes"].tolist() == [1, 1, 0]
    assert summary["notices"].tolist() == [1, 1, 0]


def test_without_a_model_there_are_none_to_write(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stirred(tmp_path / "s.jsonl")
    assert replayed(tmp_path / "s.jsonl", "--out", tmp_path / "t.csv", "--model", "none") == 0
    assert "episodes" not in capsys.readouterr().out
    assert not (tmp_path / "t.episodes.csv").exists()


def test_what_exists_is_not_overwritten(tmp_path: Path) -> None:
    stirred(tmp_path / "s.jsonl")
    (tmp_path / "t.episodes.csv").write_text("mine")
    assert replayed(tmp_path / "s.jsonl", "--out", tmp_path / "t.csv") == 2
    assert not (tmp_path / "t.csv").exists()
    assert (tmp_path / "t.episodes.csv").read_text() == "mine"


def test_none_are_a_table_too() -> None:
    none = join_episodes([episode_columns((), session="s", start_ns=0, simulated=False)] * 2)
    assert {name: len(column) for name, column in none.items()} == dict.fromkeys(EPISODE_UNITS, 0)
    assert none["notify"].dtype == np.bool_
