"""Episodes counted against a laboratory's tasks and against a day of life."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from diastole.edge.chunks import Bools, Floats
from diastole.edge.labels import LABEL_S, Segment
from diastole.edge.pipeline import episodes
from diastole.edge.pipeline.judge import Scorer, judge
from diastole.edge.pipeline.observations import NO_REASON, SOURCES
from diastole.edge.pipeline.rules import Notices, Rules
from diastole.edge.records import SECOND_NS, BeatKind
from diastole.edge.replay.episodes import episode_columns
from diastole.edge.schema import HOP_S, WINDOW_S
from diastole.edge.tables import Columns
from diastole.models.table import Table

REACH_S = 60
"""An episode may begin so long before a task, in expectation, or so long after its end."""
RECOVERY_S = 120
"""After exercise nothing is counted as false for so long."""
LONG_S = 60
HOURS_A_DAY = 16


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """One session's windows with its labels."""

    table: Table
    start_ns: int
    segments: Sequence[Segment]

    @property
    def person(self) -> str:
        """Whose it is."""
        return str(self.table.person[0])


class Said(NamedTuple):
    """What was said in one session."""

    decided: Bools
    able: Bools
    episodes: Columns


class Lab(NamedTuple):
    """Tasks, those hit with their delays, and what was false; of short tasks, those hit.

    A task has beats where the device's own intervals make at least half of the windows in it, as in
    the tasks that the goal for hits was set on.
    """

    tasks: int
    delays_s: list[float]
    with_beats: int
    with_beats_hit: int
    short: int
    short_hit: int
    false: int
    false_min: float
    hours: float


class Day(NamedTuple):
    """One person's day: per 16 waking hours, shares of the waking time, and the night."""

    episodes: float
    told: float
    decided: float
    able: float
    an_able_hour: float
    at_night: int


def said(recorded: Recorded, model: Scorer, rules: Rules) -> Said:
    """Judge a session as a replay would."""
    readings = judge(recorded.table.observations, model, rules)
    _, told = episodes.step(
        episodes.State(), readings, episodes.FOREVER_NS, rules, Notices(), model.inputs
    )
    columns = episode_columns(told, session="", start_ns=recorded.start_ns, simulated=False)
    return Said(readings.reason == NO_REASON, readings.able, columns)


def lab(recorded: Recorded, heard: Said) -> Lab:
    """Count a session with tasks.

    A task is hit by an episode that begins within the reach of it, or of tasks whose reaches touch,
    and still runs at the task: so a running alarm that reaches into a task hits nothing. False is
    one that begins in any other labelled time but exercise and the two minutes after it. It begins
    when it is known.
    """
    told, start, end = (heard.episodes[name] for name in ("t_told_s", "t_start_s", "t_end_s"))
    delays: list[float] = []
    hits = {True: 0, False: 0}
    tasks = {True: 0, False: 0}
    with_beats = with_beats_hit = 0
    for task, reach_s in _reaches(recorded.segments):
        long = task.t_end_s - task.t_start_s >= LONG_S
        tasks[long] += 1
        beaten = long and _has_beats(recorded, task)
        with_beats += beaten
        hit = (told >= reach_s) & (told <= task.t_end_s + REACH_S) & (end >= task.t_start_s)
        if hit.any():
            hits[long] += 1
            with_beats_hit += beaten
            if long:
                delays.append(max(0.0, float(told[hit].min()) - task.t_start_s))
    hops = np.arange(0, max(s.t_end_s for s in recorded.segments), HOP_S)
    free = _free(recorded.segments, hops)
    begun = told[told < hops[-1] + HOP_S]
    inside = np.array([bool(free[int(t // HOP_S)]) for t in begun])
    running = np.zeros(len(hops), np.bool_)
    for first, last in zip(start, end, strict=True):
        running |= (hops >= first) & (hops < last)
    return Lab(
        tasks[True],
        delays,
        with_beats,
        with_beats_hit,
        tasks[False],
        hits[False],
        int(inside.sum()),
        float((running & free).sum() * HOP_S / 60),
        float(free.sum() * HOP_S / 3600),
    )


def _has_beats(recorded: Recorded, task: Segment) -> bool:
    """Return whether the device's own intervals make half of the windows in a task, or more."""
    observed = recorded.table.observations
    t_s = (observed.rows["time_ns"] - recorded.start_ns) / SECOND_NS
    inside = (t_s >= task.t_start_s + LABEL_S) & (t_s <= task.t_end_s + WINDOW_S - LABEL_S)
    given = inside & (observed.rows["source"] == SOURCES.index(BeatKind.PPI))
    windows = (task.t_end_s - task.t_start_s + WINDOW_S - 2 * LABEL_S) // HOP_S
    return bool(2 * np.count_nonzero(given) >= windows)


def _reaches(segments: Sequence[Segment]) -> Iterator[tuple[Segment, float]]:
    """Yield each task with the beginning of its reach, that of the first of those that touch."""
    reach_s, until_s = 0.0, -np.inf
    for task in (segment for segment in segments if segment.label == "stress"):
        if task.t_start_s - REACH_S > until_s:
            reach_s = task.t_start_s - REACH_S
        until_s = task.t_end_s + REACH_S
        yield task, reach_s


def _free(segments: Sequence[Segment], hops: Floats) -> Bools:
    """Return where an episode would be false."""
    free = np.zeros(len(hops), np.bool_)
    for segment in segments:
        free |= (hops >= segment.t_start_s) & (hops < segment.t_end_s)
    for segment in segments:
        if segment.label == "stress":
            free &= (hops < segment.t_start_s - REACH_S) | (hops >= segment.t_end_s + REACH_S)
        if segment.label == "exercise":
            free &= (hops < segment.t_start_s) | (hops >= segment.t_end_s + RECOVERY_S)
    return free


def day(recorded: Recorded, heard: Said) -> Day:
    """Count a day of life; waking is what the diary does not call sleep."""
    sleep = [segment for segment in recorded.segments if segment.label == "sleep"]
    whole_s = sum(s.t_end_s - s.t_start_s for s in recorded.segments)
    awake_h = (whole_s - sum(s.t_end_s - s.t_start_s for s in sleep)) / 3600
    begun = heard.episodes["t_told_s"]
    at_night, windows = (_within(sleep, times) for times in (begun, recorded.table.t_s))
    per_day = HOURS_A_DAY / awake_h
    able_h = float((heard.able & ~windows).sum()) * HOP_S / 3600
    count = int((~at_night).sum())
    return Day(
        count * per_day,
        float((heard.episodes["notify"] & ~at_night).sum()) * per_day,
        float((heard.decided & ~windows).sum()) * HOP_S / 3600 / awake_h,
        able_h / awake_h,
        count / able_h if able_h else np.nan,
        int(at_night.sum()),
    )


def _within(segments: Sequence[Segment], times_s: Floats) -> Bools:
    inside = np.zeros(len(times_s), np.bool_)
    for segment in segments:
        inside |= (times_s >= segment.t_start_s) & (times_s < segment.t_end_s)
    return inside
