"""A recording through the pipeline to a table: what a live agent would have said, and when."""

from pathlib import Path
from typing import TYPE_CHECKING

from diastole.edge.labels import read_labels
from diastole.edge.replay.columns import session_name
from diastole.edge.replay.session import Options, replay_session
from diastole.edge.replay.walk import Session, observe
from diastole.edge.tables import to_arrow

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Session", "observe", "replay"]


def replay(
    path: Path | str,
    *,
    model: Path | str = "shipped",
    engine: str = "vectorised",
    labels: Path | str | None = None,
    format_name: str | None = None,
    subject: str | None = None,
) -> "pa.Table":
    """Replay one recording and return its readings as an Arrow table.

    ``model`` is a file, ``shipped`` or ``none``; ``labels`` a label file or a folder of them. Raise
    an error of :mod:`diastole.edge.errors` where an argument or the recording cannot be used.
    """
    options = Options(
        model=str(model),
        engine=engine,
        format_name=format_name,
        labels=read_labels(Path(labels)) if labels is not None else None,
        one_subject=subject,
    )
    told = replay_session(Path(path), session_name(Path(path)), options)
    return to_arrow(told.columns, told.provenance)
