"""One recording through observe: windows and judged beats, as a live agent would have had them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from diastole.edge.chunks import BEAT_KINDS, VERDICTS, Chunk, Floats, words
from diastole.edge.features import described, engine
from diastole.edge.formats import Recording
from diastole.edge.formats.finding import open_recording
from diastole.edge.pipeline import observe as stages
from diastole.edge.pipeline.observations import Observations, join_observations
from diastole.edge.pipeline.passed_over import passed_over
from diastole.edge.pipeline.rules import Rules
from diastole.edge.pipeline.verdicts import ACCEPTED, Judged
from diastole.edge.records import SECOND_NS
from diastole.edge.tables import Columns
from diastole.edge.wire import LATEST_NS

Advance = Callable[[float], None]
"""Told how many seconds of the recording are done."""

NO_BEATS: Final[dict[str, NDArray[Any]]] = {
    "t_s": np.empty(0),
    "rr_ms": np.empty(0),
    "kind": np.empty(0, np.str_),
    "device": np.empty(0, np.str_),
    "accepted": np.empty(0, np.bool_),
    "reason": np.empty(0, np.str_),
}


@dataclass(frozen=True, slots=True, eq=False)
class Session:
    """One recording, observed."""

    recording: Recording
    engine: str
    rules: Rules
    observations: Observations
    t_s: Floats
    """Seconds from the recording's start to each window's end."""
    beats: Columns
    """Every beat with its verdict."""
    state: stages.State
    """What the next recording of the same wearer may take up."""


def observe(
    path: Path,
    *,
    engine_name: str = "vectorised",
    format_name: str | None = None,
    rules: Rules | None = None,
    state: stages.State | None = None,
    alter: Callable[[Chunk], Chunk] | None = None,
    advance: Advance | None = None,
) -> Session:
    """Walk one recording through observe, from ``state`` on (default: a fresh one).

    ``alter`` may take something away from each chunk, such as motion, before it is observed.
    """
    return observe_recording(
        open_recording(path, format_name),
        engine_name=engine_name,
        rules=rules,
        state=state,
        alter=alter,
        advance=advance,
    )


def observe_recording(
    recording: Recording,
    *,
    engine_name: str = "vectorised",
    rules: Rules | None = None,
    state: stages.State | None = None,
    alter: Callable[[Chunk], Chunk] | None = None,
    advance: Advance | None = None,
) -> Session:
    """Walk a recording that is open already, as ``observe`` does."""
    computing, rules = engine(engine_name), rules or Rules()
    # windows that the recording before left open end before this one begins
    fresh = state is None or state.framed.closed_ns is None
    since_ns = -LATEST_NS if fresh else recording.start_ns
    state = state or stages.State()
    parts: list[Observations] = []
    beats: list[Columns] = []
    for read in recording.chunks():
        chunk = alter(read) if alter else read
        recording.notes.update(passed_over(chunk))
        state, observed, judged = stages.step(state, chunk, computing, rules, recording.zone)
        parts.append(observed.take(observed.rows["time_ns"] > since_ns))
        beats.append(_beats(judged, recording.start_ns))
        if advance is not None:
            advance((chunk.until_ns - recording.start_ns) / SECOND_NS)
    observations = join_observations(parts)
    return Session(
        recording,
        described(computing),
        rules,
        observations,
        (observations.rows["time_ns"] - recording.start_ns) / SECOND_NS,
        {name: np.concatenate([NO_BEATS[name], *(b[name] for b in beats)]) for name in NO_BEATS},
        state,
    )


def _beats(judged: Judged, start_ns: int) -> Columns:
    rows = judged.rows
    accepted = rows["verdict"] == ACCEPTED
    return {
        "t_s": (rows["time_ns"] - start_ns) / SECOND_NS,
        "rr_ms": rows["rr_ms"],
        "kind": words(BEAT_KINDS, rows["kind"]),
        "device": words(judged.devices, rows["device"]),
        "accepted": accepted,
        "reason": np.where(accepted, "", words(VERDICTS, rows["verdict"])),
    }
