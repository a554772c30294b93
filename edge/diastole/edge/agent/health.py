"""The status of the agent and of its devices: once a minute, and when something changes."""

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Protocol, runtime_checkable

from diastole.edge import __version__
from diastole.edge.clock import Clock
from diastole.edge.delivery import Item
from diastole.edge.delivery.limits import Depth
from diastole.edge.records import SECOND_NS, Status
from diastole.edge.sources.live import Source
from diastole.edge.wire.topics import NOBODY, Stream

if sys.platform != "win32":
    import resource

EVERY_S: Final = 60.0
CHANGED_S: Final = 5.0
"""A change is told at most so often."""
LONGEST_TEXT: Final = 500


class Seen(NamedTuple):
    """What the parts of the agent know of themselves."""

    depth: Depth
    connected: bool
    mqtt: str
    trouble: Sequence[str]
    counts: Counter[str]
    """What was dropped or refused, by names of fields."""
    model: str
    engine: str


class Due:
    """When something is told: once a minute, and soon after it has changed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._told_s: float | None = None
        self._told: object = None

    def is_now(self, state: object) -> bool:
        """Return whether to tell of this state; if so, it has been told."""
        now_s = self._clock.monotonic()
        if self._told_s is not None:
            since_s = now_s - self._told_s
            if since_s < (CHANGED_S if state != self._told else EVERY_S):
                return False
        self._told_s, self._told = now_s, state
        return True


class Health:
    """When a status is due, and what it says."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._begun_s = clock.monotonic()
        self._due = Due(clock)
        self.read_s: float | None = None
        """When the last reading was made, by the monotonic clock."""

    def due(self, seen: Seen) -> Status | None:
        """Return a status where one is due."""
        state = (seen.connected, tuple(seen.trouble), set(seen.counts), set(seen.depth.dropped))
        return self.status(seen) if self._due.is_now(state) else None

    def status(self, seen: Seen) -> Status:
        """Return the agent's status."""
        now_s, wall_ns = self._clock.monotonic(), self._clock.wall_ns()
        values = {
            "online": 1.0,
            "uptime_s": round(now_s - self._begun_s, 1),
            "outbox_rows": float(seen.depth.rows),
            "cpu_s": round(time.process_time(), 2),
            "clock_back": 0.0,
            **{f"dropped_{reason}": float(n) for reason, n in seen.depth.dropped.items()},
            **{name: float(n) for name, n in seen.counts.items()},
        }
        if seen.depth.oldest_ns is not None:
            values["oldest_s"] = round(max(wall_ns - seen.depth.oldest_ns, 0) / SECOND_NS, 1)
        if (held_mb := rss_mb()) is not None:
            values["rss_mb"] = held_mb
        if self.read_s is not None:
            values["reading_age_s"] = round(now_s - self.read_s, 1)
        text = {
            "version": __version__,
            "model": seen.model,
            "engine": seen.engine,
            "mqtt": seen.mqtt,
            "trouble": "; ".join(seen.trouble)[:LONGEST_TEXT],
        }
        return Status(device=NOBODY, time_ns=wall_ns, values=values, text=text)


@runtime_checkable
class Tells(Protocol):
    """A source that knows how its device is."""

    def status(self, clock: Clock) -> Status | None:
        """Return the device's health; None where there is nothing to tell yet."""
        ...


class Devices:
    """When the status of each source's device is due."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due: dict[str, Due] = {}

    def due(self, subject: str, key: str, source: Source) -> Iterator[Item]:
        """Yield the status of a source's device where one is due."""
        if not isinstance(source, Tells) or (status := source.status(self._clock)) is None:
            return
        if self._due.setdefault(key, Due(self._clock)).is_now(status.text):
            yield Item(subject, Stream.STATUS, status)


def rss_mb() -> float | None:
    """Return the memory that this process holds; its most, or None, by what the system tells."""
    if sys.platform != "win32":
        try:
            pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        except OSError:
            most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            return round(most / (1e6 if sys.platform == "darwin" else 1e3), 1)
        return round(pages * resource.getpagesize() / 1e6, 1)
    return None
