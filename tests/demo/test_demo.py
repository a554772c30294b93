"""The demo: a story over the whole path, in real processes, held against its truth; then people."""

import io
import os
import re
import signal
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from rich.console import Console

from diastole.edge.agent.settings import read_agent
from diastole.edge.demo import path as demo_path
from diastole.edge.demo.children import ChildEnded
from diastole.edge.demo.path import (
    AGENT,
    OUTBOX,
    SETTINGS,
    SITE,
    STORE,
    Count,
    free_port,
    prepare,
    stored_readings,
    walk,
)
from diastole.edge.demo.story import (
    LIVE,
    SESSION,
    TRUTH,
    against_truth,
    complete,
    read_story,
    verdict,
)
from diastole.edge.errors import BadFile, MissingExtra
from diastole.edge.labels import Segment, read_labels
from diastole.edge.replay.session import Options, replay_session
from diastole.edge.sources.scenario import Activity, FaultKind
from diastole.ingest.settings import read_ingest
from tests.conftest import ROOT
from tests.demo.processes import working_in
from tests.servers import until


class Shown(NamedTuple):
    lines: list[str]
    out: Path


def started(out: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "diastole", "demo", "--out", str(out)],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "100"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """Run the demo once, as `make demo` does."""
    out = tmp_path_factory.mktemp("run") / "demo"
    with started(out) as process:
        text, _ = process.communicate(timeout=280)
    assert process.returncode == 0, text
    return Shown(text.splitlines(), out)


@pytest.fixture
def lines(shown: Shown) -> list[str]:
    return shown.lines


def chapter(lines: list[str], activity: str) -> list[str]:
    """Give the lines from the heading of the first such chapter to the next heading."""
    story = read_story()
    place = next(k for k, c in enumerate(story.chapters) if c.activity == activity)
    heads = [k for k, line in enumerate(lines) if "  CHAPTER " in line]
    return lines[heads[place] : heads[place + 1]]


def row(lines: list[str], truth: str) -> list[str]:
    """Give the words of a row of a table behind what it is about."""
    (line,) = (line for line in lines if re.match(rf"(\d+ )?{re.escape(truth)}  ", line))
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
    assert any("an episode of strain: heart rate" in line for line in said)


def test_off_the_wrist_and_without_a_band_nothing_is_said(lines: list[str]) -> None:
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


def test_the_link_breaks_and_what_was_produced_is_stored(lines: list[str]) -> None:
    broken, back, all_back = (
        next(k for k, line in enumerate(lines) if line.strip().startswith(words))
        for words in ("THE LINK BREAKS", "THE LINK IS BACK", "EVERYTHING IS BACK")
    )
    assert broken < back < all_back
    waited = int(lines[back].split("; ")[1].split()[0])
    assert waited > 0
    assert f"holds all {waited} records that waited" in lines[all_back]
    for kind in ("readings", "revisions of episodes", "the agent's own health"):
        produced, stored = row(lines, kind)
        assert produced == stored != "0"
    assert "produced = stored: nothing lost, nothing doubled, with the link broken once" in lines


def test_law_1_what_was_carried_and_stored_is_what_a_replay_says(shown: Shown) -> None:
    stored = stored_readings(shown.out / LIVE)
    replayed = replay_session(shown.out / SESSION, "again", Options()).columns
    for name, column in stored.items():
        assert np.array_equal(column, replayed[name]), name


def test_the_truth_stands_beside_the_session(shown: Shown) -> None:
    truth = read_labels(shown.out / TRUTH).of(shown.out / SESSION)
    assert truth[-1].t_end_s == read_story().edges_s[-1]
    assert {kind for kind in FaultKind if any(kind in s.raw_label for s in truth)} == {
        FaultKind.OFF_WRIST,
        FaultKind.LINK_LOST,
        FaultKind.DOUBLED,
    }


def test_it_names_what_it_writes_and_where_to_go_on(shown: Shown) -> None:
    printed = "\n".join(shown.lines)
    written = printed[printed.index("written:") :]
    assert {path.name for path in shown.out.iterdir()} >= {SESSION, TRUTH, LIVE, "session.png"}
    assert all(path.name in written for path in shown.out.iterdir())
    assert str(shown.out / LIVE / STORE) in written
    assert [path.name for path in shown.out.parent.iterdir()] == ["demo"]
    assert printed.index("SIMULATED") < printed.index("a real session of 24 min")
    assert len(written[written.index("next:") :].splitlines()) == 3


def test_no_process_is_left_and_no_log_tells_a_defect(shown: Shown) -> None:
    assert working_in(shown.out) == []
    for name in ("agent", "ingest", "broker"):
        log = (shown.out / LIVE / f"{name}.log").read_text(encoding="utf-8")
        assert "Traceback" not in log, log


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_no_process(tmp_path: Path, how: signal.Signals) -> None:
    out = tmp_path / "demo"
    with started(out) as process:
        until((out / LIVE / OUTBOX).exists, "the agent to have begun")
        assert len(working_in(out)) >= 3
        process.send_signal(how)
        text, _ = process.communicate(timeout=30)
    assert process.returncode == 130, text
    assert "Traceback" not in text
    until(lambda: working_in(out) == [], "all children to have ended", 5)


def test_a_child_that_fails_is_told_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoilt(folder: Path, port: int) -> None:
        prepare(folder, port)
        (folder / "agent.toml").write_text("nonsense = 1\n")

    monkeypatch.setattr(demo_path, "prepare", spoilt)
    told = r"the agent has ended with code 2, see .*agent.log: .*nonsense"
    with pytest.raises(ChildEnded, match=told):
        walk(tmp_path / "live", [], Console(file=io.StringIO()))
    assert working_in(tmp_path) == []


def test_without_the_embedded_broker_it_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_path, "find_spec", lambda _: None)
    told = r"embedded broker needs amqtt: pip install 'diastole\[demo\]'"
    with pytest.raises(MissingExtra, match=told):
        walk(tmp_path / "live", [], Console(file=io.StringIO()))
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_demo_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    live = tmp_path / "live"
    prepare(live, 1884)
    (live / STORE).write_bytes(b"old")
    prepare(live, 1885)
    assert sorted(path.name for path in live.iterdir()) == sorted(SETTINGS)
    assert read_ingest(live / "ingest.toml").broker.port == 1885
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    with pytest.raises(BadFile, match="not of an earlier demo: move it away"):
        prepare(mine, free_port())
    assert (mine / "thesis.txt").read_text() == "years of work"


def test_its_settings_are_right_as_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(str(files("diastole.edge.demo")))
    monkeypatch.chdir(folder)
    agent, ingest = read_agent(folder / "agent.toml"), read_ingest(folder / "ingest.toml")
    assert (agent.site, agent.agent) == (SITE, AGENT)
    assert agent.broker == ingest.broker
    assert agent.folder / "outbox.db" == OUTBOX
    assert ingest.sqlite is not None
    assert ingest.sqlite.path == STORE


def test_what_is_missing_is_not_called_stored() -> None:
    counts = [Count("readings", 406, 406), Count("revisions of episodes", 7, 6)]
    assert not complete(counts)
    assert str(verdict(counts)).startswith("NOT all is stored")
    assert complete([Count("readings", 406, 406)])


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
