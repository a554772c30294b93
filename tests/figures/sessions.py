"""Every recording at hand, replayed once to a table: ``python -m tests.figures.sessions``.

Exit 1 where one does not end in a table or in the sentence that it should end in.
"""

import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from diastole.edge.errors import BadFile
from diastole.edge.replay.session import Options, replay_session
from diastole.edge.tables import write
from tests.figures.observed import DATA, SETS

SAMPLES = (
    *("e4-folder/*", "elite-hrv/elite_rr_export.txt", "kubios/kubios_input_rr_seconds.txt"),
    *("kubios/opensignals_nni_export.txt", "rr-text/*", "welltory-ppg/*_RR.txt"),
)
REFUSED = frozenset({"mistake.txt"})
"""Samples that are damaged on purpose, and must be refused."""


def replayed(path: Path) -> tuple[Path, float, int, str]:
    """Replay one; return its hours worn, its notes, and its error where it has one."""
    try:
        told = replay_session(path, path.stem, Options())
        with tempfile.TemporaryDirectory() as folder:
            write(told.columns, Path(folder) / "readings.csv", told.provenance)
    except BadFile as error:
        return path, 0.0, 0, str(error)
    except Exception as error:
        return path, 0.0, 0, f"EXCEPTION {type(error).__name__}: {error}"
    return path, len(told.columns["t_s"]) * 5 / 3600, len(told.notes), ""


def main() -> int:
    """Replay all; print a row a set, and every one that failed."""
    sets = {
        **SETS,
        "samples": [path for pattern in SAMPLES for path in (DATA / "formats").glob(pattern)],
    }
    failed = 0
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for name, paths in sets.items():
            begun = time.monotonic()
            rows = list(pool.map(replayed, paths))
            wrong = [row for row in rows if bool(row[3]) != (row[0].name in REFUSED)]
            wrong += [row for row in rows if row[3].startswith("EXCEPTION")]
            failed += len(wrong) + (not rows)
            print(
                f"{name:15} {len(rows):4} recordings, {len(rows) - len(wrong):4} as they should, "
                f"{sum(row[1] for row in rows):7.1f} h worn, "
                f"{sum(row[2] for row in rows):4} notes, {time.monotonic() - begun:6.1f} s"
            )
            for path, _, _, error in wrong:
                print(f"  {path.parent.name}/{path.name}: {error or 'was not refused'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
