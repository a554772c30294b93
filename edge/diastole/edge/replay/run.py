"""The verb ``replay``: what was asked for, checked before the work, then told."""

import sys
from argparse import Namespace
from stat import S_ISDIR
from typing import Final

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from diastole.edge.errors import InputError, OutputError, shown
from diastole.edge.formats.finding import find, formats
from diastole.edge.formats.place import reading
from diastole.edge.labels import read_labels
from diastole.edge.outputs import refuse_existing
from diastole.edge.replay.columns import session_name, slug
from diastole.edge.replay.folder import EPISODES, SUMMARY, Row, processors, replay_folder
from diastole.edge.replay.session import (
    Options,
    beside,
    choose_model,
    read_subjects,
    replay_session,
)
from diastole.edge.tables import check_suffix, default_suffix, metadata_path, write
from diastole.edge.views.plots import check_suffix as check_picture
from diastole.edge.views.plots import plot_session
from diastole.edge.views.summary import summary

OK: Final = 0
FAILED: Final = 1


def replay_path(given: Namespace) -> int:
    """Replay a recording, or a folder of them that is not itself one."""
    with reading(given.path):
        a_folder = S_ISDIR(given.path.stat().st_mode)
    asked = [find(given.path, given.format)] if given.format is not None else formats()
    a_folder = a_folder and not any(f.recognises(given.path) for f in asked)
    return replay_many(given) if a_folder else replay_one(given)


def replay_one(given: Namespace) -> int:
    """Replay one recording: print its summary, write what was asked for."""
    options = options_of(given)
    wanted = [path for path in (given.out, given.plot) if path is not None]
    if given.out is not None:
        check_suffix(given.out)
        wanted += [beside(given.out, "beats")] * given.beats
        wanted += [beside(given.out, "episodes")] * (given.model != "none")
        wanted += [about for path in wanted if (about := metadata_path(path)) is not None]
    elif given.beats:
        what = "--beats writes beside a table, and there is none"
        raise InputError(what, "name the table with --out")
    if given.plot is not None:
        check_picture(given.plot)
    for path in wanted:
        refuse_existing(path, force=given.force)
        if path.exists() and path.samefile(given.path):
            raise OutputError(path, "is the recording itself", "choose another name")
    name = session_name(given.path)
    with _progress(SpinnerColumn(), TextColumn("{task.fields[done]}")) as bar:
        task = bar.add_task(name, total=None, done="")
        told = replay_session(
            given.path,
            name,
            options,
            lambda seconds: bar.update(task, done=f"{seconds / 3600:.1f} h of the recording"),
        )
    if given.out is not None:
        write(told.columns, given.out, told.provenance, force=given.force)
        if given.beats:
            write(told.beats, beside(given.out, "beats"), told.provenance, force=given.force)
        if told.episodes is not None:
            write(told.episodes, beside(given.out, "episodes"), told.provenance, force=given.force)
    if given.plot is not None:
        plot_session(
            told.columns,
            told.beats,
            given.plot,
            title=name,
            episodes=told.episodes,
            segments=told.segments,
            provenance=told.provenance,
            force=given.force,
        )
    told.keep_state()
    Console(highlight=False).print(
        summary(told.columns, title=name, episodes=told.episodes, notes=told.notes)
    )
    for path in wanted:
        print(f"written: {shown(path)}", file=sys.stderr)
    return OK


def replay_many(given: Namespace) -> int:
    """Replay every session of a folder into a folder; fail only where all of them do."""
    options = options_of(given)
    if given.out is None:
        what = f"{shown(given.path)} is a folder, and its tables need one too"
        raise InputError(what, "name it with --out")
    if given.plot is not None:
        what = "--plot draws one session"
        raise InputError(what, "replay the one file that is meant")
    with _progress(BarColumn(), MofNCompleteColumn()) as bar:
        task = bar.add_task(given.path.name, total=None)

        def done(row: Row) -> None:
            bar.advance(task)
            if row["error"]:
                bar.console.print(row["error"], style="red", markup=False, soft_wrap=True)

        rows = replay_folder(
            given.path,
            given.out,
            options,
            given.jobs or processors(),
            done,
            lambda total: bar.update(task, total=total),
        )
    failed = sum(bool(row["error"]) for row in rows)
    worn = sum(float(row["worn_min"]) for row in rows) / 60
    print(
        f"{len(rows) - failed} of {len(rows)} sessions replayed, {worn:.1f} h worn; "
        f"a row each in {shown(given.out / SUMMARY)}"
        + (f", their episodes in {shown(given.out / EPISODES)}" if given.model != "none" else "")
    )
    return FAILED if failed == len(rows) else OK


def options_of(given: Namespace) -> Options:
    """Return what was asked for; raise before any work where it cannot be."""
    if given.subject is not None and given.subject != slug(given.subject):
        what = f"{given.subject!r} is no pseudonym"
        raise InputError(what, "use lower-case letters, digits and -")
    choose_model(given.model)
    return Options(
        model=given.model,
        engine=given.engine,
        format_name=given.format,
        labels=read_labels(given.labels) if given.labels is not None else None,
        one_subject=given.subject,
        subjects=read_subjects(given.subjects) if given.subjects is not None else None,
        state=given.state,
        beats=given.beats,
        suffix=default_suffix(),
        force=given.force,
    )


def _progress(*columns: ProgressColumn) -> Progress:
    """Return a progress bar on stderr that leaves nothing behind; silent where nobody watches."""
    console = Console(stderr=True, highlight=False)
    name = TextColumn("{task.description}", markup=False)
    return Progress(
        name,
        *columns,
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
