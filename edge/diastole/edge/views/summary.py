"""What a person reads about one session, and its row among many."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from diastole.edge.chunks import Bools, Floats
from diastole.edge.records import Decision, Reason
from diastole.edge.schema import HOP_S
from diastole.edge.views.words import (
    DECISION_COLOURS,
    DECISION_WORDS,
    NOT_A_DIAGNOSIS,
    REASON_WORDS,
    SOURCE_WORDS,
    Columns,
    clock,
    notice,
    percent,
)

_MIN: Final = HOP_S / 60
_NUMBERS: Final = ("from", "minutes", "peak p")
Line = tuple[str, str, str]
"""What, how much, and the style of it."""


def summary(
    columns: Columns,
    *,
    title: str,
    episodes: Columns | None = None,
    notes: Sequence[str] = (),
) -> RenderableType:
    """Draw one session's readings, and with labels what was said in each.

    ``notes`` tell what the recording survived. Minutes are readings of 5 s, shares of worn time.
    """
    blocks: list[RenderableType] = []
    for device in np.unique(columns["device"]):
        rows = {name: column[columns["device"] == device] for name, column in columns.items()}
        blocks += [_grid(_lines(rows)), Text(" ")]
        if "label" in rows and (rows["label"] != "").any():
            blocks += [_by_label(rows), Text(" ")]
    if not blocks:
        blocks += [Text("no readings: nothing was worn for as long as a minute"), Text(" ")]
    if episodes is not None:
        blocks += [_by_episode(episodes), Text(" ")]
    blocks += [Text(f"note: {note}") for note in notes]
    blocks += [Text(NOT_A_DIAGNOSIS, style="dim")]
    indented = (Padding(block, (0, 0, 0, 2), expand=False) for block in blocks)
    return Group(Text(title, style="bold"), *indented)


def cohort_row(
    columns: Columns,
    episodes: Columns | None = None,
    *,
    session: str,
    subject: str,
    notes: Sequence[str] = (),
    error: str = "",
) -> dict[str, str | int | float]:
    """Return a session's row of ``summary.csv``; without columns all is 0 or NaN.

    With several devices, minutes of what is said are those of all of them together; time worn is
    counted once.
    """
    if not columns:
        columns = dict.fromkeys(_NEEDED_TEXT, np.empty(0, np.str_))
        columns |= dict.fromkeys(_NEEDED_NUMBERS, np.empty(0))
    decision, reason = columns["decision"], columns["reason"]
    undecided = {f"undecided_{why}_min": _minutes(reason == why) for why in Reason}
    return {
        "session": session,
        "subject": subject,
        "device": " ".join(np.unique(columns["device"])),
        "worn_min": _minutes(np.unique(columns["t_s"]) > -np.inf),
        "decided_share": _share(decision != Decision.UNDECIDED),
        "calm_min": _minutes(decision == Decision.CALM),
        "stress_min": _minutes(decision == Decision.STRESS),
        **undecided,
        "episodes": len(episodes["notify"]) if episodes else 0,
        "notices": int(episodes["notify"].sum()) if episodes else 0,
        "hr_median_bpm": _quantile(columns["hr_mean_bpm"], 0.5),
        "rmssd_median_ms": _quantile(columns["rmssd_ms"], 0.5),
        "rmssd_share": _share(np.isfinite(columns["rmssd_ms"])),
        "coverage_median": _quantile(columns["coverage"], 0.5),
        "notes": "; ".join(notes),
        "error": error,
    }


_NEEDED_TEXT: Final = ("device", "decision", "reason")
_NEEDED_NUMBERS: Final = ("t_s", "hr_mean_bpm", "rmssd_ms", "coverage")


def _lines(rows: Columns) -> Iterator[Line]:
    yield from _wearing(rows)
    yield from _said(rows)
    yield from _measure(rows, "heart rate", "hr_mean_bpm", "normal_hr", "bpm")
    yield from _measure(rows, "RMSSD", "rmssd_ms", "normal_rmssd", "ms")
    coverage = _quantile(rows["coverage"], 0.5)
    graded = percent(np.isfinite(rows["rmssd_ms"]))
    yield "coverage", f"{coverage:.0%} of a minute (median); variability in {graded}", ""
    models = [model for model in np.unique(rows["model"]) if model]
    yield "model", " ".join(models) or "none: every reading is undecided", ""


def _wearing(rows: Columns) -> Iterator[Line]:
    device = str(rows["device"][0])
    invented = ", SIMULATED" if rows["simulated"].any() else ""
    yield "device", f"{device}{invented}", ""
    sources, counts = np.unique(rows["source"], return_counts=True)
    for k in np.argsort(-counts, kind="stable"):
        share = percent(rows["source"] == sources[k])
        yield "  gives", f"{SOURCE_WORDS[str(sources[k])]} ({share})", "dim"
    if not np.isfinite(rows["activity_mg"]).any():
        yield "  gives", "no motion: exertion is told from the heart rate, sleep not at all", "dim"
    first, last = (str(rows["time"][k])[:16].replace("T", " ") for k in (0, -1))
    until = last[11:] if last[:10] == first[:10] else last
    when = f", {first} to {until} UTC" if first else ""
    yield "worn", f"{_duration(_minutes(rows['decision'] != ''))}{when}", ""


def _said(rows: Columns) -> Iterator[Line]:
    decided = rows["decision"] != Decision.UNDECIDED
    yield "decided", percent(decided), "bold"
    for decision in (Decision.CALM, Decision.STRESS, Decision.UNDECIDED):
        style = f"bold {DECISION_COLOURS[decision]}"
        yield f"  {DECISION_WORDS[decision]}", _amount(rows["decision"] == decision), style
    whys = [(why, rows["reason"] == why) for why in Reason]
    for why, rows_so in sorted(whys, key=lambda pair: -int(pair[1].sum())):
        if rows_so.any():
            yield f"    {REASON_WORDS[why]}", _amount(rows_so), ""


def _measure(rows: Columns, what: str, name: str, normal: str, unit: str) -> Iterator[Line]:
    values = rows[name]
    if not np.isfinite(values).any():
        yield what, "never measurable", ""
        return
    low, middle, high = (_quantile(values, q) for q in (0.05, 0.5, 0.95))
    yield what, f"{middle:.0f} {unit}, mostly {low:.0f}-{high:.0f}", ""
    lowest, highest = (rows[f"{normal}_{end}_{unit}"] for end in ("low", "high"))
    known = np.isfinite(values) & np.isfinite(lowest)
    if not known.any():
        yield "  normal", "not learned", ""
        return
    below, above = (values < lowest)[known], (values > highest)[known]
    shares = f"below {percent(below)}, within {percent(~below & ~above)}, above {percent(above)}"
    last = np.flatnonzero(known)[-1]
    yield "  normal", f"{lowest[last]:.0f}-{highest[last]:.0f} {unit}: {shares}", ""


def _by_label(rows: Columns) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("label", "minutes", *DECISION_WORDS.values()):
        table.add_column(heading, justify="left" if heading == "label" else "right")
    labels, first = np.unique(rows["label"], return_index=True)
    for label in labels[np.argsort(first)]:
        inside = rows["label"] == label
        shares = [_share(rows["decision"][inside] == decision) for decision in DECISION_WORDS]
        cells = [f"{_minutes(inside):.1f}", *(f"{share:.0%}" for share in shares)]
        table.add_row(Text(str(label) or "(none)"), *cells)
    return table


def _by_episode(episodes: Columns) -> RenderableType:
    told, n = int(episodes["notify"].sum()), len(episodes["notify"])
    if not n:
        return Text("episodes of strain: none")
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.title, table.title_justify = f"episodes of strain: {n}, {told} told", "left"
    table.title_style = "bold"
    for heading in ("from", "minutes", "peak p", "", "why"):
        table.add_column(heading, justify="right" if heading in _NUMBERS else "left")
    for k in range(n):
        start, end = float(episodes["t_start_s"][k]), float(episodes["t_end_s"][k])
        told_or_not = notice(bool(episodes["notify"][k]), str(episodes["notify_reason"][k]))
        cells = (clock(start), f"{(end - start) / 60:.1f}", f"{episodes['peak_p'][k]:.2f}")
        table.add_row(*cells, told_or_not, Text(str(episodes["drivers"][k])))
    return table


def _grid(lines: Iterator[Line]) -> Table:
    grid = Table.grid(padding=(0, 2))
    for what, much, style in lines:
        grid.add_row(Text(what, style=style), Text(much, style=style))
    return grid


def _minutes(rows: Any) -> float:
    return round(int(np.count_nonzero(rows)) * _MIN, 2)


def _share(rows: Bools) -> float:
    return round(float(rows.mean()), 4) if len(rows) else np.nan


def _amount(rows: Bools) -> str:
    return f"{_duration(_minutes(rows))} ({percent(rows)})"


def _duration(minutes: float) -> str:
    if minutes < 120:
        return f"{minutes:.1f} min"
    return f"{int(minutes // 60)} h {round(minutes % 60):02d} min"


def _quantile(values: Floats, q: float) -> float:
    finite = values[np.isfinite(values)]
    return round(float(np.quantile(finite, q)), 4) if len(finite) else np.nan
