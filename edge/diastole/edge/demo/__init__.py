"""The demo: a simulated wearer's story, then a real session; both travel with the package."""

from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

from rich.console import Console

from diastole.edge.demo.path import STORE
from diastole.edge.demo.story import LIVE, TRUTH, tell_story
from diastole.edge.demo.story import SESSION as SIMULATED
from diastole.edge.labels import read_labels
from diastole.edge.replay.session import Options, Told, replay_session
from diastole.edge.tables import default_suffix, write
from diastole.edge.views.live import tell
from diastole.edge.views.plots import plot_session
from diastole.edge.views.summary import summary

SESSION: Final = "stress/S06"
MINUTES_PER_SECOND: Final = 1.0
INTRODUCTION: Final = """\
Then a real session of 24 min: a volunteer at rest, then at tasks that strain
(naming colours against the word, mental arithmetic aloud with noise, speeches),
an Empatica E4 on the wrist. What is said is what a device on the wrist would
have said at that moment; the labels of the study stand beside it. The person is
in no training of the model.
Hongn et al. 2025, PhysioNet, doi:10.13026/he0v-tf17, ODC-By 1.0.
"""


def run(out: Path, console: Console) -> int:
    """Tell the simulated story and the real session; write both's files into ``out``.

    Return 0, or 1 where not all that was said in the story has been stored.
    """
    stored = tell_story(out, console)
    console.print(INTRODUCTION, highlight=False)
    with as_file(files("diastole.edge.demo") / "hongn") as folder:
        path = folder / f"{SESSION}.zip"
        labels = read_labels(folder / "labels.csv")
        told = replay_session(path, SESSION, Options(labels=labels, one_subject="hongn-s06"))
    tell(
        [told.columns],
        console=console,
        minutes_per_second=MINUTES_PER_SECOND,
        total_s=float(told.columns["t_s"][-1]),
        episodes=told.episodes,
    )
    console.print()
    console.print(
        summary(
            told.columns,
            title="What was said, and what the study says",
            episodes=told.episodes,
            notes=told.notes,
        )
    )
    _write(told, out, console)
    return 0 if stored else 1


def _write(told: Told, out: Path, console: Console) -> None:
    table, picture = out / f"readings{default_suffix()}", out / "session.png"
    write(told.columns, table, told.provenance, force=True)
    plot_session(
        told.columns,
        told.beats,
        picture,
        title=f"Hongn {SESSION}: what was said, and what the study says",
        episodes=told.episodes,
        segments=told.segments,
        provenance=told.provenance,
        force=True,
    )
    console.print(
        f"""
written:  {table}  (a row every 5 s: heart rate, variability, the normal, what is said and why)
          {picture}  (look at it)
          {out / SIMULATED}, {TRUTH}  (the SIMULATED session and its truth)
          {out / LIVE / STORE}  (the store: what the SIMULATED wearer's agent said, by ingest)
next:     diastole replay YOUR_FILE --plot session.png   an E4 zip, beat intervals as text, ...
          cd {out / LIVE} && diastole ingest count        what the store has (a SQLite file)
          diastole run --help                            an agent, with servers of your own""",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
