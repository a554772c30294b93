"""Anybody's predictions, as a CSV of ``session,t_s,p_stress,decision``, beside the labels.

Columns ``able``, ``grade`` and ``reason`` are taken where they are given, as a table of
``diastole replay`` has them; further columns are ignored. One row a window of 60 s that ends at
``t_s``; rows that are left out count in no figure, shares included.
"""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from diastole.edge.chunks import Floats
from diastole.edge.errors import BadFile
from diastole.edge.labels import label_windows, read_labels
from diastole.edge.records import Decision
from diastole.edge.schema import WINDOW_S
from diastole.models.datasets import LabelledSession
from diastole.models.judged import Judged, Texts

REQUIRED: Final = ("session", "t_s", "p_stress", "decision")
OPTIONAL: Final = ("able", "grade", "reason")
DECISIONS: Final = tuple(map(str, Decision))
Row = dict[str, Any]


def read_predictions(path: Path, sessions: Sequence[LabelledSession]) -> Judged:
    """Read predictions and label them; raise BadFile, with the line, for what cannot be used."""
    rows = _read(path)
    found = {name: _labelled(path, name, sessions) for name in dict.fromkeys(rows["session"])}
    of = [found[name] for name in rows["session"]]
    t_s = np.array(rows["t_s"], float)
    session = np.array([f"{item.data_set}/{item.name}" for item in of])
    return Judged(
        data_set=np.array([item.data_set for item in of]),
        person=np.array([item.person for item in of]),
        session=session,
        t_s=t_s,
        label=_labels(found.values(), session, t_s),
        p=np.array(rows["p_stress"], float),
        decision=np.array(rows["decision"]),
        able=np.array(rows["able"], bool) if "able" in rows else None,
        grade=np.array(rows["grade"]) if "grade" in rows else None,
        reason=np.array(rows["reason"]) if "reason" in rows else None,
    )


def _read(path: Path) -> dict[str, list[Any]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            names = reader.fieldnames or ()
            if missing := [name for name in REQUIRED if name not in names]:
                what = f"predictions without the column {missing[0]}"
                raise BadFile(path, what, f"begin the file with {','.join(REQUIRED)}", 1)
            kept = (*REQUIRED, *(name for name in OPTIONAL if name in names))
            rows = list(_rows(path, reader, kept))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        what = f"cannot be read as predictions ({reason})"
        raise BadFile(path, what, "give a CSV of predictions") from error
    if not rows:
        raise BadFile(path, "holds no prediction", "write one row a window")
    return {name: [row[name] for row in rows] for name in kept}


def _rows(path: Path, reader: Any, kept: Sequence[str]) -> Iterator[Row]:
    seen: set[tuple[str, float]] = set()
    for row in reader:
        line = reader.line_num
        told: Row = {name: (row[name] or "").strip() for name in kept}
        told["t_s"] = _number(path, line, "t_s", told["t_s"])
        told["p_stress"] = _probability(path, line, told)
        if "able" in told:
            told["able"] = told["able"].lower() in {"true", "1"}
        window = told["session"], told["t_s"]
        if window in seen:
            what = f"a second prediction for {window[0]} at {window[1]:g} s"
            raise BadFile(path, what, "write one row a window", line)
        seen.add(window)
        yield told


def _probability(path: Path, line: int, told: Mapping[str, Any]) -> float:
    """Return p, NaN where the field is empty; the decision must be a word, and not without p."""
    p = math.nan
    if told["p_stress"].lower() not in {"", "nan"}:
        p = _number(path, line, "p_stress", told["p_stress"])
        if not 0 <= p <= 1:
            what = f"p_stress is {told['p_stress']}"
            raise BadFile(path, what, "write a probability from 0 to 1, or nothing", line)
    if told["decision"] not in DECISIONS:
        what = f"decision is {told['decision']!r}"
        raise BadFile(path, what, f"write one of {', '.join(DECISIONS)}", line)
    return p


def _number(path: Path, line: int, name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise BadFile(path, f"{name} is {text!r}", "write a number", line)
    return number


def _labelled(path: Path, name: str, sessions: Sequence[LabelledSession]) -> LabelledSession:
    """Return the one labelled session of that name: its own, or the end of a path."""
    whole = {item: f"{item.data_set}/{item.name}" for item in sessions}
    fits = [item for item, full in whole.items() if name in {full, item.name}]
    fits = fits or [item for item, full in whole.items() if f"/{name}".endswith(f"/{full}")]
    fits = fits or [item for item, full in whole.items() if full.endswith(f"/{name}")]
    if not fits:
        what = f"session {name!r} matches no labels"
        raise BadFile(path, what, "name sessions as the label files do, such as stress/S01")
    if len(fits) > 1:
        names = " and ".join(whole[item] for item in fits[:2])
        what = f"session {name!r} matches the labels of {names}"
        raise BadFile(path, what, "write the whole name of the one that is meant")
    return fits[0]


def _labels(found: Any, session: Texts, t_s: Floats) -> Texts:
    """Return the label that each window takes."""
    label = np.full(len(t_s), "", "U32")
    for item in found:
        own = session == f"{item.data_set}/{item.name}"
        segments = read_labels(item.labels).of(item.path)
        label[own] = label_windows(segments, t_s[own], np.full(own.sum(), float(WINDOW_S)))
    return label
