"""Episodes where a person sees them: in the story, the summary and the picture."""

import io

import numpy as np
import pytest
from rich.console import Console

from diastole.edge.records import Driver
from diastole.edge.views.live import tell
from diastole.edge.views.plots import session_figure
from diastole.edge.views.summary import summary
from diastole.edge.views.words import driven_by, notice
from tests.views.wearer import Columns, lab_hour

EPISODES: Columns = {
    "t_start_s": np.array([1210.0, 2700.0]),
    "t_told_s": np.array([1330.0, 2820.0]),
    "t_end_s": np.array([2100.0, 2850.0]),
    "peak_p": np.array([0.94, 0.7]),
    "notify": np.array([True, False]),
    "notify_reason": np.array(["", "refractory"]),
    "drivers": np.array(["heart rate 18 bpm above your normal while still", ""]),
}


def test_drivers_are_told_in_words() -> None:
    rate = Driver(input="hr_above_normal", value=84, normal=66)
    hour = Driver(input="hr_rise_1h", value=84, normal=75)
    rmssd = Driver(input="rmssd_above_normal", value=20, normal=41)
    assert driven_by([rate], None) == "heart rate 18 bpm above your normal while still"
    assert driven_by([rate], "no_motion") == "heart rate 18 bpm above your normal"
    assert driven_by([hour, rmssd], "no_motion") == (
        "heart rate 9 bpm above its own last hour; RMSSD 21 ms below your normal"
    )
    assert driven_by([], None) == ""


def test_whether_the_wearer_is_told_and_why_not() -> None:
    assert notice(True, "") == "told"
    assert notice(False, "daily_limit") == "not told: enough notices for a day"


def test_the_story_tells_them_when_they_are_known() -> None:
    columns, _ = lab_hour()
    text = io.StringIO()
    console = Console(file=text, width=200, color_system=None)
    tell([columns], console=console, minutes_per_second=1, episodes=EPISODES)
    lines = [line for line in text.getvalue().splitlines() if "episode" in line]
    assert lines == [
        "0:22:10  an episode of strain since 0:20:10: "
        "heart rate 18 bpm above your normal while still (told)",
        "0:36:30  the episode ended at 0:35:00, after 15 min",
        "0:47:00  an episode of strain since 0:45:00 (not told: the last notice is too recent)",
        "0:49:00  the episode ended at 0:47:30, after 2 min",
    ]


@pytest.mark.parametrize("rows", [slice(None), slice(0, 0)])
def test_the_summary_lists_them(rows: slice) -> None:
    columns, _ = lab_hour()
    console = Console(file=(text := io.StringIO()), width=120, color_system=None)
    found = {name: column[rows] for name, column in EPISODES.items()}
    console.print(summary(columns, title="lab", episodes=found))
    shown = text.getvalue()
    if rows == slice(0, 0):
        assert "episodes of strain: none" in shown
        return
    assert "episodes of strain: 2, 1 told" in shown
    assert "0:20:10     14.8    0.94  told" in shown
    assert "not told: the last notice is too recent" in shown


def test_the_picture_has_a_band_for_each() -> None:
    columns, beats = lab_hour()
    figure = session_figure(columns, beats, title="lab", episodes=EPISODES)
    axes = next(axes for axes in figure.axes if axes.get_ylabel() == "p(stress)")
    legend = axes.get_legend()
    assert legend is not None
    names = [text.get_text() for text in legend.get_texts()]
    assert names[:2] == ["episode, told (1)", "episode, not told (1)"]
