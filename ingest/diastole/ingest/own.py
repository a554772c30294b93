"""What ingest says of itself, once a minute, as a row of ``status`` with site and subject ``-``."""

from collections import Counter
from typing import Final

from diastole.edge.wire.topics import NOBODY, Stream
from diastole.ingest.decoding import Why
from diastole.ingest.layout import MS_NS
from diastole.ingest.spool import Spool
from diastole.ingest.stores import Row

EVERY_S: Final = 60.0
COUNTS: Final = (
    "received",
    "kept",
    "stored",
    "duplicates",
    "dropped",
    "expired",
    "older_revisions",
    "future",
    "two_agents",
)
"""Since the process began: messages received, records kept, rows stored, …"""


class Own:
    """When the next row is due, and what has happened since the last."""

    def __init__(self, name: str, now_s: float) -> None:
        self._name = name
        self._last_s = now_s
        self._before: Counter[str] = Counter()

    def is_due(self, now_s: float) -> bool:
        """Return whether a minute has passed."""
        return now_s - self._last_s >= EVERY_S

    def row(
        self, now_s: float, now_ns: int, counts: Counter[str], spool: Spool, *, full: bool
    ) -> Row:
        """Return the row; rates are over the time since the last one."""
        passed_s = max(now_s - self._last_s, 1e-9)
        waiting, oldest_ms = spool.depth()
        now_ms = now_ns // MS_NS
        fields = {name: float(counts[name]) for name in COUNTS}
        for name in ("received", "stored"):
            fields[f"{name}_per_s"] = (counts[name] - self._before[name]) / passed_s
        fields |= {
            "lag_s": 0.0 if oldest_ms is None else max(0.0, (now_ms - oldest_ms) / 1000),
            "spool_rows": float(waiting),
            "spool_mb": spool.used_bytes() / 1e6,
            "spool_full": float(full),
        }
        dead = spool.dead_by_reason()
        fields |= {f"dead_{why.value}": float(dead.get(why, 0)) for why in Why}
        self._last_s, self._before = now_s, Counter(counts)
        tags = {"site": NOBODY, "agent": self._name, "subject": NOBODY, "device": NOBODY}
        return Row(Stream.STATUS.value, tags, now_ms, dict(fields))
