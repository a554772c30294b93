"""The simulated wearer's story: told over the whole path, and held against its truth."""

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
from diastole.edge.demo.path import Count, stored_readings, walk
from diastole.edge.labels import Segment, label_windows, read_labels
from diastole.edge.records import Decision, Reason
from diastole.edge.schema import HOP_S
from diastole.edge.sources.scenario import Scenario, read_scenario
from diastole.edge.sources.simulate import write_session
from diastole.edge.tables import Columns
from diastole.edge.views.words import DECISION_WORDS, REASON_WORDS

SESSION: Final = "simulated.jsonl.gz"
TRUTH: Final = "simulated.truth.csv"
SEED: Final = 0
LIVE: Final = "live"
"""The folder of what the whole path leaves."""
INTRODUCTION: Final = """\
First a wearer who does not exist: heart, body and wristband are SIMULATED, and
the truth is known to the second. A story of {minutes:g} minutes in {chapters} chapters, a minute
a second, goes the whole path of a real one: agent, broker, ingest, store, each
a process of its own (the broker is embedded, for this demo only). What you see
is heard at the broker, as `diastole watch` does. It shows what is said when;
how well strain is told, only people can show.
"""


def read_story() -> Scenario:
    """Read the story that travels with the package."""
    with as_file(files("diastole.edge.demo") / "story.toml") as path:
        return read_scenario(path)


def tell_story(out: Path, console: Console) -> bool:
    """Tell the story as it goes the whole path, and hold what was stored against the truth.

    Writes the simulated session and its truth into ``out``, and all of the path into ``live``
    there. Return whether everything that was said has been stored.
    """
    story = read_story()
    path, truth = out / SESSION, out / TRUTH
    write_session(story, SEED, path, truth, force=True)
    chapters = list(_chapters(story))
    console.print(
        INTRODUCTION.format(minutes=story.edges_s[-1] / 60, chapters=len(chapters)), highlight=False
    )
    turns = [(chapter.t_start_s, chapter.raw_label) for chapter in chapters]
    counts = walk(out / LIVE, turns, console)
    stored = stored_readings(out / LIVE)
    label = label_windows(read_labels(truth).of(path), stored["t_s"], stored["window_s"])
    console.print()
    console.print("SIMULATED: what the agent made, and what is stored", style="bold")
    console.print(as_produced(counts))
    console.print(verdict(counts), soft_wrap=True)
    console.print()
    console.print(against_truth(stored, chapters))
    for sentence in _missed({**stored, "label": label}):
        console.print(Text(sentence), soft_wrap=True)
    console.print()
    return complete(counts)


def as_produced(counts: list[Count]) -> Table:
    """Draw what the agent made beside what the store has."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("", "produced", "stored"):
        table.add_column(heading, justify="right" if heading else "left")
    for count in counts:
        table.add_row(count.kind, str(count.produced), str(count.stored))
    return table


def complete(counts: list[Count]) -> bool:
    """Return whether the store has all that was made, and no more."""
    return all(count.produced == count.stored for count in counts)


def verdict(counts: list[Count]) -> Text:
    """Return in words whether the store has all that was made."""
    if complete(counts):
        return Text("produced = stored: nothing lost, nothing doubled, with the link broken once")
    return Text(f"NOT all is stored: see the logs in {LIVE}", style="bold")


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
