"""One session as a picture: beats, heart rate, variability, what is said, motion and quality."""

import json
import textwrap
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from diastole.edge import __version__
from diastole.edge.chunks import Floats
from diastole.edge.errors import InputError, MissingExtra
from diastole.edge.outputs import refuse_existing, whole_file
from diastole.edge.views.panels import Segments, holes, panels
from diastole.edge.views.words import INK, NOT_A_DIAGNOSIS, Columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FORMATS: Final = {".png": "png", ".svg": "svg"}
LONGEST_CLOCK_H: Final = 72
"""Over more hours than this the axis counts them, and tells no time of day."""
_STYLE: Final[dict[Any, Any]] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.6,
    "axes.edgecolor": "#555555",
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": "#333333",
    "ytick.color": "#333333",
    "legend.frameon": False,
    "legend.fontsize": 8,
    "legend.handlelength": 1.2,
    "legend.labelspacing": 0.35,
    "legend.markerscale": 2.2,
    "hatch.linewidth": 0.6,
    "agg.path.chunksize": 10000,
    "svg.hashsalt": "diastole",
    "savefig.dpi": 110,
}


def check_suffix(path: Path) -> None:
    """Raise InputError where no picture is written under this name: worth asking early."""
    if path.suffix.lower() not in _FORMATS:
        what = f"{path}: no picture is written as {path.suffix or 'a file without a suffix'}"
        raise InputError(what, "end the name in .png or .svg")
    _need_matplotlib()


def _need_matplotlib() -> None:
    if find_spec("matplotlib") is None:
        library = "matplotlib"
        raise MissingExtra(library, "plots", "a picture")


def plot_session(
    columns: Columns,
    beats: Columns,
    path: Path,
    *,
    title: str,
    episodes: Columns | None = None,
    segments: Segments = (),
    provenance: Mapping[str, str] | None = None,
    force: bool = False,
) -> None:
    """Draw one session into ``path`` (PNG or SVG), whole or not at all.

    ``columns`` are its readings, ``beats`` its beats with their verdicts, ``episodes`` its episodes
    of strain. Raise InputError for
    another suffix, OutputError where ``path`` exists (unless ``force``) or cannot be written.
    """
    check_suffix(path)
    refuse_existing(path, force=force)
    figure = session_figure(
        columns, beats, title=title, episodes=episodes, segments=segments, provenance=provenance
    )
    about = {"Title": title, "Description": json.dumps(dict(provenance or {}))}
    import matplotlib as mpl

    kind = _FORMATS[path.suffix.lower()]
    undated = {"Date": None} if kind == "svg" else {}
    with mpl.rc_context(_STYLE), whole_file(path, force=force) as stream:
        figure.savefig(stream, format=kind, metadata=about | undated)


def session_figure(
    columns: Columns,
    beats: Columns,
    *,
    title: str,
    episodes: Columns | None = None,
    segments: Segments = (),
    provenance: Mapping[str, str] | None = None,
) -> "Figure":
    """Return the picture of one session, its panels over one time axis."""
    _need_matplotlib()
    import matplotlib as mpl
    from matplotlib.figure import Figure

    x = _Time(columns, beats)
    drawn = list(panels(columns, beats, x.within(segments), x, episodes))
    heights = [height for height, _ in drawn]
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(14, 1.0 + 1.1 * sum(heights)), layout="constrained")
        grid = figure.subplots(len(drawn), sharex=True, gridspec_kw={"height_ratios": heights})
        for axes, (_, draw) in zip(grid, drawn, strict=True):
            draw(axes)
            for start, width in holes(columns, x):
                axes.axvspan(start, start + width, color="#F1F1F1", lw=0, zorder=0)
        x.dress(grid[-1])
        figure.align_ylabels(grid)
        figure.suptitle(
            _heading(title, columns), x=0.01, ha="left", fontweight="bold", parse_math=False
        )
        small: dict[str, Any] = {"x": 0.01, "ha": "left", "fontsize": 7, "color": "#555555"}
        figure.supxlabel(_footer(columns, provenance or {}), parse_math=False, **small)
    return figure


def _heading(title: str, columns: Columns) -> str:
    parts = [title, *map(str, np.unique(columns["device"]))]
    if len(columns["time"]) and columns["time"][0]:
        parts.append(f"{str(columns['time'][0])[:16].replace('T', ' ')} UTC")
    return "   ".join(parts)


def _footer(columns: Columns, provenance: Mapping[str, str]) -> str:
    models = [str(model)[:12] for model in np.unique(columns["model"]) if model]
    simulated = ["SIMULATED"] if columns["simulated"].any() else []
    facts = [f"diastole {__version__}", f"model {' '.join(models) or 'none'}", *simulated]
    short = {name: value for name, value in provenance.items() if value[:1] not in ("", "{", "[")}
    facts += [f"{name} {value[:24]}" for name, value in short.items() if name != "diastole"]
    return "\n".join([*textwrap.wrap(" · ".join(facts), 220)[:2], NOT_A_DIAGNOSIS])


class _Time:
    """The time axis: minutes or hours from the start, or the time of day over some hours."""

    def __init__(self, columns: Columns, beats: Columns) -> None:
        ends = np.concatenate([columns["t_s"], beats["t_s"]])
        self.start_s = min(0.0, float(ends.min(initial=0.0)))
        self.end_s = float(ends.max(initial=60.0))
        hours = (self.end_s - self.start_s) / 3600
        long = hours > 4
        self.origin_s = 0.0
        self.label, self.unit_s = (
            ("h from the start", 3600.0) if long else ("min from the start", 60.0)
        )
        dated = len(columns["time"]) > 0 and columns["time"][0] != ""
        self.clock = dated and 4 < hours <= LONGEST_CLOCK_H
        if self.clock:
            first = np.datetime64(str(columns["time"][0])[:23], "ms")
            of_day = (first - first.astype("datetime64[D]")) / np.timedelta64(1, "s")
            self.origin_s = float(columns["t_s"][0]) - float(of_day)
            self.label = f"time of day, UTC, from {first.astype('datetime64[D]')}"

    def __call__(self, t_s: Any) -> Floats:
        scaled: Floats = (np.asarray(t_s, np.float64) - self.origin_s) / self.unit_s
        return scaled

    def within(self, segments: Segments) -> Segments:
        """Return what of the segments lies on the axis."""
        cut = (
            (max(start_s, self.start_s), min(end_s, self.end_s), label, raw)
            for start_s, end_s, label, raw in segments
        )
        return [segment for segment in cut if segment[0] < segment[1]]

    def dress(self, axes: "Axes") -> None:
        from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

        axes.set_xlim(*self([self.start_s, self.end_s]))
        axes.set_xlabel(self.label)
        if self.clock:
            axes.xaxis.set_major_locator(MultipleLocator(2))
            axes.xaxis.set_major_formatter(
                FuncFormatter(lambda hour, _: f"{int(hour) % 24:02d}:00")
            )
        else:
            axes.xaxis.set_major_locator(MaxNLocator(14, steps=[1, 2, 5, 10]))
