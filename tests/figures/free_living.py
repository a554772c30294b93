"""Episodes in people's days and in laboratories: ``python -m tests.figures.free_living``.

MMASH, by the shipped model: episodes a waking day (16 h), those told, how much of the waking time
is decided and able to begin one, episodes an able hour and a night. Beside it, by models that leave
the person out, the laboratory tasks of 60 s and more that an episode hits, of all and of those that
have beats (the device's own intervals make half of their windows; the goal was set on such tasks,
though counted in another way: 72), false ones an hour and the delay from the announcement. Then the
same with each lesson of free living switched off. Goals: hit >= 0.50 at <= 1 false an hour, delay
<= 150 s; a day <= 6 (median) and <= 13 (90th centile of people), decided >= 0.50, able >= 0.15; a
night <= 1.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import numpy as np

from diastole.edge.labels import read_labels
from diastole.edge.pipeline.rules import Rules
from diastole.edge.replay import observe
from diastole.models.datasets import LabelledSession, sessions_of
from diastole.models.evaluate import folds, linear
from diastole.models.metrics import figure
from diastole.models.table import join_tables, table_of
from diastole.models.train import CHOSEN
from tests.figures.counted import Day, Lab, Recorded, day, lab, said
from tests.figures.observed import DATA, LABELS, SETS, Alter, whole, without_motion

LABORATORIES = ("hongn", "stress-predict")
ONE_MODEL = "everybody"


class Lesson(NamedTuple):
    """What is switched off."""

    name: str
    rules: Rules = Rules()
    inputs: Sequence[str] = CHOSEN
    alter: Alter = whole


ANYHOW = Rules(episode_above=-99.0)
LESSONS = (
    Lesson("as shipped"),
    Lesson("normal of the lowest 35 %", Rules(normal_share=0.35)),
    Lesson("no rise over the own hour", ANYHOW, [n for n in CHOSEN if n != "hr_rise_1h"]),
    Lesson("sleep not told", Rules(asleep_mg=0.0)),
    Lesson("tail always of 5 min", Rules(tail_hr=0.01)),
    Lesson("begins without stillness", Rules(still_min=0.0)),
    Lesson("begins by 18 of 24", Rules(episode_of=24, episode_stress=18, episode_span_s=180)),
    Lesson("begins by any stress", ANYHOW),
    Lesson("no acceleration", alter=without_motion),
)
HEAD = (
    f"{'':26} {'a day: median, 90th':>24} {'told':>10} {'decided':>7} {'able':>5} {'/able h':>7} "
    f"{'night':>7} | {'set':14} {'tasks hit':>13} {'with beats':>13} "
    f"{'short':>7} {'false/h':>7} {'min/h':>5} {'delay s':>7}"
)


def see(task: tuple[LabelledSession, Rules, Alter]) -> Recorded:
    """Observe one session."""
    session, rules, alter = task
    seen = observe(session.path, rules=rules, alter=alter)
    segments = read_labels(session.labels).of(session.path)
    return Recorded(table_of(session, seen, segments), seen.recording.start_ns, segments)


def sessions() -> list[LabelledSession]:
    """Return the days, then the laboratories' sessions."""
    days = [
        LabelledSession("mmash", path.stem, path.stem, path, LABELS["MMASH"])
        for path in SETS["MMASH"]
    ]
    return days + [item for item in sessions_of(DATA) if item.data_set in LABORATORIES]


def counted(recorded: Sequence[Recorded], lesson: Lesson) -> tuple[list[Day], dict[str, list[Lab]]]:
    """Judge the days by one model, each person of a laboratory by one trained without them."""
    labs = [item for item in recorded if item.table.data_set[0] in LABORATORIES]
    table, fit = join_tables([item.table for item in labs]), linear(lesson.inputs)
    model, apart = fit(table, []), folds(table, fit)
    days = [
        day(item, said(item, model, lesson.rules))
        for item in recorded
        if item.table.data_set[0] == "mmash"
    ]
    by_set = {
        name: [
            lab(item, said(item, apart[item.person], lesson.rules))
            for item in labs
            if item.table.data_set[0] == name
        ]
        for name in LABORATORIES
    }
    return days, by_set


def lines(name: str, days: Sequence[Day], by_set: dict[str, list[Lab]]) -> list[str]:
    """Return a line a laboratory and one of both, the days' figures on the first."""
    count, told, decided, able, an_able_hour, at_night = np.array(days).T
    middle = figure(lambda drawn: float(np.median(np.repeat(count, drawn.astype(int)))), len(days))
    left = (
        f"{name:26} {middle.value:5.1f} [{middle.low:4.1f},{middle.high:5.1f}] "
        f"{np.quantile(count, 0.9):6.1f} {np.median(told):5.1f}{np.quantile(told, 0.9):5.1f} "
        f"{np.median(decided):7.2f} {np.median(able):5.2f} {np.nanmedian(an_able_hour):7.1f} "
        f"{np.median(at_night):4.0f}/{at_night.max():2.0f} "
    )
    both = [item for items in by_set.values() for item in items]
    right = [_lab_line(*pair) for pair in [("both", both), *by_set.items()]]
    return [
        f"{left:>{len(left)}}| {right[0]}",
        *(f"{'':{len(left)}}| {line}" for line in right[1:]),
    ]


def _lab_line(name: str, items: Sequence[Lab]) -> str:
    tasks, hours = sum(item.tasks for item in items), sum(item.hours for item in items)
    delays = [delay for item in items for delay in item.delays_s]
    short = f"{sum(item.short_hit for item in items)}/{sum(item.short for item in items)}"
    hit = f"{len(delays)}/{tasks} {len(delays) / tasks:.2f}"
    beaten, beaten_hit = (sum(n) for n in zip(*_beaten(items), strict=True))
    of_beaten = f"{beaten_hit}/{beaten} {beaten_hit / max(beaten, 1):.2f}"
    return (
        f"{name:14} {hit:>13} {of_beaten:>13} {short:>7} "
        f"{sum(item.false for item in items) / hours:7.2f} "
        f"{sum(item.false_min for item in items) / hours:5.1f} "
        f"{np.median(delays) if delays else np.nan:7.0f}"
    )


def _beaten(items: Sequence[Lab]) -> list[tuple[int, int]]:
    return [(item.with_beats, item.with_beats_hit) for item in items]


def main() -> None:
    """Print the table; a session is observed once for every way to observe it."""
    print(HEAD)
    known: dict[tuple[object, ...], list[Recorded]] = {}
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for lesson in LESSONS:
            key = _way(lesson)
            if key not in known:
                known = {way: seen for way, seen in known.items() if way == _way(LESSONS[0])}
                tasks = [(session, lesson.rules, lesson.alter) for session in sessions()]
                known[key] = list(pool.map(see, tasks))
            print("\n".join(lines(lesson.name, *counted(known[key], lesson))), flush=True)


def _way(lesson: Lesson) -> tuple[object, ...]:
    """Return what the observations depend on."""
    rules = lesson.rules
    return rules.normal_share, rules.asleep_mg, rules.tail_hr, lesson.alter


if __name__ == "__main__":
    main()
