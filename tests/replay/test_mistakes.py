"""Law 12: bad input is a sentence, what and where and what to do, and leaves nothing behind."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from diastole.edge.cli import main

Made = Callable[[Path], list[str]]


def text_in_place_of_a_number(here: Path) -> list[str]:
    lines = [f"{800 + k % 7 * 10}" for k in range(60)]
    lines[41] = "eight hundred"
    (here / "rr.txt").write_text("\n".join(lines))
    return ["rr.txt", "--format", "rr-text"]


def a_truncated_zip(here: Path) -> list[str]:
    import zipfile

    with zipfile.ZipFile(here / "e4.zip", "w") as archive:
        archive.writestr("IBI.csv", "1500000000.0, IBI\n" + "1.0,0.8\n" * 400)
    whole = (here / "e4.zip").read_bytes()
    (here / "e4.zip").write_bytes(whole[: len(whole) // 2])
    return ["e4.zip"]


def an_unknown_zip(here: Path) -> list[str]:
    import zipfile

    with zipfile.ZipFile(here / "holiday.zip", "w") as archive:
        archive.writestr("beach.txt", "sun")
    return ["holiday.zip"]


def an_empty_folder(here: Path) -> list[str]:
    (here / "empty").mkdir()
    return ["empty", "--out", "tables"]


def a_file_that_is_not_there(here: Path) -> list[str]:
    return ["nowhere.txt"]


def a_file_of_nothing(here: Path) -> list[str]:
    (here / "nothing.txt").touch()
    return ["nothing.txt"]


def good(here: Path) -> str:
    rng = np.random.default_rng(0)
    rr = 800 + 40 * np.sin(np.arange(300) * 1.4) + rng.normal(0, 8, 300)
    (here / "good.txt").write_text("\n".join(f"{value:.0f}" for value in rr))
    return "good.txt"


def an_output_that_exists(here: Path) -> list[str]:
    (here / "out.csv").write_text("mine")
    return [good(here), "--out", "out.csv"]


def beats_that_exist(here: Path) -> list[str]:
    (here / "out.beats.csv").write_text("mine")
    return [good(here), "--out", "out.csv", "--beats"]


def an_output_of_an_unknown_kind(here: Path) -> list[str]:
    return [good(here), "--out", "out.xlsx"]


def beats_without_a_table(here: Path) -> list[str]:
    return [good(here), "--beats"]


def a_model_that_is_none(here: Path) -> list[str]:
    (here / "model.onnx").write_text("no model")
    return [good(here), "--out", "out.csv", "--model", "model.onnx"]


def a_model_that_is_not_there(here: Path) -> list[str]:
    return [good(here), "--out", "out.csv", "--model", "nowhere.onnx"]


def labels_that_are_none(here: Path) -> list[str]:
    (here / "labels.csv").write_text("when,what\n1,rest\n")
    return [good(here), "--out", "out.csv", "--labels", "labels.csv"]


def subjects_that_are_none(here: Path) -> list[str]:
    (here / "people.csv").write_text("session,subject\ngood,Ada Lovelace\n")
    return [good(here), "--out", "out.csv", "--subjects", "people.csv"]


def a_subject_with_a_name(here: Path) -> list[str]:
    return [good(here), "--out", "out.csv", "--subject", "Ada L."]


def a_format_that_nobody_knows(here: Path) -> list[str]:
    return [good(here), "--out", "out.csv", "--format", "papyrus"]


def a_state_for_a_file_without_a_date(here: Path) -> list[str]:
    return [good(here), "--out", "out.csv", "--state", "state"]


def a_folder_of_tables_that_is_a_file(here: Path) -> list[str]:
    (here / "in").mkdir()
    good(here / "in")
    (here / "out").write_text("mine")
    return ["in", "--out", "out"]


def a_folder_without_a_place_for_its_tables(here: Path) -> list[str]:
    (here / "in").mkdir()
    good(here / "in")
    return ["in"]


MISTAKES: dict[Made, tuple[str, ...]] = {
    text_in_place_of_a_number: ("rr.txt, line 42", "'eight'"),
    a_truncated_zip: ("e4.zip",),
    an_unknown_zip: ("holiday.zip", "no export we know"),
    an_empty_folder: ("empty folder",),
    a_file_that_is_not_there: ("nowhere.txt",),
    a_file_of_nothing: ("nothing.txt", "empty file"),
    an_output_that_exists: ("out.csv", "--force"),
    beats_that_exist: ("out.beats.csv", "--force"),
    an_output_of_an_unknown_kind: ("out.xlsx", ".parquet"),
    beats_without_a_table: ("--out",),
    a_model_that_is_none: ("model.onnx",),
    a_model_that_is_not_there: ("nowhere.onnx",),
    labels_that_are_none: ("labels.csv", "line 1"),
    subjects_that_are_none: ("people.csv, line 2", "pseudonym"),
    a_subject_with_a_name: ("'Ada L.'", "pseudonym"),
    a_format_that_nobody_knows: ("'papyrus'", "rr-text"),
    a_state_for_a_file_without_a_date: ("good.txt", "--state"),
    a_folder_of_tables_that_is_a_file: ("out",),
    a_folder_without_a_place_for_its_tables: ("--out",),
}


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda made: made.__name__)
def test_law_12_a_mistake_is_one_sentence_and_leaves_nothing(
    mistake: Made,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    words = mistake(tmp_path)
    before = contents(tmp_path)
    if "--model" not in words:
        words += ["--model", "none"]
    assert main(["replay", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("diastole: ")
    assert err.count("\n") == 1
    for part in MISTAKES[mistake]:
        assert part in err
    assert contents(tmp_path) == before
