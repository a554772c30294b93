"""The demo: its simulated story told in chapters against the truth, then the real session."""

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from diastole.edge.demo import run
from diastole.edge.demo.story import (
    MINUTES_PER_SECOND,
    SESSION,
    TRUTH,
    against_truth,
    read_story,
    tell_story,
)
from diastole.edge.labels import Segment, read_labels
from diastole.edge.sources.scenario import Activity, FaultKind


def told(out: Path) -> list[str]:
    text = io.StringIO()
    tell_story(out, Console(file=text, width=100, color_system=None))
    return text.getvalue().splitlines()


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return told(tmp_path_factory.mktemp("demo"))


def chapter(lines: list[str], activity: str) -> list[str]:
    """Give the lines from the heading of the first such chapter to the next heading."""
    story = read_story()
    place = next(k for k, c in enumerate(story.chapters) if c.activity == activity)
    heads = [k for k, line in enumerate(lines) if "  CHAPTER " in line]
    return lines[heads[place] : heads[place + 1]]


def row(lines: list[str], truth: str) -> list[str]:
    """Give the words of a row of the table behind its truth."""
    (line,) = (line for line in lines if line.split(" ", 1)[-1].startswith(truth + "  "))
    return line.split(truth, 1)[1].split()


def test_each_chapter_is_announced_as_simulated_when_it_begins(lines: list[str]) -> None:
    story = read_story()
    for k, (told_of, begin_s) in enumerate(zip(story.chapters, story.edges_s, strict=False), 1):
        at = f"{int(begin_s) // 3600}:{int(begin_s) // 60 % 60:02d}:{int(begin_s) % 60:02d}"
        heading = f"{at}  CHAPTER {k} (SIMULATED, {told_of.minutes:g} min): {told_of.title}"
        assert told_of.title
        assert lines.count(heading) == 1


def test_the_stairs_are_exertion_and_no_stress(lines: list[str]) -> None:
    said = chapter(lines, Activity.STAIRS)
    assert any("undecided: body at work or recovering" in line for line in said)
    assert not any("stress-like:" in line for line in said)
    _, _, calm, undecided, stress_like, *why = row(lines, "stairs")
    assert (calm, stress_like) == ("0.0", "0.0")
    assert float(undecided) > 1
    assert " ".join(why) == "body at work or recovering"


def test_strain_is_told_as_an_episode(lines: list[str]) -> None:
    said = chapter(lines, Activity.STRESS)
    assert any("stress-like: heart rate" in line for line in said)
    assert any("an episode of strain since" in line for line in said)


def test_off_the_wrist_and_without_link_nothing_is_said(lines: list[str]) -> None:
    assert any("no readings for 2 min" in line for line in chapter(lines, Activity.DESK))
    assert float(row(lines, "desk, off wrist")[1]) > 1
    assert float(row(lines, "desk, link lost")[1]) > 1
    assert float(row(lines, "meal")[1]) == 0


def test_doubled_beats_decide_nothing(lines: list[str]) -> None:
    _, _, calm, _, stress_like, *_ = row(lines, "rest, doubled")
    assert (calm, stress_like) == ("0.0", "0.0")


def test_misses_are_told_as_misses(lines: list[str]) -> None:
    verdicts = [line for line in lines if "called stress-like" in line]
    by_label = dict(line.split(": ") for line in verdicts)
    assert list(by_label) == ["rest", "stress", "exercise", "screen", "eating"]
    assert by_label["stress"].endswith("called stress-like, as it is")
    assert by_label["exercise"].startswith("none of")
    wrong = float(row(lines, "meal")[4])
    assert by_label["eating"].endswith("which it is not") == (wrong > 0)


def test_the_table_counts_minutes_of_a_chapter() -> None:
    t_s = np.arange(60.0, 241.0, 5)
    columns = {
        "t_s": t_s,
        "window_s": np.full(len(t_s), 60.0),
        "decision": np.where(t_s <= 120, "calm", "undecided"),
        "reason": np.where(t_s <= 120, "", "exertion"),
    }
    chapters = [Segment(0, 120, "rest", "one"), Segment(120, 300, "stairs", "two")]
    text = io.StringIO()
    Console(file=text, width=100).print(against_truth(columns, chapters))
    shown = text.getvalue().splitlines()
    # 13 readings to 120 s, and 2 more with 50 s and more of their minute in it
    assert row(shown, "rest")[2:5] == ["1.1", "0.2", "0.0"]
    # from 170 s on; the last minute has no reading
    assert row(shown, "stairs")[:5] == ["3", "1.0", "0.0", "1.2", "0.0"]


def test_the_same_again_and_the_truth_beside_it(tmp_path: Path, lines: list[str]) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    assert told(first) == told(second) == lines
    for name in (SESSION, TRUTH):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    truth = read_labels(first / TRUTH).of(first / SESSION)
    assert truth[-1].t_end_s == read_story().edges_s[-1]
    assert {kind for kind in FaultKind if any(kind in s.raw_label for s in truth)} == {
        FaultKind.OFF_WRIST,
        FaultKind.LINK_LOST,
        FaultKind.DOUBLED,
    }


def test_the_demo_writes_what_it_names_and_no_more(tmp_path: Path) -> None:
    text = io.StringIO()
    out = tmp_path / "demo"
    assert run(out, Console(file=text, width=100, color_system=None)) == 0
    printed = text.getvalue()
    written = printed[printed.index("written:") :]
    assert {path.name for path in out.iterdir()} >= {SESSION, TRUTH, "session.png"}
    assert all(path.name in written for path in out.iterdir())
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]
    assert printed.index("SIMULATED") < printed.index("a real session of 24 min")


def test_in_a_terminal_the_story_takes_at_most_20_s() -> None:
    assert read_story().edges_s[-1] / 60 / MINUTES_PER_SECOND <= 20
