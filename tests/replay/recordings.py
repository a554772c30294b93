"""Small recordings on disk, and the command run on them."""

from pathlib import Path

from diastole.edge.chunks import Chunk
from diastole.edge.cli import main
from diastole.edge.formats.recorder import write
from diastole.edge.formats.session import Header
from diastole.edge.records import MINUTE_NS, SECOND_NS
from tests.strategies import START_NS, Stretch, intervals, recording

CALM = (Stretch(4, 64, 30, 4),)


def session(path: Path, subject: str | None = None, *, begin_min: int = 0) -> Chunk:
    """Write four calm minutes of our own format that begin so many minutes after ``START_NS``."""
    start_ns = START_NS + begin_min * MINUTE_NS
    chunk = recording(*CALM, seed=begin_min, start_ns=start_ns)
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, Header(subject=subject, start_ns=start_ns), [chunk])
    return chunk


def rr_text(path: Path, seed: int = 0) -> float:
    """Write four calm minutes as bare intervals; give how many seconds they last."""
    import numpy as np

    rr_ms = np.round(intervals(CALM, np.random.default_rng(seed)))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(f"{value:.0f}" for value in rr_ms) + "\n")
    return float(rr_ms.sum()) / 1000


def replayed(*words: str | Path) -> int:
    """Run ``diastole replay`` without a model."""
    return main(["replay", *map(str, words), "--model", "none"])


def hop_s(time_ns: int) -> int:
    """Give the seconds after ``START_NS``."""
    return (time_ns - START_NS) // SECOND_NS
