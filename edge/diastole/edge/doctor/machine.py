"""What of the machine a diastole process needs: a clock that is set, room on its disk."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from diastole.edge.doctor.finding import Finding
from diastole.edge.errors import shown

MB: Final = 1_000_000
LITTLE_MB: Final = 1_000
"""About a day of one wearer's outbox, rewritten."""
NONE_MB: Final = 100


def room(folder: Path) -> Iterator[Finding]:
    """Yield whether there is room where the state lies, or will lie."""
    there = next((place for place in (folder, *folder.parents) if place.exists()), Path("/"))
    try:
        free_mb = shutil.disk_usage(there).free / MB
    except OSError as error:
        what = f"{shown(there)} cannot be asked ({(error.strerror or str(error)).lower()})"
        yield Finding("disk", "fail", what, "choose another folder for the state")
        return
    what = f"{free_mb / 1000:.1f} GB free at {shown(there)}"
    remedy = "free some space, or keep the state on another disk"
    if free_mb < NONE_MB:
        yield Finding("disk", "fail", what, remedy)
    elif free_mb < LITTLE_MB:
        yield Finding("disk", "warn", what, remedy)
    else:
        yield Finding("disk", "ok", what)
