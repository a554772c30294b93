"""A folder of recordings to a folder of tables: a process a session, or a wearer."""

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Final

from diastole.edge.errors import BadFile, DiastoleError, OutputError, shown
from diastole.edge.features import described, engine
from diastole.edge.formats.finding import open_recording, sessions
from diastole.edge.outputs import make_folder, refuse_existing, sweep
from diastole.edge.pipeline.rules import Rules
from diastole.edge.replay.columns import made_by, session_name
from diastole.edge.replay.episodes import join_episodes
from diastole.edge.replay.session import Options, beside, choose_model, replay_session
from diastole.edge.tables import Columns, Provenance, columns_of, write
from diastole.edge.views.summary import cohort_row

Row = dict[str, str | int | float]
Outcome = tuple[Row, Columns | None]
"""A session's row, and its episodes where a model told any."""
Named = tuple[Path, str]
"""A session and its name."""
SUMMARY: Final = "summary.csv"
EPISODES: Final = "episodes.csv"


def replay_folder(
    folder: Path,
    out: Path,
    options: Options,
    jobs: int,
    done: Callable[[Row], None],
    begin: Callable[[int], None],
) -> list[Row]:
    """Replay every session below ``folder`` into ``out``; return and write a row for each.

    Where one fails, its row says why and the others go on. With a model, the episodes of all of
    them stand together in a table of their own. ``begin`` is told how many there are,
    ``done`` of each. Raise BadFile where the folder is empty, OutputError where ``out`` holds files
    (unless ``force``).
    """
    if out.exists() and not out.is_dir():
        raise OutputError(out, "is a file", "name a folder for the tables")
    if not options.force and out.is_dir() and any(out.iterdir()):
        raise OutputError(
            out, "is not empty", "choose another folder, or replace what is there with --force"
        )
    if out.exists() and out.samefile(folder):
        raise OutputError(out, "holds the recordings", "choose another folder")
    found = sessions(folder)
    make_folder(out)
    refuse_existing(out / SUMMARY, force=options.force)
    paths, rows = found.sessions, [_failed(folder, error) for error in found.unknown]
    if options.format_name is not None:  # the user knows better than the sniffing
        paths, rows = sorted([*paths, *(Path(error.path) for error in found.unknown)]), []
    begin(len(paths) + len(rows))
    for row in rows:
        done(row)
    episodes: list[tuple[str, Columns]] = []
    for row, stirs in _replayed(out, _groups(_named(folder, paths), options), options, jobs):
        done(row)
        rows.append(row)
        episodes += [(str(row["session"]), stirs)] if stirs is not None else []
    rows.sort(key=lambda row: str(row["session"]))
    provenance = _provenance(folder, rows, options)
    write(columns_of(rows), out / SUMMARY, provenance, force=options.force)
    if options.model != "none":
        in_order = [stirs for _, stirs in sorted(episodes, key=lambda pair: pair[0])]
        write(join_episodes(in_order), out / EPISODES, provenance, force=options.force)
    return rows


def _replayed(
    out: Path, groups: list[list[Named]], options: Options, jobs: int
) -> Iterator[Outcome]:
    """Yield each session's row; interrupted, stop the processes and leave nothing half-written."""
    pool = ProcessPoolExecutor(max(1, min(jobs, len(groups))), get_context("spawn"))
    try:
        with _deaf():
            running = {pool.submit(_replay_group, out, group, options): group for group in groups}
        for finished in as_completed(running):
            try:
                yield from finished.result()
            except BrokenExecutor:
                yield from ((_lost(path, name), None) for path, name in running[finished])
    except BaseException:
        for process in active_children():
            process.terminate()
        pool.shutdown(cancel_futures=True)
        for folder in {out, options.state or out}:
            sweep(folder)
        raise
    pool.shutdown()


@contextmanager
def _deaf() -> Iterator[None]:
    """Let the processes begun here not hear Ctrl-C: this one hears it for all of them."""
    heard = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, heard)


def _lost(path: Path, name: str) -> Row:
    what = f"{shown(path)}: a process was ended, perhaps for want of memory: use fewer --jobs"
    return cohort_row({}, session=name, subject="", error=what)


def _failed(folder: Path, error: BadFile) -> Row:
    name = session_name(Path(error.path), folder)
    return cohort_row({}, session=name, subject="", error=str(error))


def processors() -> int:
    """Return how many processes this machine can run side by side."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _provenance(folder: Path, rows: Sequence[Row], options: Options) -> Provenance:
    computing = engine(options.engine)
    return {
        "input": folder.name,
        "sessions": str(len(rows)),
        **made_by(described(computing), Rules(), choose_model(options.model)),
        "labels_sha256": options.labels.sha256 if options.labels else "",
    }


def _named(folder: Path, paths: Sequence[Path]) -> list[Named]:
    """Return each session with its name; where two would be called the same, with its suffix."""
    names = [session_name(path, folder) for path in paths]
    shared = {name for name, n in Counter(names).items() if n > 1}
    return [
        (path, shown(path.relative_to(folder).as_posix()) if name in shared else name)
        for path, name in zip(paths, names, strict=True)
    ]


def _groups(sessions: Sequence[Named], options: Options) -> list[list[Named]]:
    """Return what must run in turn: each session alone, or with a state those of one wearer."""
    if options.state is None:
        return [[session] for session in sessions]
    by_subject: dict[str, list[tuple[int, Named]]] = {}
    for path, name in sessions:
        try:
            recording = open_recording(path, options.format_name)
            subject = options.subject(recording, name)
            start_ns = recording.start_ns
        except DiastoleError:  # told when its turn comes
            subject, start_ns = "", 0
        by_subject.setdefault(subject, []).append((start_ns, (path, name)))
    return [[session for _, session in sorted(group)] for group in by_subject.values()]


def _replay_group(out: Path, sessions: Sequence[Named], options: Options) -> list[Outcome]:
    return [_replay_into(out, path, name, options) for path, name in sessions]


def _replay_into(out: Path, path: Path, name: str, options: Options) -> Outcome:
    target = out / f"{name}{options.suffix}"
    try:
        told = replay_session(path, name, options)
        write(told.columns, target, told.provenance, force=options.force)
        if options.beats:
            write(told.beats, beside(target, "beats"), told.provenance, force=options.force)
        told.keep_state()
        row = cohort_row(
            told.columns,
            told.episodes,
            session=name,
            subject=told.subject,
            notes=told.notes,
        )
        return row, told.episodes
    except DiastoleError as error:
        return cohort_row({}, session=name, subject="", error=str(error)), None
    except Exception as error:  # one session's defect must not cost the others theirs
        what = f"failed unexpectedly ({type(error).__name__}: {error}): please report it"
        return cohort_row({}, session=name, subject="", error=f"{shown(path)}: {what}"), None
