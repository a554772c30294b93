"""The story's file: what it may say, and how it is told that it may not."""

from pathlib import Path

import pytest

from diastole.edge.cli import MISTAKE, main
from diastole.edge.errors import InputError, Mistakes
from diastole.edge.sources.scenario import Activity, FaultKind, read_scenario
from diastole.edge.sources.states import STATES
from tests.conftest import ROOT

STORIES = sorted((ROOT / "configs" / "demo").glob("*.toml"))


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_the_samples_can_be_read(path: Path) -> None:
    scenario = read_scenario(path)
    assert scenario.start_ns > 0
    assert scenario.subject == "simulated"


def test_the_samples_tell_of_everything() -> None:
    scenarios = [read_scenario(path) for path in STORIES]
    chapters = [chapter for scenario in scenarios for chapter in scenario.chapters]
    assert {chapter.activity for chapter in chapters} == set(Activity) == set(STATES)
    assert {fault.kind for chapter in chapters for fault in chapter.faults} == set(FaultKind)
    assert {device.kind for scenario in scenarios for device in scenario.devices} == {"rr", "ppi"}


def test_a_story_counts_its_time_in_chapters(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text(
        "[[chapters]]\nactivity = 'rest'\nminutes = 2\n"
        "[[chapters]]\nactivity = 'meal'\nminutes = 1.5\n"
        "faults = [{kind = 'missed', at_min = 0.5}, {kind = 'doubled', minutes = 0.25}]\n"
    )
    scenario = read_scenario(path)
    assert scenario.edges_s == [0, 120, 210]
    assert scenario.start_ns == 0
    spans = scenario.spans(*FaultKind)
    assert [(s.kind, s.begin_s, s.end_s) for s in spans] == [
        ("doubled", 120, 135),
        ("missed", 150, 210),
    ]
    assert [device.name for device in scenario.devices] == ["sim-strap"]


MISTAKES = {
    "minutes = -3": "minutes is -3: give a number from 0.1 up to 2880",
    "minutes = inf": "minutes is inf: give a number from 0.1 up to 2880",
    "activity = 'stair'": "activity is 'stair': did you mean 'stairs'?",
    "activity = 'xyz'": "activity is 'xyz': give one of rest, desk, mental_stress, meal, walk, "
    "stairs, sleep",
    "faults = [{kind = 'doubled', at_min = 2, minutes = 9}]": "doubled reaches beyond its chapter "
    "of 10 min: begin it earlier, shorten it, or divide it",
    "faults = [{kind = 'doubled', at_min = 10}]": "doubled reaches beyond its chapter of 10 min: "
    "begin it earlier, shorten it, or divide it",
    "faults = [{kind = 'doubled', per_min = 2}]": "per_min says nothing of doubled, which lasts: "
    "leave it out",
    "faults = [{kind = 'ectopic', device = 'sim-strap'}]": "an ectopic beat is the heart's, not a "
    "device's: leave device out",
    "faults = [{kind = 'missed', device = 'strap'}]": "no device is called 'strap': name one of "
    "sim-strap",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_law_12_a_mistake_in_a_chapter_is_one_sentence(line: str, tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    key = line.partition(" ")[0]
    lines = {"activity": "activity = 'rest'", "minutes": "minutes = 10", key: line}
    path.write_text("\n".join(["[[chapters]]", *lines.values()]) + "\n")
    number = 2 + list(lines).index(key)
    with pytest.raises(Mistakes) as caught:
        read_scenario(path)
    assert str(caught.value) == f"{path}, line {number}: {MISTAKES[line]}"


CHAPTER = "[[chapters]]\nactivity = 'rest'\nminutes = 1441\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", ": chapters is missing: give at least one [[chapters]]"),
        ("chapters = []\n", ", line 1: chapters is a list of 0: give at least one [[chapters]]"),
        (CHAPTER * 2, ", line 1: the chapters last 2882 min together: tell at most 2880 min"),
        (
            f"subject = 'Ann M'\n{CHAPTER}",
            ", line 1: subject is 'Ann M': give a pseudonym of a-z, 0-9 and -",
        ),
        (
            f"{CHAPTER}[[devices]]\nname = 'a'\nkind = 'rr'\n[[devices]]\nname = 'a'\nkind = 'ppi'",
            ", line 8: two devices are called 'a': give each its own name",
        ),
        (
            f"{CHAPTER}[wearer]\nhr_rest_bpm = 400\n",
            ", line 5: hr_rest_bpm is 400: give a number from 35 up to 110",
        ),
    ],
)
def test_law_12_a_mistake_in_the_whole_is_one_sentence(
    text: str, sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "s.toml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_scenario(path)
    assert str(caught.value) == f"{path}{sentence}"


def test_law_12_the_verb_tells_all_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "s.toml"
    path.write_text("zon = 'UTC'\n[[chapters]]\nactivity = 'rest'\nminutes = -1\n")
    assert main(["simulate", str(path), "--out", str(tmp_path / "new" / "s.jsonl")]) == MISTAKE
    assert capsys.readouterr().err == (
        f"diastole: {path}, line 1: unknown setting 'zon': did you mean 'zone'?\n"
        f"{path}, line 4: minutes is -1: give a number from 0.1 up to 2880\n"
    )
    assert list(tmp_path.iterdir()) == [path]
