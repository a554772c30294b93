"""One session replayed as it was asked for: readings, beats, provenance, and what it hands on."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

from diastole.edge.errors import BadFile, InputError
from diastole.edge.formats import Recording
from diastole.edge.formats.finding import open_recording
from diastole.edge.formats.place import reading
from diastole.edge.labels import Labels, Segment, path_ends
from diastole.edge.outputs import make_folder, whole_file
from diastole.edge.pipeline import episodes
from diastole.edge.pipeline.judge import judge
from diastole.edge.pipeline.rules import Notices, Rules
from diastole.edge.pipeline.scoring import Model, load_model, shipped
from diastole.edge.pipeline.state import State, pack, unpack
from diastole.edge.replay.columns import columns_of, notes_of, provenance_of, slug, subject_of
from diastole.edge.replay.episodes import episode_columns
from diastole.edge.replay.walk import Advance, observe
from diastole.edge.tables import Columns, Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How sessions are replayed."""

    model: str = "shipped"
    engine: str = "vectorised"
    format_name: str | None = None
    labels: Labels | None = None
    one_subject: str | None = None
    """The subject of every session."""
    subjects: Mapping[str, str] | None = None
    """The subject of a session, by the longest end of its path that is listed."""
    state: Path | None = None
    """Folder of learned normals: a subject's sessions hand theirs on."""
    beats: bool = False
    suffix: str = ".csv"
    force: bool = False

    def subject(self, recording: Recording, session: str) -> str:
        """Return whose session it is."""
        if self.one_subject is not None:
            return self.one_subject
        listed = self.listed(recording.path)
        return subject_of(recording, session) if listed is None else listed

    def listed(self, path: Path) -> str | None:
        """Return who is listed for a session; None where nobody is."""
        known = self.subjects or {}
        return next((known[end] for end in path_ends(path) if end in known), None)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Told:
    """One session's readings and what came with them."""

    columns: Columns
    episodes: Columns | None
    """None without a model."""
    beats: Columns
    segments: Sequence[Segment]
    provenance: Provenance
    notes: list[str]
    subject: str
    rules: Rules
    state: State
    state_path: Path | None

    def keep_state(self) -> None:
        """Put the learned normal where the subject's next session finds it."""
        if self.state_path is None:
            return
        with whole_file(self.state_path, force=True) as stream:
            stream.write(pack(self.state, self.rules))


def replay_session(
    path: Path, session: str, options: Options, advance: Advance | None = None
) -> Told:
    """Replay one recording as the options say. Raise an error of ours where it cannot be."""
    model = choose_model(options.model)
    recording = open_recording(path, options.format_name)
    subject = options.subject(recording, session)
    rules = Rules()
    state_path = _state_path(options.state, subject, recording)
    segments = options.labels.of(path) if options.labels else ()
    state = _state(state_path, rules, recording)
    seen = observe(
        path,
        engine_name=options.engine,
        format_name=options.format_name,
        rules=rules,
        state=state.observed,
        advance=advance,
    )
    readings = judge(seen.observations, model, rules)
    after, told = episodes.step(
        state.told,
        readings,
        episodes.FOREVER_NS,
        rules,
        Notices(),
        model.inputs if model else (),
    )
    columns = columns_of(
        seen,
        readings,
        session=session,
        subject=subject,
        model=model,
        segments=segments if options.labels else None,
    )
    notes = notes_of(seen.recording)
    if options.labels and not segments:
        notes.append(f"no labels for this session in {options.labels.place.name}")
    if options.subjects is not None and options.listed(path) is None:
        notes.append(f"nobody is listed for this session: its subject is called {subject}")
    state_sha256 = _sha256(state_path)  # of what was taken up, before it is replaced
    return Told(
        columns=columns,
        episodes=episode_columns(
            told,
            session=session,
            start_ns=seen.recording.start_ns,
            simulated=seen.recording.simulated,
        )
        if model
        else None,
        beats=seen.beats,
        segments=segments,
        provenance={
            **provenance_of(seen.recording, seen.engine, seen.rules, model),
            "labels_sha256": options.labels.sha256 if options.labels else "",
            "state_sha256": state_sha256,
        },
        notes=notes,
        subject=subject,
        rules=rules,
        state=State(observed=seen.state, told=after),
        state_path=state_path,
    )


def choose_model(choice: str) -> Model | None:
    """Open the model that was asked for; None for ``none``."""
    if choice == "none":
        return None
    path = shipped() if choice == "shipped" else Path(choice)
    try:
        about = path.stat()
    except OSError:
        return load_model(path)  # which says what is wrong
    return _opened(path, about.st_mtime_ns, about.st_size)


@cache
def _opened(path: Path, _changed_ns: int, _size: int) -> Model:
    return load_model(path)


def beside(table: Path, what: str) -> Path:
    """Return where the beats or episodes of a table stand."""
    return table.with_name(
        f"{table.stem}.{what}{table.suffix if table.suffix != '.jsonl' else '.csv'}"
    )


def read_subjects(path: Path) -> dict[str, str]:
    """Read a CSV of ``session,subject``; raise BadFile, with the line, for another."""
    try:
        with reading(path), path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            if not {"session", "subject"} <= set(reader.fieldnames or ()):
                what = "has no columns session and subject"
                raise BadFile(path, what, "begin the file with session,subject", 1)
            subjects: dict[str, str] = {}
            for row in reader:
                session, subject = row["session"], row["subject"] or ""
                if subject != slug(subject):
                    what = f"{subject!r} is no pseudonym"
                    remedy = "use lower-case letters, digits and -"
                    raise BadFile(path, what, remedy, reader.line_num)
                if subjects.setdefault(session, subject) != subject:
                    what = f"{session} is {subjects[session]} above and {subject} here"
                    raise BadFile(path, what, "keep one of the lines", reader.line_num)
            return subjects
    except csv.Error as error:
        raise BadFile(path, f"cannot be read ({error})", "give a CSV of session,subject") from error


def _state_path(folder: Path | None, subject: str, recording: Recording) -> Path | None:
    if folder is None:
        return None
    if recording.clock == "relative":
        what = f"{recording.path}: has no date, so its place among the subject's files is unknown"
        raise InputError(what, "replay it without --state")
    make_folder(folder, 0o700)  # before the work, which would be lost
    return folder / f"{subject}.state"


def _sha256(path: Path | None) -> str:
    return sha256(path.read_bytes()).hexdigest() if path is not None and path.exists() else ""


def _state(path: Path | None, rules: Rules, recording: Recording) -> State:
    if path is None:
        return State()
    with reading(path):
        saved = path.read_bytes() if path.exists() else None
    if saved is None:
        return State()
    try:
        state = unpack(saved, rules)
    except InputError as error:
        raise BadFile(path, error.what, error.remedy) from error
    closed_ns = state.observed.framed.closed_ns
    if closed_ns is not None and recording.start_ns < closed_ns:
        what = f"begins before the end of what {path.name} has seen"
        remedy = (
            "replay a wearer's files in the order of their times, each once, or without --state"
        )
        raise BadFile(recording.path, what, remedy)
    return state
