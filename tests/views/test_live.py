"""The story of a session: the same turns in plain lines and above the panel."""

import io
from collections.abc import Iterator

import numpy as np
import pytest
from rich.console import Console

from diastole.edge.views.live import tell
from tests.views.wearer import Columns, lab_hour


class Paced:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float, /) -> None:
        self.now += seconds


class Still(Paced):
    """A clock that must not be waited for."""

    def sleep(self, seconds: float, /) -> None:
        pytest.fail(f"slept {seconds} s without a terminal")


def slices(columns: Columns, rows: int) -> Iterator[Columns]:
    for start in range(0, len(columns["t_s"]), rows):
        yield {name: column[start : start + rows] for name, column in columns.items()}


def plain(columns: Columns, rows: int = 50) -> list[str]:
    text = io.StringIO()
    console = Console(file=text, width=60, color_system=None)
    tell(slices(columns, rows), console=console, minutes_per_second=1, timing=Still())
    return text.getvalue().splitlines()


def test_without_a_terminal_each_turn_is_a_line() -> None:
    lines = plain(lab_hour()[0])
    turns = [line.split("  ", 1)[1] for line in lines]
    assert turns[0] == "label: other"
    assert any(
        turn.startswith("the wearer's own normal is known: heart rate 61-71") for turn in turns
    )
    order = ["label: stress", "stress-like: heart rate", "no readings for 5 min", "label: exercise"]
    order += ["undecided: body at work or recovering", "calm: heart rate"]
    places = [next(k for k, turn in enumerate(turns) if turn.startswith(o)) for o in order[:-1]]
    assert places == sorted(places)
    assert turns[-1].startswith(order[-1])
    assert not any("\x1b" in line for line in lines)


def test_cutting_the_slices_elsewhere_tells_the_same() -> None:
    columns, _ = lab_hour()
    assert plain(columns, 7) == plain(columns, 1000)


def test_what_does_not_last_a_minute_is_not_told() -> None:
    columns, _ = lab_hour()
    flicker = np.where(np.arange(len(columns["t_s"])) % 20 < 9, "stress", "calm")
    columns |= {"decision": flicker, "reason": np.full(len(flicker), "")}
    assert not any("stress-like" in line for line in plain(columns))
    assert not any("calm" in line for line in plain({**columns, "decision": flicker[::-1]}))
    steady = np.where(np.arange(len(flicker)) < 100, "calm", "stress")
    told = [line for line in plain({**columns, "decision": steady}) if "stress-like" in line]
    assert told[0].startswith("0:08:25  stress-like")
    assert len(told) == 1


def test_a_terminal_gets_the_panel_at_the_pace_asked_for() -> None:
    columns, _ = lab_hour()
    text, timing = io.StringIO(), Paced()
    console = Console(file=text, force_terminal=True, width=100, height=40, color_system=None)
    tell(slices(columns, 60), console=console, minutes_per_second=2, total_s=3600, timing=timing)
    seconds = (columns["t_s"][-1] - columns["t_s"][0]) / 120
    assert timing.now - 100 == pytest.approx(seconds, abs=0.2)
    shown = text.getvalue()
    assert "lab/S01, SIMULATED" in shown
    assert "(normal 61-71)" in shown
    assert "not a medical device" in shown
    for line in plain(columns):
        assert line[:60] in shown


def test_a_terminal_without_utf_8_gets_plain_letters() -> None:
    columns, _ = lab_hour()
    raw = io.BytesIO()
    text = io.TextIOWrapper(raw, "ascii", errors="replace")
    console = Console(file=text, force_terminal=True, width=100, height=40, color_system=None)
    tell(slices(columns, 60), console=console, minutes_per_second=60, timing=Paced())
    text.flush()
    assert b"@" in raw.getvalue()


def test_nothing_to_tell() -> None:
    console = Console(file=io.StringIO(), force_terminal=True)
    tell([], console=console, minutes_per_second=1, timing=Still())


def test_chapters_are_told_when_they_begin() -> None:
    text = io.StringIO()
    console = Console(file=text, width=60, color_system=None)
    columns = lab_hour()[0]
    chapters = [(0.0, "one"), (600.0, "two"), (1e6, "never")]
    tell([columns], console=console, minutes_per_second=1, chapters=chapters, timing=Still())
    lines = text.getvalue().splitlines()
    assert lines[0] == "0:00:00  one"
    assert lines.count("0:10:00  two") == 1
    assert "never" not in text.getvalue()
    assert [line for line in lines if "  one" not in line and "  two" not in line] == plain(columns)


def test_the_panel_stands_under_the_chapters_heading() -> None:
    text = io.StringIO()
    console = Console(file=text, width=80, force_terminal=True, color_system=None)
    tell(
        [lab_hour()[0]],
        console=console,
        minutes_per_second=1,
        chapters=[(0.0, "a chapter")],
        timing=Paced(),
    )
    assert "│ a chapter " in text.getvalue()
