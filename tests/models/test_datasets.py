"""Who is who in the registry of data sets."""

import re
from pathlib import Path

import pytest

from diastole.edge.errors import BadFile
from diastole.edge.labels import read_labels
from diastole.models.datasets import (
    DATA_SETS,
    FREE_LIVING,
    HELD_OUT_FOR_DEMO,
    HONGN,
    DataSet,
    sessions_of,
    sets_at,
)


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


def test_days_of_ordinary_life_are_nothing_to_learn_from(tmp_path: Path) -> None:
    make(tmp_path, "mmash", ["mmash-01", "mmash-13"])
    found = sessions_of(tmp_path, FREE_LIVING)
    assert [session.person for session in found] == ["mmash-01", "mmash-13"]
    assert not {data_set.name for data_set in FREE_LIVING} & {d.name for d in DATA_SETS}


def test_only_the_sets_that_are_there_are_asked_for(tmp_path: Path) -> None:
    assert sets_at(tmp_path) == DATA_SETS
    make(tmp_path, "hongn", ["stress/S01"])
    assert sets_at(tmp_path) == (HONGN,)


@pytest.mark.parametrize("data_set", [*DATA_SETS, *FREE_LIVING], ids=lambda d: d.name)
def test_a_data_set_keeps_its_contract(data_set: DataSet, shared: Path) -> None:
    found = data_set.sessions(shared)
    assert found == data_set.sessions(shared)
    assert len({session.path for session in found}) == len(found) > 1
    assert all(session.path.is_file() for session in found)
    assert {session.data_set for session in found} == {data_set.name}
    people = {session.person for session in found}
    assert all(re.fullmatch(r"[a-z0-9-]+", person) for person in people)
    assert all(person.startswith(f"{data_set.name}-") for person in people)
    assert all(read_labels(session.labels).of(session.path) for session in found)
    assert all((data_set.title, data_set.cite, data_set.licence))
    with pytest.raises(BadFile):
        data_set.sessions(shared / "labels")
