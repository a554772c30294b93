"""The simulated wearer's story: written as a session, replayed, and held against its truth."""

from collections.abc import Iterator
from importlib.resources import as_file, files
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from diastole.edge.chunks import Bools
from diastole.edge.labels import Segment, label_windows, read_labels
from diastole.edge.records import Decision, Reason
from diastole.edge.replay.session import Options, replay_session
from diastole.edge.schema import HOP_S
from diastole.edge.sources.scenario import Scenario, read_scenario
from diastole.edge.sources.simulate import write_session
from diastole.edge.tables import Columns
from diastole.edge.views.live import tell
from diastole.edge.views.words import DECISION_WORDS, REASON_WORDS

SESSION: Final = "simulated.jsonl.gz"
TRUTH: Final = "simulated.truth.csv"
SEED: Final = 0
MINUTES_PER_SECOND: Final = 2.0
INTRODUCTION: Final = """\
First a wearer who does not exist: heart, body and wristband are SIMULATED, and
the truth is known to the second. A story of {minutes:g} minutes in {chapters} chapters,
replayed by the very code that replays a real session. It shows what is said
when; how well strain is told, only people can show.
"""


def read_story() -> Scenario:
    """Read the story that travels with the package."""
    with as_file(files("diastole.edge.demo") / "story.toml") as path:
        return read_scenario(path)


def tell_story(out: Path, console: Console) -> None:
    """Write the simulated session and its truth into ``out``, tell it, and hold both together."""
    story = read_story()
    path, truth = out / SESSION, out / TRUTH
    write_session(story, SEED, path, truth, force=True)
    told = replay_session(path, "simulated wearer", Options(labels=read_labels(truth)))
    chapters = list(_chapters(story))
    console.print(
        INTRODUCTION.format(minutes=story.edges_s[-1] / 60, chapters=len(chapters)), highlight=False
    )
    tell(
        # The chapters say what the labels would.
        [{name: column for name, column in told.columns.items() if name != "label"}],
        console=console,
        minutes_per_second=MINUTES_PER_SECOND,
        total_s=story.edges_s[-1],
        episodes=told.episodes,
        chapters=[(chapter.t_start_s, chapter.raw_label) for chapter in chapters],
    )
    console.print()
    console.print(against_truth(told.columns, chapters))
    for sentence in _missed(told.columns):
        console.print(Text(sentence), soft_wrap=True)
    console.print()


def against_truth(columns: Columns, chapters: list[Segment]) -> Table:
    """Draw what was said in each chapter, in minutes of readings that lie in it."""
    table = Table(box=None, pad_edge=False, header_style="bold", title_justify="left")
    table.title, table.title_style = "SIMULATED: the truth, and what was said (minutes)", "bold"
    table.caption = "A reading is the chapter's where 50 s of its minute lie in it."
    table.caption_justify = "left"
    table.add_column("truth", no_wrap=True)
    for heading in ("long", "silent", *DECISION_WORDS.values()):
        table.add_column(heading, justify="right")
    table.add_column("mostly undecided as")
    place = label_windows(
        [chapter._replace(label=str(k)) for k, chapter in enumerate(chapters)],
        columns["t_s"],
        columns["window_s"],
    )
    for k, chapter in enumerate(chapters):
        rows = {name: column[place == str(k)] for name, column in columns.items()}
        long_s = chapter.t_end_s - chapter.t_start_s
        inside = (columns["t_s"] > chapter.t_start_s) & (columns["t_s"] <= chapter.t_end_s)
        silent_s = max(0.0, long_s - HOP_S * np.count_nonzero(inside))
        said = (_minutes(rows["decision"] == decision) for decision in DECISION_WORDS)
        cells = (f"{long_s / 60:.0f}", f"{silent_s / 60:.1f}", *said, _main_reason(rows))
        table.add_row(f"{k + 1} {chapter.label}", *cells)
    return table


def _chapters(story: Scenario) -> Iterator[Segment]:
    """Yield each chapter with its truth in words, and its heading as the raw label."""
    edges = pairwise(story.edges_s)
    for k, (chapter, (begin_s, end_s)) in enumerate(zip(story.chapters, edges, strict=True), 1):
        truth = ", ".join([chapter.activity, *(fault.kind for fault in chapter.faults)])
        heading = f"CHAPTER {k} (SIMULATED, {chapter.minutes:g} min): {chapter.title}"
        yield Segment(begin_s, end_s, truth.replace("_", " "), heading)


def _main_reason(rows: Columns) -> str:
    counts = {reason: np.count_nonzero(rows["reason"] == reason) for reason in Reason}
    most = max(counts, key=counts.__getitem__)
    return REASON_WORDS[most] if counts[most] else ""


def _missed(columns: Columns) -> Iterator[str]:
    """Yield how stress-like and the truth meet, and where they part."""
    stress_like = columns["decision"] == Decision.STRESS
    for label in dict.fromkeys(columns["label"]):
        inside = columns["label"] == label
        said, all_of_it = (_minutes(rows) for rows in (inside & stress_like, inside))
        if label == "stress":
            yield f"stress: {said} of {all_of_it} min called stress-like, as it is"
        elif label and (inside & stress_like).any():
            yield f"{label}: {said} of {all_of_it} min called stress-like, which it is not"
        elif label:
            yield f"{label}: none of {all_of_it} min called stress-like, as it should be"


def _minutes(rows: Bools) -> str:
    return f"{np.count_nonzero(rows) * HOP_S / 60:.1f}"
