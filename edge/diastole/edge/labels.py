"""What a session's moments are known to be: label files, and the label that a window takes.

A label file is CSV with ``session,t_start_s,t_end_s,label`` and, maybe ``raw_label``. Further
columns are ignored, and so are rows whose times are both empty (a diary has them). Seconds count
from the recording's start.
"""

import csv
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diastole.edge.chunks import Floats, Ints
from diastole.edge.errors import BadFile, InputError
from diastole.edge.records import SECOND_NS

LABEL_S: Final = 50
"""A window takes a label when so much of it lies in it."""

LATEST_S: Final = 4e9
"""No session has a time beyond this."""
_REQUIRED: Final = ("session", "t_start_s", "t_end_s", "label")


class Segment(NamedTuple):
    """A stretch of a session that is known to be something."""

    t_start_s: float
    t_end_s: float
    label: str
    """One of few: rest, stress, exercise, ..."""
    raw_label: str
    """What the study called it."""


@dataclass(frozen=True, slots=True)
class Labels:
    """Segments of sessions, by the file that holds them and the session's name."""

    place: Path
    files: dict[Path, dict[str, tuple[Segment, ...]]]

    @property
    def sha256(self) -> str:
        """Return the hash of the label files, for the provenance."""
        total = sha256()
        for path in self.files:
            total.update(path.read_bytes())
        return total.hexdigest()

    def session_of(self, recording: Path) -> str | None:
        """Return the labelled session that is the longest end of the recording's whole path.

        None where none is.
        """
        ends = path_ends(recording)
        known = {session for sessions in self.files.values() for session in sessions}
        return next((end for end in ends if end in known), None)

    def of(self, recording: Path) -> tuple[Segment, ...]:
        """Return the recording's segments in time order, none where it has no labels.

        Raise InputError where more than one file labels it.
        """
        session = self.session_of(recording)
        holders = [path for path, sessions in self.files.items() if session in sessions]
        if session is None or not holders:
            return ()
        if len(holders) > 1:
            names = " and ".join(path.name for path in holders)
            what = f"{self.place}: session {session} is labelled in {names}"
            raise InputError(what, "give --labels the one file that is meant")
        return self.files[holders[0]][session]


def read_labels(path: Path) -> Labels:
    """Read a label file, or every CSV of a folder. Raise BadFile, with the line, for another."""
    files = sorted(path.glob("*.csv")) if path.is_dir() else [path]
    if not files:
        raise BadFile(path, "no label file in this folder", "give a CSV of labels")
    return Labels(path, {file: _read_file(file) for file in files})


def label_windows(segments: Sequence[Segment], t_s: Floats, window_s: Floats) -> NDArray[np.str_]:
    """Return the label that each window takes, "" where none.

    A window that ends at ``t_s`` takes the label in which at least 50 s of it lie. Where segments
    overlap, that is the label with the most of it, then the first in ``segments``.
    """
    labels = tuple(dict.fromkeys(segment.label for segment in segments))
    if not labels or not len(t_s):
        return np.full(len(t_s), "", np.str_)
    ends = _whole_ns(t_s)
    starts = ends - _whole_ns(window_s)
    within = np.empty((len(labels), len(t_s)), np.int64)
    for row, label in zip(within, labels, strict=True):
        edges = _union([segment for segment in segments if segment.label == label])
        row[:] = _before(edges, ends) - _before(edges, starts)
    best = within.argmax(axis=0)
    enough = within.max(axis=0) >= LABEL_S * SECOND_NS
    return np.where(enough, np.array(labels, np.str_)[best], "")


def _whole_ns(seconds: Any) -> Ints:
    whole: Ints = np.rint(np.asarray(seconds, np.float64) * 1e9).astype(np.int64)
    return whole


def _union(segments: Sequence[Segment]) -> tuple[Ints, Ints]:
    """Return starts and ends of what the segments cover together, in order and apart."""
    starts = _whole_ns([segment.t_start_s for segment in segments])
    ends = _whole_ns([segment.t_end_s for segment in segments])
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], np.maximum.accumulate(ends[order])
    apart = starts[1:] > ends[:-1]
    return starts[np.r_[True, apart]], ends[np.r_[apart, True]]


def _before(edges: tuple[Ints, Ints], times: Ints) -> Ints:
    """Nanoseconds that lie inside ``edges`` and before each of ``times``."""
    starts, ends = edges
    whole = np.r_[0, np.cumsum(ends - starts)]
    begun = np.searchsorted(starts, times, "right")
    last = np.maximum(begun - 1, 0)
    missing: Ints = np.where(begun > 0, np.maximum(ends[last] - times, 0), 0)
    before: Ints = whole[begun] - missing
    return before


def path_ends(recording: Path) -> Iterator[str]:
    """Yield the ends of the whole path without suffix, longest first."""
    whole = Path(os.path.abspath(recording))  # not resolve(): a link keeps its own name
    name = whole.name if whole.is_dir() else whole.name.removesuffix(".gz")
    stem = name if whole.is_dir() else Path(name).stem
    parts = (*whole.parts[1:-1], stem)
    return ("/".join(parts[k:]) for k in range(len(parts)))


def _read_file(path: Path) -> dict[str, tuple[Segment, ...]]:
    sessions: dict[str, list[Segment]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            for session, segment in _rows(path, stream):
                sessions.setdefault(session, []).append(segment)
    except FileNotFoundError:
        raise BadFile(path, "no such label file", "check the name after --labels") from None
    except UnicodeDecodeError as error:
        raise BadFile(path, "is no text in UTF-8", "save it as UTF-8") from error
    except (OSError, csv.Error) as error:
        what = f"cannot be read as labels ({getattr(error, 'strerror', None) or error})"
        raise BadFile(path, what, "give a CSV of labels") from error
    return {session: tuple(sorted(segments)) for session, segments in sessions.items()}


def _rows(path: Path, stream: Any) -> Iterator[tuple[str, Segment]]:
    reader = csv.DictReader(stream)
    if missing := [name for name in _REQUIRED if name not in (reader.fieldnames or ())]:
        what = f"labels without the column {missing[0]}"
        raise BadFile(path, what, "begin the file with session,t_start_s,t_end_s,label", 1)
    for row in reader:
        if row["t_start_s"] != "" or row["t_end_s"] != "":
            yield _row(path, reader.line_num, row)


def _row(path: Path, line: int, row: dict[str, str | None]) -> tuple[str, Segment]:
    session, label = ((row[name] or "").strip() for name in ("session", "label"))
    if not session or not label:
        raise BadFile(path, "a label without session or name", "complete or remove the line", line)
    start_s, end_s = (_seconds(path, line, name, row[name]) for name in ("t_start_s", "t_end_s"))
    if end_s < start_s:
        raise BadFile(path, f"{label} ends before it begins", "swap or correct its times", line)
    return session, Segment(start_s, end_s, label, (row.get("raw_label") or label).strip())


def _seconds(path: Path, line: int, name: str, text: str | None) -> float:
    try:
        seconds = float(text or "")
    except ValueError:
        seconds = math.nan
    if not abs(seconds) < LATEST_S:
        raise BadFile(path, f"{name} is {text!r}", "write it as seconds from the start", line)
    return seconds
