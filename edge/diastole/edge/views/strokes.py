"""Strokes of the panels: lines that stop at a gap, spans, bands and legends."""

import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from diastole.edge.chunks import Floats
from diastole.edge.schema import HOP_S
from diastole.edge.views.words import Columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GAP_S: Final = 15
"""No line is drawn across a longer hole."""
LONG_S: Final = 4 * 3600
"""Over more, a median of 5 min is drawn over the values of a minute."""

Scale = Callable[[Any], Floats]
"""Seconds from the start to the time axis."""
Spans = NDArray[np.float64]
"""(n, 2) of starts and ends, or of starts and widths."""


def runs(t_s: Floats, x: Scale) -> Spans:
    """Return (start, width) of the runs of readings that end at ``t_s``."""
    if not len(t_s):
        return np.empty((0, 2))
    far = (np.diff(t_s) > GAP_S) | (np.diff(t_s) < 0)
    return widths(np.stack([t_s[np.r_[True, far]] - HOP_S, t_s[np.r_[far, True]]], axis=1), x)


def widths(spans: Spans, x: Scale) -> Spans:
    """Return (start, width) on the axis of spans from start to end."""
    scaled = x(spans)
    return np.stack([scaled[:, 0], scaled[:, 1] - scaled[:, 0]], axis=1)


def _gapped(t_s: Floats, *values: Floats) -> tuple[Floats, ...]:
    """Return the finite points with a NaN between those that no line may join."""
    finite = np.isfinite(values[0])
    t_s = t_s[finite]
    apart = np.flatnonzero((np.diff(t_s) > GAP_S) | (np.diff(t_s) < 0)) + 1
    return tuple(np.insert(column, apart, np.nan) for column in (t_s, *(v[finite] for v in values)))


def line(axes: "Axes", x: Scale, t_s: Floats, values: Floats, **style: Any) -> None:
    """Draw a line that no gap is bridged by, a lone value as a dot."""
    times, points = _gapped(t_s, values)
    width = 1.0 if len(t_s) < LONG_S / HOP_S else 0.5
    chosen: dict[str, Any] = {"lw": width, "marker": "o", "ms": 1.3 * width, "mew": 0} | style
    axes.plot(x(times), points, **chosen, rasterized=len(t_s) > LONG_S / HOP_S)


def trend(
    axes: "Axes", x: Scale, t_s: Floats, values: Floats, colours: tuple[str, str], name: str
) -> None:
    """Draw values of a minute, over a long session behind their median of 5 min."""
    strong, weak = colours
    if len(t_s) < LONG_S / HOP_S:
        line(axes, x, t_s, values, color=strong, label=f"{name}, 60 s")
        return
    line(axes, x, t_s, values, color=weak, label=f"{name}, 60 s")
    finite = np.isfinite(values)
    bins = t_s[finite] // 300
    turns = np.flatnonzero(np.diff(bins)) + 1
    medians = [np.median(part) for part in np.split(values[finite], turns) if len(part)]
    bins = bins[np.r_[0, turns]] if len(bins) else bins
    apart = np.flatnonzero(np.diff(bins) != 1) + 1
    times = np.insert(bins * 300 + 150, apart, np.nan)
    axes.plot(x(times), np.insert(np.array(medians), apart, np.nan), color=strong, lw=1.3)
    axes.lines[-1].set_label(f"{name}, median of 5 min")


def bars(axes: "Axes", spans: Spans, y: tuple[float, float], **style: Any) -> None:
    """Draw (start, width) spans at a height; a line's width keeps the shortest visible."""
    chosen: dict[str, Any] = {"lw": 0.6} | style
    axes.broken_barh([(float(start), float(width)) for start, width in spans], y, **chosen)


def band(axes: "Axes", rows: Columns, low: str, high: str, x: Scale) -> None:
    """Draw the wearer's own normal as far as it is known."""
    times, lows, highs = _gapped(rows["t_s"], rows[low], rows[high])
    if len(times):
        axes.fill_between(x(times), lows, highs, color="#D9D9D9", lw=0, label="own normal")


def nothing(axes: "Axes", text: str) -> None:
    """Say why a panel is empty."""
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes, color="#666666")


def legend(axes: "Axes", columns: int = 1) -> None:
    """Name what is drawn, beside the data."""
    handles, names = axes.get_legend_handles_labels()
    if handles:
        beside: dict[str, Any] = {"bbox_to_anchor": (1.005, 1.05), "borderaxespad": 0}
        wrapped = ["\n".join(textwrap.wrap(name, 32)) for name in names]
        placed = axes.legend(handles, wrapped, loc="upper left", ncols=columns, **beside)
        for text in placed.get_texts():
            text.set_parse_math(False)
