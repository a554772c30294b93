"""What an agent's outbox holds, asked while the agent may be running."""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from diastole.edge.delivery.file import depth_at
from diastole.edge.delivery.produced import Produced
from diastole.edge.doctor.finding import Finding
from diastole.edge.errors import shown
from diastole.edge.locks import is_held
from diastole.edge.records import SECOND_NS
from diastole.edge.wire.topics import NOBODY, Stream

NO_SID: Final = 16 * "0"
"""Of no stream: asked for where there is none, ingest answers all the same."""
PATIENCE_S: Final = 300
"""What is acknowledged at all is so within seconds of a connection."""


def depth(path: Path) -> Iterator[Finding]:
    """Yield what waits there for ingest, and what was let go unsent."""
    if not path.exists():
        what = f"{shown(path)} is not there: the agent has not run yet"
        yield Finding("outbox", "warn", what, "start it by diastole run")
        return
    held = depth_at(path)
    if held.oldest_ns is None:
        yield Finding("outbox", "ok", "empty: ingest has acknowledged everything")
    else:
        age_s = max(0, (time.time_ns() - held.oldest_ns) / SECOND_NS)
        what = f"{held.rows} records wait, {held.bytes / 1e6:.1f} MB, the oldest for {_span(age_s)}"
        if age_s < PATIENCE_S:
            yield Finding("outbox", "ok", what)
        else:
            remedy = "nothing is lost; it empties as soon as broker and ingest answer"
            yield Finding("outbox", "warn", what, remedy)
    if held.dropped:
        whys = ", ".join(f"{reason} {n}" for reason, n in sorted(held.dropped.items()))
        what = f"{sum(held.dropped.values())} records were let go unsent ({whys})"
        yield Finding("dropped", "warn", what, "give [outbox] more max_mb or max_days, and room")


def owned(path: Path) -> bool:
    """Return whether an agent is running on it."""
    return is_held(path.with_name(f"{path.name}.held"))


def greeting(streams: Iterable[Produced]) -> dict[str, tuple[int, int]]:
    """Return the first and last seq by sid, as an agent greets ingest; never none of them."""
    return {s.sid: (1, s.last) for s in streams if s.last} or {NO_SID: (0, 0)}


def status_sid(streams: Iterable[Produced]) -> str | None:
    """Return under which sid this outbox's agent speaks of itself."""
    own = (s.sid for s in streams if (s.subject, s.stream) == (NOBODY, Stream.STATUS))
    return next(own, None)


def _span(seconds: float) -> str:
    for unit, length in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
