"""One recording in, one table out, that says what it came from."""

import hashlib
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from diastole.edge import __version__
from diastole.edge.errors import BadFile
from diastole.edge.replay import observe, replay
from diastole.edge.replay.columns import session_name, slug
from diastole.edge.schema import FEATURE_NAMES, FEATURE_SCHEMA, INPUT_NAMES, INPUT_SCHEMA
from diastole.edge.tables import READING_UNITS, read_columns, read_provenance
from tests.replay.recordings import replayed, rr_text, session
from tests.strategies import START_NS


@pytest.mark.parametrize(
    ("path", "root", "name"),
    [
        ("a/S01.zip", None, "S01"),
        ("a/S01.zip", "a", "S01"),
        ("a/b/S01.csv.gz", "a", "b/S01"),
        ("a/b.c/rr.1.txt", "a", "b.c/rr.1"),
    ],
)
def test_a_session_is_called_by_its_path_without_suffix(
    path: str, root: str | None, name: str
) -> None:
    assert session_name(Path(path), Path(root) if root else None) == name


def test_a_folder_that_is_a_session_keeps_its_whole_name(tmp_path: Path) -> None:
    (tmp_path / "S01.v2").mkdir()
    assert session_name(tmp_path / "S01.v2", tmp_path) == "S01.v2"


@pytest.mark.parametrize(
    ("text", "plain"),
    [("S01", "s01"), ("Müller, day 2!", "m-ller-day-2"), ("--", "unnamed"), ("a/B_c", "a-b-c")],
)
def test_a_subject_is_made_of_it_as_a_pseudonym(text: str, plain: str) -> None:
    assert slug(text) == plain


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_a_table_holds_a_row_a_reading_and_where_it_came_from(tmp_path: Path, suffix: str) -> None:
    source, table = tmp_path / "Walk 1.txt", tmp_path / f"new/out.{suffix}"
    lasts_s = rr_text(source)
    assert replayed(source, "--out", table) == 0
    columns = read_columns(table)
    assert tuple(columns) == tuple(name for name in READING_UNITS if name != "label")
    assert set(columns["session"]) == {"Walk 1"}
    assert set(columns["subject"]) == {"walk-1"}
    assert set(columns["time"]) == {""}  # it has no date
    assert columns["t_s"].tolist() == list(range(5, int(lasts_s) // 5 * 5 + 1, 5))
    assert set(columns["decision"]) == {"undecided"}
    assert columns["reason"][0] in ("too_few_beats", "calibrating")
    assert columns["reason"][-1] == "no_model"
    assert np.isfinite(columns["rmssd_ms"][-1])
    assert set(columns["simulated"]) == {False}
    about = read_provenance(table)
    assert about["input"] == "Walk 1.txt"
    assert about["input_sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert (about["diastole"], about["format"], about["clock"]) == (
        __version__,
        "rr-text",
        "relative",
    )
    assert about["engine"].startswith("vectorised")
    assert (about["feature_schema"], about["input_schema"]) == (FEATURE_SCHEMA, INPUT_SCHEMA)
    assert about["model_sha256"] == ""
    assert '"min_coverage":0.3' in about["rules"]


def test_a_recording_with_a_date_tells_the_time(tmp_path: Path) -> None:
    source, table = tmp_path / "s.jsonl", tmp_path / "t.csv"
    session(source, "p1", begin_min=1)
    assert replayed(source, "--out", table, "--engine", "neurokit") == 0
    columns = read_columns(table)
    assert set(columns["subject"]) == {"p1"}
    assert START_NS == 1_700_000_040 * 10**9  # 2023-11-14T22:14:00Z
    assert columns["time"][0] == "2023-11-14T22:15:05.000+00:00"
    assert columns["t_s"][0] == 5
    assert read_provenance(table)["engine"].startswith("neurokit")


def test_a_subject_may_be_given(tmp_path: Path) -> None:
    source, people = tmp_path / "s.jsonl", tmp_path / "people.csv"
    session(source, "p1")
    people.write_text("session,subject\nother,p3\ns,p2\n")
    assert replayed(source, "--out", tmp_path / "a.csv", "--subjects", people) == 0
    assert replayed(source, "--out", tmp_path / "b.csv", "--subject", "p9") == 0
    assert set(read_columns(tmp_path / "a.csv")["subject"]) == {"p2"}
    assert set(read_columns(tmp_path / "b.csv")["subject"]) == {"p9"}


@pytest.mark.parametrize(
    ("table", "beats"), [("t.csv", "t.beats.csv"), ("t.parquet", "t.beats.parquet")]
)
def test_every_beat_stands_beside_the_table(tmp_path: Path, table: str, beats: str) -> None:
    source = tmp_path / "s.jsonl"
    chunk = session(source)
    assert replayed(source, "--out", tmp_path / table, "--beats") == 0
    columns = read_columns(tmp_path / beats)
    assert tuple(columns) == ("t_s", "rr_ms", "kind", "device", "accepted", "reason")
    np.testing.assert_array_equal(columns["rr_ms"], chunk.beats["rr_ms"])
    np.testing.assert_allclose(columns["t_s"], (chunk.beats["time_ns"] - START_NS) / 1e9)
    np.testing.assert_array_equal(columns["accepted"], columns["reason"] == "")
    assert set(columns["kind"]) == {"rr"}
    assert read_provenance(tmp_path / beats) == read_provenance(tmp_path / table)


def test_labels_become_a_column(tmp_path: Path) -> None:
    source, labels = tmp_path / "s.jsonl", tmp_path / "labels.csv"
    session(source)
    labels.write_text("session,t_start_s,t_end_s,label\ns,0,100,rest\nt,0,300,stress\n")
    assert replayed(source, "--out", tmp_path / "t.csv", "--labels", labels) == 0
    columns = read_columns(tmp_path / "t.csv")
    labelled = columns["t_s"][columns["label"] == "rest"]
    assert labelled.tolist() == list(range(50, 115, 5))  # 50 s of the window lie in it
    assert set(columns["label"]) == {"rest", ""}


def test_force_replaces_and_nothing_else_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, table = tmp_path / "s.jsonl", tmp_path / "t.csv"
    session(source)
    table.write_text("mine")
    assert replayed(source, "--out", table) == 2
    assert table.read_text() == "mine"
    assert "--force" in capsys.readouterr().err
    assert replayed(source, "--out", table, "--force") == 0
    assert len(read_columns(table)["t_s"]) > 40


def test_a_person_can_read_the_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rr_text(tmp_path / "mine.txt")
    assert replayed(tmp_path / "mine.txt") == 0
    out = capsys.readouterr().out
    for word in ("mine", "worn", "heart rate", "RMSSD", "undecided"):
        assert word in out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.txt"]


def test_a_notebook_gets_an_arrow_table(tmp_path: Path) -> None:
    session(tmp_path / "s.jsonl", "p1")
    table = replay(tmp_path / "s.jsonl", model="none")
    assert set(FEATURE_NAMES) | set(INPUT_NAMES) <= set(table.column_names)
    assert table.schema.field("rmssd_ms").metadata[b"unit"] == b"ms"
    assert table.schema.metadata[b"feature_schema"] == FEATURE_SCHEMA.encode()
    assert set(table["subject"].to_pylist()) == {"p1"}
    assert str(table.schema.field("time").type) == "timestamp[ms, tz=UTC]"
    assert table["p_stress"].null_count == len(table)
    with pytest.raises(BadFile, match="nowhere"):
        replay(tmp_path / "nowhere.txt", model="none")


def test_what_is_taken_away_is_not_observed(tmp_path: Path) -> None:
    from dataclasses import replace

    session(tmp_path / "s.jsonl")
    whole = observe(tmp_path / "s.jsonl")
    still = observe(tmp_path / "s.jsonl", alter=lambda c: replace(c, motions=c.motions[:0]))
    assert np.isfinite(whole.observations.rows["activity_mg"]).all()
    assert np.isnan(still.observations.rows["activity_mg"]).all()
    np.testing.assert_array_equal(whole.t_s, still.t_s)


FULL: dict[str, Callable[[Path], list[str]]] = {
    "table": lambda here: ["--out", str(here / "t.csv")],
    "parquet": lambda here: ["--out", str(here / "t.parquet")],
    "state": lambda here: ["--state", str(here / "state")],
}


@pytest.mark.parametrize("what", FULL)
def test_law_12_a_full_disk_is_a_sentence_and_leaves_nothing(tmp_path: Path, what: str) -> None:
    session(tmp_path / "s.jsonl")

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    words = ["replay", str(tmp_path / "s.jsonl"), "--model", "none", *FULL[what](tmp_path)]
    told = subprocess.run(
        [sys.executable, "-B", "-m", "diastole", *words],
        capture_output=True,
        text=True,
        preexec_fn=small_files,
        check=False,
    )
    assert told.returncode == 2
    assert told.stderr.count("\n") == 1
    assert "the disk is full" in told.stderr
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["s.jsonl"]
