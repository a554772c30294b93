"""``python -m diastole.ingest.dashboards FOLDER`` writes the dashboards into a folder."""

import sys
from pathlib import Path

from diastole.ingest.dashboards import write

if __name__ == "__main__":
    write(Path(sys.argv[1]))
