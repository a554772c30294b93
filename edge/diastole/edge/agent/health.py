"""The agent's own status: once a minute, and when something changes."""

import resource
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from diastole.edge import __version__
from diastole.edge.clock import Clock
from diastole.edge.delivery.limits import Depth
from diastole.edge.records import SECOND_NS, Status
from diastole.edge.wire.topics import NOBODY

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


class Health:
    """When a status is due, and what it says."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._begun_s = clock.monotonic()
        self._told_s: float | None = None
        self._told: object = None
        self.read_s: float | None = None
        """When the last reading was made, by the monotonic clock."""

    def due(self, seen: Seen) -> Status | None:
        """Return a status where one is due."""
        now_s = self._clock.monotonic()
        state = (seen.connected, tuple(seen.trouble), set(seen.counts), set(seen.depth.dropped))
        if self._told_s is not None:
            since_s = now_s - self._told_s
            if since_s < (CHANGED_S if state != self._told else EVERY_S):
                return None
        self._told_s, self._told = now_s, state
        return self.status(seen)

    def status(self, seen: Seen) -> Status:
        """Return the agent's status."""
        now_s, wall_ns = self._clock.monotonic(), self._clock.wall_ns()
        values = {
            "online": 1.0,
            "uptime_s": round(now_s - self._begun_s, 1),
            "outbox_rows": float(seen.depth.rows),
            "cpu_s": round(time.process_time(), 2),
            "rss_mb": rss_mb(),
            "clock_back": 0.0,
            **{f"dropped_{reason}": float(n) for reason, n in seen.depth.dropped.items()},
            **{name: float(n) for name, n in seen.counts.items()},
        }
        if seen.depth.oldest_ns is not None:
            values["oldest_s"] = round(max(wall_ns - seen.depth.oldest_ns, 0) / SECOND_NS, 1)
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


def rss_mb() -> float:
    """Return the memory that this process holds; where the system does not tell, its most."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return round(most / (1e6 if sys.platform == "darwin" else 1e3), 1)
    return round(pages * resource.getpagesize() / 1e6, 1)
