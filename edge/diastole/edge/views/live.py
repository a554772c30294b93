"""A session told as it goes: a live panel in a terminal, plain lines without one."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from diastole.edge.records import Decision, NormalStatus
from diastole.edge.schema import HOP_S
from diastole.edge.views.words import (
    DECISION_COLOURS,
    NOT_A_DIAGNOSIS,
    Columns,
    clock,
    notice,
    said,
)

SUSTAINED_S: Final = 60
"""What is said is told when it has held for so long."""
SILENCE_S: Final = 60
"""A longer hole between readings is told."""
ENDS_S: Final = 90
"""An episode's end is known so much later."""
FRAME_S: Final = 0.1
"""A terminal is not redrawn more often."""

Row = Mapping[str, Any]
Turn = tuple[float, str]
"""When something is known, in seconds, and what."""
_BARS: Final = "▁▂▃▄▅▆▇█"
_PLAIN_BARS: Final = "_.-=+*#@"
MEASURES: Final = (
    ("heart rate", "hr_mean_bpm", "bpm", "normal_hr"),
    ("RMSSD", "rmssd_ms", "ms", "normal_rmssd"),
)
_TREND_ROWS: Final = 120
_TREND_LETTERS: Final = 30


class Clock(Protocol):
    """Where the pace comes from; the module ``time`` is one."""

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        ...

    def sleep(self, seconds: float, /) -> None:
        """Wait."""
        ...


def tell(
    slices: Iterable[Columns],
    *,
    console: Console,
    minutes_per_second: float,
    total_s: float | None = None,
    episodes: Columns | None = None,
    chapters: Sequence[Turn] = (),
    timing: Clock = time,
) -> None:
    """Tell the readings of one session in order, at that pace where ``console`` is a terminal.

    Without a terminal each turn of the story is a line, at once. ``total_s`` is the session's
    length, where it is known; ``episodes`` are told when they were known, the headings of
    ``chapters`` when these begin.
    """
    story = Story(episodes, chapters)
    rows = (row for columns in slices for row in _rows(columns))
    if console.is_terminal and not console.is_dumb_terminal:
        _show(rows, story, console, 60 * minutes_per_second, total_s, timing)
        return
    for row in rows:
        for line in story.turns(row):
            console.print(Text(line), soft_wrap=True)


class Story:
    """Finds the turns of a session that are worth a line."""

    def __init__(self, episodes: Columns | None = None, chapters: Sequence[Turn] = ()) -> None:
        self.chapter = ""
        """The heading of the chapter that is told."""
        self._chapters = sorted(chapters, reverse=True)
        self._ahead = sorted(_stirs(episodes), reverse=True) if episodes else []
        self._told = ""
        self._saying = ""
        self._saying_from_s = 0.0
        self._label = ""
        self._learned = False
        self._last_s: float | None = None

    def turns(self, row: Row) -> Iterator[str]:
        """Yield what this reading adds to the story."""
        t_s = float(row["t_s"])
        when = clock(t_s)
        if self._last_s is not None and t_s - self._last_s > SILENCE_S:
            yield f"{when}  no readings for {(t_s - self._last_s) / 60:.0f} min"
        self._last_s = t_s
        while self._chapters and self._chapters[-1][0] <= t_s:
            begin_s, self.chapter = self._chapters.pop()
            yield f"{clock(begin_s)}  {self.chapter}"
        while self._ahead and self._ahead[-1][0] <= t_s:
            yield self._ahead.pop()[1]
        label = str(row.get("label", ""))
        if label != self._label:
            yield f"{when}  label: {label}" if label else f"{when}  label ends: {self._label}"
            self._label = label
        if not self._learned and row["normal_status"] != NormalStatus.CALIBRATING:
            self._learned = True
            yield f"{when}  the wearer's own normal is known: {_normals(row)}"
        saying = said(str(row["decision"]), str(row["reason"]))
        if saying != self._saying:
            self._saying, self._saying_from_s = saying, t_s
        if saying != self._told and t_s - self._saying_from_s >= SUSTAINED_S - HOP_S:
            self._told = saying
            yield f"{clock(self._saying_from_s)}  {saying}: {facts(row)}"


def _stirs(episodes: Columns) -> Iterator[Turn]:
    """Yield when the beginnings and ends of episodes are known, each with its line."""
    for row in _rows(episodes):
        start, told, end = (float(row[name]) for name in ("t_start_s", "t_told_s", "t_end_s"))
        why = f": {row['drivers']}" if row["drivers"] else ""
        notified = notice(bool(row["notify"]), str(row["notify_reason"]))
        yield told, f"{clock(told)}  an episode of strain since {clock(start)}{why} ({notified})"
        ended = f"the episode ended at {clock(end)}, after {(end - start) / 60:.0f} min"
        yield end + ENDS_S, f"{clock(end + ENDS_S)}  {ended}"


def _show(
    rows: Iterable[Row],
    story: "Story",
    console: Console,
    pace: float,
    total_s: float | None,
    timing: Clock,
) -> None:
    """Draw the panel under the story's lines, ``pace`` seconds of the session a second."""
    seen = list[Row]()
    begun = timing.monotonic()
    with Live(console=console, auto_refresh=False) as live:
        for row in rows:
            if not seen:
                begun -= float(row["t_s"]) / pace
            seen = [*seen[-_TREND_ROWS:], row]
            for line in story.turns(row):
                live.console.print(Text(line, style="dim"))
            ahead = begun + float(row["t_s"]) / pace - timing.monotonic()
            if ahead >= FRAME_S:
                live.update(_panel(seen, total_s, console, story.chapter), refresh=True)
                timing.sleep(ahead)
        if seen:
            live.update(_panel(seen, total_s, console, story.chapter), refresh=True)


def _panel(seen: list[Row], total_s: float | None, console: Console, chapter: str) -> Panel:
    row = seen[-1]
    grid = Table.grid(padding=(0, 2))
    wide = console.width >= 80
    for what, name, unit, normal in MEASURES:
        way = trend([float(old[name]) for old in seen], console) if wide else ""
        known = usual(row, normal, unit)
        grid.add_row(what, f"{number(row[name])} {unit}", known, Text(way, style="blue"))
    way = trend([float(old["p_stress"]) for old in seen], console, (0, 1)) if wide else ""
    grid.add_row("p(stress)", number(row["p_stress"], 2), "", Text(way, style="blue"))
    decision = Decision(row["decision"])
    words = Text(said(decision, str(row["reason"])), f"bold {DECISION_COLOURS[decision]}")
    body: list[Any] = [_header(row), Text(), words, grid, Text()]
    if chapter:
        body.insert(0, Text(chapter, style="bold"))
    if total_s:
        body.append(ProgressBar(total=total_s, completed=min(float(row["t_s"]), total_s)))
    body.append(Text(NOT_A_DIAGNOSIS, style="dim"))
    invented = ", SIMULATED" if row["simulated"] else ""
    return Panel(Group(*body), title=Text(f"{row['session']}{invented}"), title_align="left")


def _header(row: Row) -> Text:
    label = str(row.get("label", ""))
    motion = " (moving)" if row["exertion"] else " (asleep)" if row["asleep"] else ""
    return Text(f"{clock(float(row['t_s']))}{motion}" + (f"   label: {label}" if label else ""))


def facts(row: Row) -> str:
    """Return what a reading measured, and its p, in words."""
    known = []
    for what, name, unit, normal in MEASURES:
        value = f"{number(row[name])} {unit}" if np.isfinite(row[name]) else "unknown"
        known.append(f"{what} {value} {usual(row, normal, unit)}".strip())
    if np.isfinite(row["p_stress"]):
        known.append(f"p {number(row['p_stress'], 2)}")
    return ", ".join(known)


def _normals(row: Row) -> str:
    known = (
        f"{what} {_range(row, normal, unit)} {unit}"
        for what, _, unit, normal in MEASURES
        if _range(row, normal, unit)
    )
    return ", ".join(known)


def usual(row: Row, normal: str, unit: str) -> str:
    """Return the wearer's normal range in brackets, nothing where it is not known."""
    known = _range(row, normal, unit)
    return f"(normal {known})" if known else ""


def _range(row: Row, normal: str, unit: str) -> str:
    low, high = row[f"{normal}_low_{unit}"], row[f"{normal}_high_{unit}"]
    return f"{low:.0f}-{high:.0f}" if np.isfinite(low) else ""


def number(value: float, digits: int = 0) -> str:
    """Return a value, a question mark for NaN."""
    return f"{value:.{digits}f}" if np.isfinite(value) else "?"


def trend(
    values: Sequence[float], console: Console, span: tuple[float, float] | None = None
) -> str:
    """Return the last ten minutes as letters of eight heights, a space where nothing is known."""
    letters = _BARS if (console.encoding or "").startswith("utf") else _PLAIN_BARS
    parts = np.array_split(np.array(values), min(_TREND_LETTERS, len(values)))
    known = [part[np.isfinite(part)] for part in parts]
    means = np.array([part.mean() if len(part) else np.nan for part in known])
    if not np.isfinite(means).any():
        return ""
    low, high = span or (float(np.nanmin(means)), float(np.nanmax(means)))
    heights = np.clip((means - low) / max(high - low, 1e-9) * len(letters), 0, len(letters) - 1)
    return "".join(" " if np.isnan(height) else letters[int(height)] for height in heights)


def _rows(columns: Columns) -> Iterator[Row]:
    names = list(columns)
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(names, values, strict=True))
