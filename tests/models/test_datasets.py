"""Who is who in the registry of data sets."""

from pathlib import Path

import pytest

from diastole.edge.errors import BadFile
from diastole.models.datasets import DATA_SETS, HELD_OUT_FOR_DEMO, HONGN, sessions_of


def make(data: Path, name: str, sessions: list[str]) -> None:
    """Put empty recordings and their labels into a data folder."""
    labels = data / "labels" / f"{name}.csv"
    labels.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{session},{k},{k + 1},rest" for session in sessions for k in (0, 1)]
    labels.write_text("\n".join(["session,t_start_s,t_end_s,label", *lines]) + "\n")
    for session in sessions:
        path = data / name / f"{session}.zip"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_parts_and_kinds_of_session_are_one_person_and_sets_never_share_one(tmp_path: Path) -> None:
    make(tmp_path, "hongn", ["stress/S16", "aerobic/S16", "anaerobic/S16_a", "anaerobic/S16_b"])
    make(tmp_path, "stress-predict", ["S16", "S01"])
    found = {session.path: session.person for session in sessions_of(tmp_path)}
    assert len(found) == 6
    assert set(found.values()) == {"hongn-s16", "stress-predict-s16", "stress-predict-s01"}


def test_people_are_those_of_the_label_file(tmp_path: Path) -> None:
    make(tmp_path, "hongn", ["stress/S01", "stress/f09"])
    (tmp_path / "hongn" / "stress" / "S02.zip").touch()
    assert [session.name for session in HONGN.sessions(tmp_path)] == ["stress/S01", "stress/f09"]


def test_a_folder_without_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="--data"):
        sessions_of(tmp_path)


def test_a_labelled_session_that_is_missing_is_named(tmp_path: Path) -> None:
    make(tmp_path, "hongn", ["stress/S01"])
    (tmp_path / "hongn" / "stress" / "S01.zip").unlink()
    with pytest.raises(BadFile, match=r"S01\.zip: is missing"):
        HONGN.sessions(tmp_path)


def test_the_real_sets(shared: Path) -> None:
    sessions = sessions_of(shared)
    people = {
        data_set.name: {s.person for s in sessions if s.data_set == data_set.name}
        for data_set in DATA_SETS
    }
    assert {name: len(who) for name, who in people.items()} == {"stress-predict": 28, "hongn": 28}
    assert HELD_OUT_FOR_DEMO in people["hongn"]
    assert len(sessions) == 28 + 77
