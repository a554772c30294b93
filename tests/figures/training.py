"""Recordings to model file, twice: how long it takes, and whether it is bit for bit the same.

``python -m tests.figures.training``; exit 1 where the files differ from each other.
"""

import hashlib
import os
import sys
import time

from diastole.edge.pipeline.scoring import shipped
from diastole.models.datasets import sessions_of
from diastole.models.table import observe_sessions
from diastole.models.train import train
from tests.figures.observed import DATA


def trained(jobs: int) -> bytes:
    """Observe and train; print how long it took."""
    begun = time.monotonic()
    content = train(observe_sessions(sessions_of(DATA), jobs))
    digest = hashlib.sha256(content).hexdigest()[:12]
    print(f"model {digest} by {jobs} at a time: {time.monotonic() - begun:.0f} s")
    return content


def main() -> int:
    """Train twice, by another number of processes; compare with each other and what ships."""
    jobs = os.cpu_count() or 1
    first, second = trained(jobs), trained(jobs + 1)
    print("the same bits" if first == second else "DIFFERENT BITS")
    same = first == shipped().read_bytes()
    print("and those of the shipped file" if same else "NOT those of the shipped file")
    return 0 if first == second else 1


if __name__ == "__main__":
    sys.exit(main())
