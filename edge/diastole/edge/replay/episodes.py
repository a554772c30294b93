"""A session's episodes as the columns of a table: a row each, as it stood at last."""

from collections.abc import Iterable, Sequence

import numpy as np

from diastole.edge.pipeline.notices import Told
from diastole.edge.records import SECOND_NS, Event
from diastole.edge.tables import EPISODE_UNITS, Columns
from diastole.edge.views.words import driven_by

_TYPES = {"s": np.float64, "1": np.float64, "": np.str_}
_FLAGS = ("notify", "simulated")


def episode_columns(
    told: Iterable[Told], *, session: str, start_ns: int, simulated: bool
) -> Columns:
    """Return a row an episode; seconds count from the recording's start.

    ``t_told_s`` is when its beginning was known. ``recovery_s`` is NaN where it never was.
    """
    first: dict[str, int] = {}
    last: dict[str, Event] = {}
    for time_ns, event, *_ in told:
        first.setdefault(event.id, time_ns)
        last[event.id] = event
    rows = [
        {
            "session": session,
            "t_start_s": (event.start_ns - start_ns) / SECOND_NS,
            "t_end_s": ((event.end_ns or first[event.id]) - start_ns) / SECOND_NS,
            "peak_p": event.peak_p,
            "notify": event.notify,
            "drivers": driven_by(event.drivers, event.notify_reason),
            "notify_reason": event.notify_reason or "",
            "t_told_s": (first[event.id] - start_ns) / SECOND_NS,
            "mean_p": event.mean_p,
            "end_reason": event.end_reason or "",
            "recovery_s": np.nan if event.recovery_s is None else event.recovery_s,
            "device": event.device,
            "simulated": simulated,
        }
        for event in sorted(last.values(), key=lambda event: (event.start_ns, event.device))
    ]
    return {
        name: np.array([row[name] for row in rows], np.bool_ if name in _FLAGS else _TYPES[unit])
        for name, unit in EPISODE_UNITS.items()
    }


def join_episodes(parts: Sequence[Columns]) -> Columns:
    """Return one session's after the other."""
    none = episode_columns((), session="", start_ns=0, simulated=False)
    return {name: np.concatenate([none[name], *(part[name] for part in parts)]) for name in none}
