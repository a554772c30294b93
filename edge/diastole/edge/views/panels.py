"""The panels of a session's picture; each draws into axes that it is given."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from diastole.edge.chunks import Bools, Floats
from diastole.edge.records import BeatKind, Decision, Grade, HeartRateKind, Reason, Verdict
from diastole.edge.schema import HOP_S, UNCERTAIN
from diastole.edge.views.strokes import (
    GAP_S,
    LONG_S,
    Scale,
    Spans,
    band,
    bars,
    legend,
    line,
    nothing,
    runs,
    trend,
    widths,
)
from diastole.edge.views.words import (
    BLUE,
    DECISION_COLOURS,
    DECISION_WORDS,
    GREY,
    INK,
    ORANGE,
    PLUM,
    PURPLE,
    REASON_WORDS,
    SKY,
    SOURCE_WORDS,
    VERDICT_WORDS,
    VERMILLION,
    Columns,
    percent,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Segments = Sequence[tuple[float, float, str, str]]
"""Start and end in seconds, label, and what the study called it."""
Panel = tuple[float, Callable[["Axes"], None]]
"""Height in inches, and what draws it."""

_MARKERS: Final = {
    Verdict.NO_CONTACT: ("v", INK),
    Verdict.MOVING: ("x", ORANGE),
    Verdict.IMPRECISE: ("1", PURPLE),
    Verdict.LOW_QUALITY: ("+", PURPLE),
    Verdict.ACROSS_BREAK: ("|", INK),
    Verdict.OUT_OF_RANGE: ("^", INK),
    Verdict.ARTEFACT: ("D", VERMILLION),
    Verdict.BESIDE_ARTEFACT: ("o", SKY),
}
_LABEL_COLOURS: Final = {
    "stress": "#F0C060",
    "exercise": "#DDA6C4",
    "exercise_light": "#EBCBDD",
    "rest": "#9CD0F0",
    "recovery": "#C9E4F6",
    "sleep": "#A3AFCB",
}
_DOTS: Final[dict[str, Any]] = {"ls": "", "marker": "o", "rasterized": True}
_SOURCE_COLOURS: Final = {
    BeatKind.RR: (BLUE, SKY),
    BeatKind.PPI: (BLUE, SKY),
    BeatKind.PPG: (PLUM, PURPLE),
    HeartRateKind.SPECTRAL: (ORANGE, ORANGE),
    HeartRateKind.DEVICE: (GREY, GREY),
    "none": (INK, INK),
}
"""Of windows good for variability, and of those good for heart rate only."""
_OTHER_LABEL: Final = "#E4E4E4"
_LETTERS: Final = 150
"""Letters of a strip's text that fit beside each other."""


def panels(
    columns: Columns,
    beats: Columns,
    segments: Segments,
    x: Scale,
    episodes: Columns | None = None,
) -> Iterator[Panel]:
    """Give the panels of one session from top to bottom; rows of a device stand together."""
    order = np.lexsort((columns["t_s"], columns["device"]))
    rows = {name: column[order] for name, column in columns.items()}
    if segments:
        yield 0.35, lambda axes: labels(axes, segments, x)
    yield 2.2, lambda axes: tachogram(axes, beats, x)
    yield 1.6, lambda axes: heart_rate(axes, rows, x)
    yield 1.6, lambda axes: variability(axes, rows, x)
    scored = np.isfinite(rows["p_stress"]).any()
    yield 1.3 if scored else 0.5, lambda axes: probability(axes, rows, x, episodes)
    spoken = list(statements(rows))
    yield 0.35 + 0.19 * len(spoken), lambda axes: said(axes, rows, spoken, x)
    yield 1.3, lambda axes: motion(axes, rows, x)
    yield 1.2, lambda axes: quality(axes, rows, x)


def labels(axes: "Axes", segments: Segments, x: Scale) -> None:
    """Draw what the session's moments are known to be as a strip."""
    axes.set(ylim=(0, 1), yticks=[], ylabel="label")
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    whole_s = max(end for _, end, _, _ in segments) - min(start for start, *_ in segments)
    for start, end, label, raw in segments:
        left, right = x([start, end])
        colour = _LABEL_COLOURS.get(label, _OTHER_LABEL)
        axes.axvspan(left, right, facecolor=colour, edgecolor="white")
        room = _LETTERS * (end - start) / whole_s
        if text := next((text for text in (raw.replace("_", " "), label) if len(text) < room), ""):
            middle = (left + right) / 2
            axes.text(middle, 0.47, text, ha="center", va="center", fontsize=7.5, parse_math=False)
    for label in dict.fromkeys(label for _, _, label, _ in segments):
        if label in _LABEL_COLOURS:
            axes.fill_between([], [], color=_LABEL_COLOURS[label], lw=0, label=label)
    legend(axes, columns=2)


def tachogram(axes: "Axes", beats: Columns, x: Scale) -> None:
    """Draw every beat interval, those left out by reason."""
    accepted, rr_ms, t_s = beats["accepted"], beats["rr_ms"], beats["t_s"]
    axes.set_ylabel("beat interval\nms")
    size = 3.0 if len(t_s) < 10_000 else 1.3
    axes.plot(
        x(t_s[accepted]),
        rr_ms[accepted],
        **(_DOTS | {"color": BLUE, "ms": size, "mew": 0}),
        label=f"accepted ({np.count_nonzero(accepted):,})",
    )
    low, high = _range(rr_ms[accepted])
    axes.set_ylim(low, high)
    for verdict, (marker, colour) in _MARKERS.items():
        so = beats["reason"] == verdict
        if so.any():
            inside = np.clip(rr_ms[so], low + 0.01 * (high - low), high - 0.01 * (high - low))
            style = _DOTS | {"marker": marker, "color": colour, "ms": 1.2 * size, "mew": size / 5}
            style |= {"alpha": 0.8, "zorder": 1.5}
            name = f"{VERDICT_WORDS[verdict]} ({np.count_nonzero(so):,})"
            axes.plot(x(t_s[so]), inside, **style, label=name)
    if not len(t_s):
        nothing(axes, "no beat intervals")
    legend(axes)


def heart_rate(axes: "Axes", rows: Columns, x: Scale) -> None:
    """Draw the heart rate against the wearer's own normal."""
    axes.set_ylabel("heart rate\nbpm")
    band(axes, rows, "normal_hr_low_bpm", "normal_hr_high_bpm", x)
    trend(axes, x, rows["t_s"], rows["hr_mean_bpm"], (BLUE, SKY), "heart rate")
    legend(axes)


def variability(axes: "Axes", rows: Columns, x: Scale) -> None:
    """Draw the RMSSD against the wearer's own normal, on a log scale."""
    axes.set(ylabel="RMSSD\nms", yscale="log")
    band(axes, rows, "normal_rmssd_low_ms", "normal_rmssd_high_ms", x)
    positive = np.where(rows["rmssd_ms"] > 0, rows["rmssd_ms"], np.nan)
    trend(axes, x, rows["t_s"], positive, (PLUM, "#E3B4CE"), "RMSSD")
    finite = positive[np.isfinite(positive)]
    if not len(finite):
        nothing(axes, "no variability could be measured")
    low, high = np.quantile(finite, [0.002, 0.998]) if len(finite) else (8.0, 80.0)
    ticks = np.outer([1, 10, 100], [1, 2, 5] if high > 8 * low else [1, 1.5, 2, 3, 5, 7]).ravel()
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_ylim(0.8 * low, 1.25 * high)
    legend(axes)


def probability(axes: "Axes", rows: Columns, x: Scale, episodes: Columns | None = None) -> None:
    """Draw p(stress) with its band of doubt, coloured by what was decided, over the episodes."""
    axes.set(ylabel="p(stress)", ylim=(-0.04, 1.04), yticks=[0, 0.5, 1])
    p_stress = rows["p_stress"]
    if not np.isfinite(p_stress).any():
        nothing(axes, "no probability: no model, or no reading that it fits")
        return
    if episodes is not None:
        _bands(axes, episodes, x)
    axes.axhspan(*UNCERTAIN, facecolor="#EFEFEF", edgecolor="#C4C4C4", hatch="////", lw=0)
    line(axes, x, rows["t_s"], p_stress, color="#B0B0B0", label=None)
    for decision, colour in DECISION_COLOURS.items():
        so = (rows["decision"] == decision) & np.isfinite(p_stress)
        style = _DOTS | {"color": colour, "ms": 3 if len(so) < LONG_S / HOP_S else 1.6, "mew": 0}
        axes.plot(x(rows["t_s"][so]), p_stress[so], **style, label=DECISION_WORDS[decision])
    legend(axes)


def _bands(axes: "Axes", episodes: Columns, x: Scale) -> None:
    """Draw each episode from its start to its end; a thicker edge where the wearer was told."""
    spans = widths(np.stack([episodes["t_start_s"], episodes["t_end_s"]], axis=1), x)
    for told, width, name in ((True, 1.6, "told"), (False, 0.6, "not told")):
        so = episodes["notify"] == told
        if so.any():
            style: dict[str, Any] = {"fc": f"{ORANGE}40", "ec": VERMILLION, "lw": width}
            label = f"episode, {name} ({np.count_nonzero(so)})"
            bars(axes, spans[so], (-0.02, 1.04), **style, label=label, zorder=0.5)


def statements(rows: Columns) -> Iterator[tuple[str, Decision, Bools]]:
    """Yield what may be said, in words, and the rows that say so: undecided ones by reason."""
    for decision in (Decision.STRESS, Decision.CALM):
        yield DECISION_WORDS[decision], decision, rows["decision"] == decision
    for reason in Reason:
        if (so := rows["reason"] == reason).any():
            yield REASON_WORDS[reason], Decision.UNDECIDED, so


def said(
    axes: "Axes", rows: Columns, spoken: Sequence[tuple[str, Decision, Bools]], x: Scale
) -> None:
    """Draw what is said when: a row a statement, with its share of worn time."""
    names = []
    for place, (words, decision, so) in enumerate(spoken):
        hatch = "/////" if decision == Decision.UNDECIDED else None
        face = "#DADADA" if hatch else DECISION_COLOURS[decision]
        edge = GREY if hatch else face  # a line's width keeps a single reading of a day visible
        bars(axes, runs(rows["t_s"][so], x), (place - 0.36, 0.72), fc=face, ec=edge, hatch=hatch)
        names.append(f"{words}  {percent(so)}")
    axes.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5))
    axes.set_ylabel("what is said")
    axes.axhline(1.5, color="#B0B0B0", lw=0.8)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0, left=False, labelleft=False, labelright=True)


def motion(axes: "Axes", rows: Columns, x: Scale) -> None:
    """Draw the activity, and where it was taken as exertion or sleep."""
    axes.set_ylabel("activity\nmg")
    axes.set_yscale("symlog", linthresh=10, linscale=0.5)
    axes.set_yticks([0, 10, 35, 100, 300, 1000], ["0", "10", "35", "100", "300", "1000"])
    axes.minorticks_off()
    across = axes.get_xaxis_transform()
    shades = (("exertion", _LABEL_COLOURS["exercise"]), ("asleep", _LABEL_COLOURS["sleep"]))
    for flag, colour in shades:
        if rows[flag].any():
            spans = runs(rows["t_s"][rows[flag]], x)
            bars(axes, spans, (0, 1), fc=colour, alpha=0.6, lw=0, label=flag, transform=across)
    activity = rows["activity_mg"]
    axes.set_ylim(0, max(100.0, 1.2 * float(np.nanmax(activity, initial=0.0))))
    if np.isfinite(activity).any():
        axes.axhline(35, color=GREY, lw=0.8, ls=(0, (4, 3)), label="still: below 35")
        line(axes, x, rows["t_s"], activity, color=INK, label="activity, median of 60 s")
    else:
        nothing(axes, "no motion recorded")
    legend(axes)


def quality(axes: "Axes", rows: Columns, x: Scale) -> None:
    """Draw how much of each window beats cover, and what the numbers rest on."""
    axes.set(ylabel="coverage", ylim=(-0.05, max(1.08, float(rows["coverage"].max(initial=0)))))
    axes.axhline(0.3, color=GREY, lw=0.8, ls=(0, (4, 3)))
    for source in dict.fromkeys(rows["source"]):
        for grade in Grade:
            so = (rows["source"] == source) & (rows["grade"] == grade)
            if so.any():
                beaten = source in set(BeatKind) and grade != Grade.BEATS
                only = ", good for heart rate only" if beaten else ""
                name = f"{SOURCE_WORDS[str(source)]}{only}"
                values = np.where(so, rows["coverage"], np.nan)
                line(
                    axes,
                    x,
                    rows["t_s"],
                    values,
                    color=_SOURCE_COLOURS[str(source)][beaten],
                    label=name,
                )
    legend(axes)


def holes(columns: Columns, x: Scale) -> Spans:
    """Return where the axis has no reading, as spans on it."""
    t_s = np.unique(columns["t_s"])
    after = np.flatnonzero(np.diff(t_s) > GAP_S)
    return widths(np.stack([t_s[after], t_s[after + 1] - HOP_S], axis=1), x)


def _range(rr_ms: Floats) -> tuple[float, float]:
    if not len(rr_ms):
        return 300.0, 1500.0
    low, high = np.quantile(rr_ms, [0.002, 0.998])
    return max(250.0, 0.8 * low), min(2100.0, 1.2 * high)
