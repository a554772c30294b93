"""The picture of a session: its panels, what they show, and the file."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from diastole.edge.errors import InputError, MissingExtra, OutputError
from diastole.edge.views import plots
from diastole.edge.views.plots import plot_session, session_figure
from diastole.edge.views.strokes import GAP_S
from tests.views.wearer import LAB, Columns, day, lab_hour

PANELS = ["label", "beat interval", "heart rate", "RMSSD", "p(stress)", "what is said"]
PANELS += ["activity", "coverage"]


def names(figure: Figure) -> list[str]:
    return [axes.get_ylabel().split("\n")[0] for axes in figure.axes]


def texts(figure: Figure, place: int) -> list[str]:
    legend = figure.axes[place].get_legend()
    assert legend is not None
    return [text.get_text().replace("\n", " ") for text in legend.get_texts()]


def cut(columns: Columns, rows: slice) -> Columns:
    return {name: column[rows] for name, column in columns.items()}


def test_the_panels_share_one_time_axis() -> None:
    figure = session_figure(*lab_hour(), title="lab", segments=LAB)
    assert names(figure) == PANELS
    assert {axes.get_xlim() for axes in figure.axes} == {(0.0, 60.0)}
    assert figure.axes[-1].get_xlabel() == "min from the start"
    assert names(session_figure(*lab_hour(), title="lab")) == PANELS[1:]


def test_beats_are_counted_by_verdict_beside_the_data() -> None:
    columns, beats = lab_hour()
    told = texts(session_figure(columns, beats, title="lab"), 0)
    assert told[0] == f"accepted ({beats['accepted'].sum():,})"
    moving = int((beats["reason"] == "moving").sum())
    assert f"spoilt by movement ({moving})" in told


def test_what_is_said_has_a_row_each_with_its_share() -> None:
    columns, beats = lab_hour()
    figure = session_figure(columns, beats, title="lab")
    rows = [label.get_text() for label in figure.axes[4].get_yticklabels()]
    assert rows[:2] == ["stress-like  30%", "calm  41%"]
    assert "body at work or recovering  18%" in rows
    assert not any("asleep" in row for row in rows)


def test_no_line_bridges_a_gap() -> None:
    columns, beats = lab_hour()
    line = session_figure(columns, beats, title="lab").axes[1].lines[0]
    minutes = np.asarray(line.get_xdata(), np.float64)
    away = (minutes[:-1] < 2300 / 60) & (minutes[1:] > 2600 / 60)
    assert not away.any()
    assert np.nanmax(np.diff(minutes)) * 60 <= GAP_S


def test_a_day_is_told_by_the_time_of_day() -> None:
    figure = session_figure(*day(), title="day")
    bottom = figure.axes[-1]
    assert bottom.get_xlabel() == "time of day, UTC, from 2024-05-03"
    figure.canvas.draw()
    assert "00:00" in [label.get_text() for label in bottom.get_xticklabels()]
    assert "heart rate, median of 5 min" in texts(figure, 1)


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_file_is_whole_and_repeats(tmp_path: Path, suffix: str) -> None:
    for name in ("a", "b"):
        about = {"engine": "vectorised"}
        path = tmp_path / f"{name}{suffix}"
        plot_session(*lab_hour(), path, title="$S_01", segments=LAB, provenance=about)
    first, second = ((tmp_path / f"{name}{suffix}").read_bytes() for name in ("a", "b"))
    assert first == second
    assert first.startswith(b"\x89PNG" if suffix == ".png" else b"<?xml")
    assert 50_000 < len(first) < 1_500_000
    assert b"vectorised" in first


def test_the_small_print_names_version_model_and_limits() -> None:
    about = {"input": "ab" * 32}
    figure = session_figure(*lab_hour(), title="lab", provenance=about)
    printed = figure.get_supxlabel()
    assert "model 3f2a9c01d4e5 · SIMULATED · input abab" in printed
    assert "not a medical device" in printed


def test_a_session_without_beats_motion_or_model_says_so(tmp_path: Path) -> None:
    columns, beats = lab_hour()
    nothing = np.full(len(columns["t_s"]), np.nan)
    columns |= dict.fromkeys(("p_stress", "activity_mg", "rmssd_ms", "hr_mean_bpm"), nothing)
    plot_session(columns, cut(beats, slice(0)), tmp_path / "a.png", title="bare")
    figure = session_figure(columns, cut(beats, slice(0)), title="bare")
    told = {text.get_text() for axes in figure.axes for text in axes.texts}
    assert {"no beat intervals", "no motion recorded"} <= told


@pytest.mark.parametrize("rows", [slice(0), slice(1)])
def test_nearly_nothing_can_be_drawn(tmp_path: Path, rows: slice) -> None:
    columns, beats = lab_hour()
    plot_session(cut(columns, rows), cut(beats, rows), tmp_path / "few.png", title="few")
    assert (tmp_path / "few.png").stat().st_size > 10_000


def test_refusals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"written as \.gif: end the name in \.png or \.svg"):
        plot_session(*lab_hour(), tmp_path / "a.gif", title="")
    (tmp_path / "a.png").write_bytes(b"older")
    with pytest.raises(OutputError, match="--force"):
        plot_session(*lab_hour(), tmp_path / "a.png", title="")
    assert (tmp_path / "a.png").read_bytes() == b"older"
    monkeypatch.setattr(plots, "find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r"diastole\[plots\]"):
        plot_session(*lab_hour(), tmp_path / "b.png", title="")
    assert os.listdir(tmp_path) == ["a.png"]


def test_drawing_loads_no_state_of_pyplot() -> None:
    code = (
        "import sys; from tests.views.wearer import lab_hour\n"
        "from diastole.edge.views.plots import session_figure\n"
        "assert 'matplotlib' not in sys.modules\n"
        "session_figure(*lab_hour(), title='lab')\n"
        "assert 'matplotlib' in sys.modules and 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=True)


def test_labels_reach_as_far_as_the_recording() -> None:
    beyond = [
        (-1e9, 600.0, "rest", "rest"),
        (1800.0, 4e9, "stress", "test"),
        (5e8, 6e8, "rest", ""),
    ]
    figure = session_figure(*lab_hour(), title="lab", segments=beyond)
    figure.draw_without_rendering()
    assert names(figure) == PANELS
    strip = figure.axes[0].texts
    assert [text.get_text() for text in strip] == ["rest", "test"]
    assert [text.get_position()[0] for text in strip] == [5, 45]
    assert names(session_figure(*lab_hour(), title="lab", segments=beyond[2:])) == PANELS[1:]


def test_a_recording_of_many_years_has_few_ticks() -> None:
    columns, beats = day()
    columns = columns | {"t_s": columns["t_s"].copy()}
    columns["t_s"][-1] = 5e9
    figure = session_figure(columns, beats, title="far")
    figure.draw_without_rendering()
    assert len(figure.axes[-1].get_xticks()) < 30
    assert figure.axes[-1].get_xlabel() == "h from the start"
