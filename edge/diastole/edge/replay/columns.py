"""A session's readings as the columns of a table, and what the table came from."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from diastole.edge import __version__
from diastole.edge.chunks import words
from diastole.edge.errors import shown
from diastole.edge.formats import Recording
from diastole.edge.formats.finding import digest
from diastole.edge.labels import Segment, label_windows
from diastole.edge.pipeline.observations import (
    DECISIONS,
    GRADES,
    NO_REASON,
    REASONS,
    SOURCES,
    STATUSES,
    Readings,
)
from diastole.edge.pipeline.rule import RULE_VERSION
from diastole.edge.pipeline.rules import Rules
from diastole.edge.pipeline.scoring import Model
from diastole.edge.replay.walk import Session
from diastole.edge.schema import (
    FEATURE_NAMES,
    FEATURE_SCHEMA,
    INPUT_NAMES,
    INPUT_SCHEMA,
    WINDOW_S,
)
from diastole.edge.tables import Columns, Provenance


def columns_of(
    seen: Session,
    readings: Readings,
    *,
    session: str,
    subject: str,
    model: Model | None,
    segments: Sequence[Segment] | None = None,
) -> Columns:
    """Return the readings as the columns of a table, with a label column where there are labels."""
    rows = readings.observations.rows
    n = len(rows)
    columns: dict[str, NDArray[Any]] = {
        "session": np.full(n, session),
        "subject": np.full(n, subject),
        "device": words(readings.observations.devices, rows["device"]),
        "time": _iso(rows["time_ns"]) if seen.recording.clock == "utc" else np.full(n, ""),
        "t_s": seen.t_s,
        "window_s": np.full(n, float(WINDOW_S)),
    }
    for names, matrix in (
        (FEATURE_NAMES, readings.observations.features),
        (INPUT_NAMES, readings.observations.inputs),
    ):
        columns.update(zip(names, matrix.T, strict=True))
    columns |= {
        "beats": rows["beats"].astype(np.int64),
        "coverage": rows["coverage"],
        "source": words(SOURCES, rows["source"]),
        "grade": words(GRADES, rows["grade"]),
        "p_stress": readings.p_stress,
        "decision": words(DECISIONS, readings.decision),
        "reason": np.where(
            readings.reason == NO_REASON, "", words(REASONS, readings.reason % len(REASONS))
        ),
        "able": readings.able,
        "normal_status": words(STATUSES, rows["normal_status"]),
    }
    for name in ("normal_have", "normal_need"):
        columns[name] = rows[name].astype(np.int64)
    for name in (
        *("normal_hr_low_bpm", "normal_hr_high_bpm", "normal_rmssd_low_ms"),
        *("normal_rmssd_high_ms", "activity_mg", "still_min", "exertion", "asleep"),
    ):
        columns[name] = rows[name]
    columns["model"] = np.full(n, model.hash[:12] if model else "")
    columns["simulated"] = np.full(n, seen.recording.simulated)
    if segments is not None:
        columns["label"] = label_windows(segments, seen.t_s, columns["window_s"])
    return columns


def provenance_of(
    recording: Recording, engine: str, rules: Rules, model: Model | None
) -> Provenance:
    """Return what a session's tables came from."""
    return {
        "input": shown(recording.path.name),
        "input_sha256": digest(recording.path),
        "format": recording.format,
        "clock": recording.clock,
        **made_by(engine, rules, model),
        "notes": msgspec.json.encode(dict(recording.notes)).decode(),
    }


def made_by(engine: str, rules: Rules, model: Model | None) -> Provenance:
    """Return what made the tables: versions, settings, schemas, model."""
    return {
        "diastole": __version__,
        "engine": engine,
        "rules": msgspec.json.encode(rules).decode(),
        "verdict_rule": RULE_VERSION,
        "feature_schema": FEATURE_SCHEMA,
        "input_schema": INPUT_SCHEMA,
        "model_sha256": model.hash if model else "",
    }


def notes_of(recording: Recording) -> list[str]:
    """Return the defects survived, as lines."""
    return [f"{what} ({n})" if n > 1 else what for what, n in sorted(recording.notes.items())]


def session_name(path: Path, root: Path | None = None) -> str:
    """Return a session's name: its path below ``root`` (default: its own name) without suffix."""
    name = path.name
    if not path.is_dir():
        name = Path(name.removesuffix(".gz")).stem
    if root is None or path == root:
        return shown(name or path.resolve().name)
    return shown((path.relative_to(root).parent / name).as_posix())


def subject_of(recording: Recording, session: str) -> str:
    """Return the recording's own pseudonym, else one made of the session's name."""
    return recording.subject or slug(session)


def slug(text: str) -> str:
    """Return a pseudonym of ``[a-z0-9-]``."""
    plain = "".join(c if c.isascii() and c.isalnum() else "-" for c in text.lower())
    return "-".join(part for part in plain.split("-") if part) or "unnamed"


def _iso(times_ns: NDArray[np.int64]) -> NDArray[np.str_]:
    stamps = (times_ns // 1_000_000).astype("datetime64[ms]")
    return np.strings.add(np.datetime_as_string(stamps), "+00:00")
