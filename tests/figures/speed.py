"""A day of beats, from file to table: ``python -m tests.figures.speed``.

Both engines in one run on the same file: recorded time over processor time of this process, whole
walk included. Goal of the vectorised engine: 5,000 times real time.
"""

import tempfile
import time
from pathlib import Path

import numpy as np

from diastole.edge.replay.session import Options, replay_session
from diastole.edge.tables import write

HOURS = 24
SEED = 7


def beats_of_a_day(path: Path) -> float:
    """Write simulated intervals that vary as a heart's do; return their hours."""
    generator = np.random.default_rng(SEED)
    n = int(HOURS * 3600 / 0.8)
    beat = np.arange(n)
    rr_ms = (
        800 + 80 * np.sin(beat / 4000) + 30 * np.sin(beat / 4.1) + 15 * generator.standard_normal(n)
    )
    path.write_text("rr_ms\n" + "\n".join(f"{value:.3f}" for value in rr_ms) + "\n")
    return float(rr_ms.sum() / 3.6e6)


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "day.csv"
        hours = beats_of_a_day(path)
        for engine in ("vectorised", "neurokit"):
            begun = time.process_time()
            told = replay_session(path, "day", Options(engine=engine))
            write(told.columns, Path(folder) / f"{engine}.csv", told.provenance)
            seconds = time.process_time() - begun
            print(
                f"{engine:11} {hours:.1f} h, {len(told.columns['t_s'])} readings: {seconds:7.2f} s "
                f"of processor time, x {hours * 3600 / seconds:,.0f} real time"
            )


if __name__ == "__main__":
    main()
