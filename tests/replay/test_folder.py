"""A folder of recordings: a table each, one bad file costs the others nothing."""

from pathlib import Path

import numpy as np
import pytest

from diastole.edge.tables import read_columns, read_provenance
from tests.replay.recordings import replayed, rr_text, session

HAVE = 12


def test_one_bad_file_costs_the_others_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given, out = tmp_path / "in", tmp_path / "out"
    rr_text(given / "a.txt")
    rr_text(given / "deep/er/b.txt", seed=1)
    session(given / "deep/c.jsonl", "p1")
    (given / "bad.txt").write_text("no beats in here\n")
    assert replayed(given, "--out", out, "--jobs", "2", "--beats") == 0
    told = capsys.readouterr()
    assert "bad.txt" in told.err
    assert "3 of 4 sessions" in told.out
    rows = read_columns(out / "summary.csv")
    assert rows["session"].tolist() == ["a", "bad", "deep/c", "deep/er/b"]
    assert rows["subject"].tolist() == ["a", "", "p1", "deep-er-b"]
    assert [bool(error) for error in rows["error"]] == [False, True, False, False]
    assert "bad.txt" in rows["error"][1]
    assert (rows["worn_min"][[0, 2, 3]] > 3).all()
    assert rows["worn_min"][1] == 0
    for name in ("a", "deep/c", "deep/er/b"):
        table = out / f"{name}.parquet"
        assert set(read_columns(table)["session"]) == {name}
        assert read_provenance(table)["input"] == f"{Path(name).name}." + (
            "jsonl" if name == "deep/c" else "txt"
        )
        assert len(read_columns(out / f"{name}.beats.parquet")["rr_ms"]) > 200
    assert read_provenance(out / "summary.csv")["sessions"] == "4"
    assert not list(out.glob("bad*"))
    assert not list(tmp_path.rglob("*.part"))


def test_where_all_fail_the_folder_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = tmp_path / "in"
    given.mkdir()
    (given / "a.txt").write_text("nothing here\n")
    (given / "b.zip").write_bytes(b"PK\x03\x04 and no more")
    assert replayed(given, "--out", tmp_path / "out", "--jobs", "1") == 1
    err = capsys.readouterr().err
    assert "a.txt" in err
    assert "b.zip" in err
    assert len(read_columns(tmp_path / "out/summary.csv")["session"]) == 2


def test_a_folder_of_tables_is_kept_and_added_to_with_force(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given, out = tmp_path / "in", tmp_path / "out"
    rr_text(given / "a.txt")
    out.mkdir()
    (out / "mine").write_text("mine")
    assert replayed(given, "--out", out) == 2
    assert "--force" in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == ["mine"]
    assert replayed(given, "--out", out, "--force") == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "a.parquet",
        "mine",
        "summary.csv",
        "summary.csv-metadata.json",
    ]


def first_have(table: Path) -> int:
    return int(read_columns(table)["normal_have"][0])


def test_a_subjects_files_hand_the_normal_on_in_the_order_of_their_times(tmp_path: Path) -> None:
    given, out, state = tmp_path / "in", tmp_path / "out", tmp_path / "state"
    session(given / "a-second.jsonl", "p1", begin_min=30)
    session(given / "b-first.jsonl", "p1")
    session(given / "c.jsonl", "p2", begin_min=10)
    assert replayed(given, "--out", out, "--state", state, "--jobs", "2") == 0
    assert sorted(path.name for path in state.iterdir()) == ["p1.state", "p2.state"]
    assert state.stat().st_mode & 0o777 == 0o700
    assert first_have(out / "b-first.parquet") == 0
    assert first_have(out / "c.parquet") == 0
    assert first_have(out / "a-second.parquet") > HAVE


def test_without_a_state_every_file_starts_fresh(tmp_path: Path) -> None:
    given, out = tmp_path / "in", tmp_path / "out"
    session(given / "a.jsonl", "p1")
    session(given / "b.jsonl", "p1", begin_min=30)
    assert replayed(given, "--out", out, "--jobs", "1") == 0
    assert first_have(out / "a.parquet") == first_have(out / "b.parquet") == 0


def test_a_state_is_handed_from_one_run_to_the_next(tmp_path: Path) -> None:
    state = tmp_path / "state"
    for k, begin_min in enumerate((0, 30, 24 * 60)):
        session(tmp_path / f"{k}.jsonl", "p1", begin_min=begin_min)
        source, table = tmp_path / f"{k}.jsonl", tmp_path / f"{k}.csv"
        assert replayed(source, "--out", table, "--state", state) == 0
        seen = read_columns(table)
        assert (seen["t_s"][0], seen["t_s"][-1]) == (5, 240)  # nothing of the file before
    have = [first_have(tmp_path / f"{k}.csv") for k in range(3)]
    assert have[0] == 0
    assert have[1] > HAVE
    assert have[2] == 0  # the session ended two hours after its last record


def test_a_file_that_the_state_has_seen_is_not_replayed_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session(tmp_path / "s.jsonl", "p1")
    state = tmp_path / "state"
    assert replayed(tmp_path / "s.jsonl", "--state", state) == 0
    before = (state / "p1.state").read_bytes()
    capsys.readouterr()
    assert replayed(tmp_path / "s.jsonl", "--state", state, "--out", tmp_path / "t.csv") == 2
    err = capsys.readouterr().err
    assert "p1.state" in err
    assert err.count("\n") == 1
    assert (state / "p1.state").read_bytes() == before
    assert not (tmp_path / "t.csv").exists()


def test_a_damaged_state_is_told_and_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session(tmp_path / "s.jsonl", "p1")
    (tmp_path / "state").mkdir()
    (tmp_path / "state/p1.state").write_bytes(b"damaged")
    words = (tmp_path / "s.jsonl", "--out", tmp_path / "t.csv", "--state", tmp_path / "state")
    assert replayed(*words) == 2
    err = capsys.readouterr().err
    assert "p1.state" in err
    assert err.count("\n") == 1
    assert (tmp_path / "state/p1.state").read_bytes() == b"damaged"
    assert not (tmp_path / "t.csv").exists()


def test_labels_of_a_folder_find_their_sessions(tmp_path: Path) -> None:
    given, out, labels = tmp_path / "in", tmp_path / "out", tmp_path / "labels.csv"
    for name in ("a/s", "b/s"):
        session(given / f"{name}.jsonl")
    labels.write_text("session,t_start_s,t_end_s,label\na/s,0,200,rest\nb/s,0,200,stress\n")
    assert replayed(given, "--out", out, "--labels", labels, "--jobs", "1") == 0
    assert set(read_columns(out / "a/s.parquet")["label"]) == {"rest", ""}
    assert set(read_columns(out / "b/s.parquet")["label"]) == {"stress", ""}
    assert np.isfinite(read_columns(out / "summary.csv")["hr_median_bpm"]).all()
