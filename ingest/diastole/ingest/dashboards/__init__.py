"""Grafana's dashboards as code; what is committed below ``configs/grafana`` is made by it.

Grafana 12 and 13 read the store by InfluxQL through the data source that is provisioned there.
"""

import json
from pathlib import Path

from diastole.edge.outputs import whole_file
from diastole.ingest.dashboards.today import today


def write(folder: Path) -> None:
    """Write every dashboard into a folder, over the ones that are there."""
    for dashboard in (today(),):
        name = dashboard["uid"].removeprefix("diastole-")
        with whole_file(folder / f"{name}.json", force=True) as stream:
            text = json.dumps(dashboard, indent=2, sort_keys=True, ensure_ascii=False)
            stream.write(f"{text}\n".encode())
