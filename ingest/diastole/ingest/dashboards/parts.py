"""What a dashboard of Grafana is made of: queries, variables, annotations, places and colours."""

from collections.abc import Sequence
from typing import Any, Final

from diastole.edge.views.words import BLUE, ORANGE
from diastole.ingest.layout import POLICY_OF

Json = dict[str, Any]

SOURCE: Final = {"type": "influxdb", "uid": "diastole-influx"}
"""The provisioned data source."""
WIDTH: Final = 24
"""Of Grafana's grid."""
HEIGHTS: Final = {"text": 2, "state-timeline": 5}
HEIGHT: Final = 8


def place(measurement: str) -> str:
    """Return a measurement as a query names it."""
    return f'"{POLICY_OF[measurement]}"."{measurement}"'


def is_any(tag: str) -> str:
    """Return the condition that a tag is what its variable says."""
    return f'"{tag}" =~ /^${{{tag}:regex}}$/'


WHERE: Final = " AND ".join([*map(is_any, ("site", "agent", "subject")), "$timeFilter"])
WHOSE: Final = f"{is_any('device')} AND {WHERE}"


def laid(panels: Sequence[Json]) -> list[Json]:
    """Return the panels one below another, each with its number."""
    found, y = [], 0
    for number, panel in enumerate(panels, 1):
        h = HEIGHTS.get(panel["type"], HEIGHT)
        where = {"x": 0, "y": y, "w": WIDTH, "h": h}
        source = {} if panel["type"] == "text" else {"datasource": SOURCE}
        found.append({"id": number, "gridPos": where} | source | panel)
        y += h
    return found


def target(query: str, shape: str = "time_series", name: str = "A", **more: Any) -> Json:
    """Return a query of a panel; ``shape`` is how its answer is taken."""
    return {
        "refId": name,
        "datasource": SOURCE,
        "query": query,
        "rawQuery": True,
        "resultFormat": shape,
    } | more


def variables() -> list[Json]:
    """Return what may be chosen: a wearer and a device, of any or some sites and agents."""
    found = {
        "site": ("Site", ""),
        "agent": ("Agent", f" WHERE {is_any('site')}"),
        "subject": ("Wearer", f" WHERE {is_any('site')} AND {is_any('agent')}"),
        "device": ("Device", f" WHERE {is_any('subject')}"),
    }
    return [
        {
            "type": "query",
            "name": tag,
            "label": label,
            "datasource": SOURCE,
            "query": f'SHOW TAG VALUES FROM {place("reading")} WITH KEY = "{tag}"{of}',
            "refresh": 2,
            "sort": 1,
        }
        | (_several() if tag in ("site", "agent") else {"multi": False, "includeAll": False})
        for tag, (label, of) in found.items()
    ]


def _several() -> Json:
    current = {"text": ["All"], "value": ["$__all"]}
    return {"multi": True, "includeAll": True, "allValue": ".*", "current": current}


def annotations() -> list[Json]:
    """Return what is drawn over all panels: episodes from start to end, and marks."""
    episodes = f'SELECT "text", "end_ms" FROM {place("event")} WHERE {WHOSE}'
    marks = f'SELECT "text", "by" FROM {place("mark")} WHERE {WHERE}'
    return [
        _annotation("Episodes", ORANGE, episodes, timeEndColumn="end_ms"),
        _annotation("Marks", BLUE, marks, tagsColumn="by"),
    ]


def _annotation(name: str, colour: str, query: str, **columns: str) -> Json:
    shown = {"fromAnnotations": True, "textEditor": True, "textColumn": "text", **columns}
    return {
        "name": name,
        "datasource": SOURCE,
        "enable": True,
        "hide": False,
        "iconColor": colour,
        "target": target(f"{query} ORDER BY time DESC LIMIT 200", "table", "Anno", **shown),
    }


def property_of(name: str, value: Any) -> Json:
    """Return what an override sets."""
    return {"id": name, "value": value}


def fixed(colour: str) -> Json:
    """Return one colour for all of a series."""
    return {"mode": "fixed", "fixedColor": colour}


def share(colour: str) -> Json:
    """Return the defaults of a field between 0 and 1."""
    return {"unit": "percentunit", "decimals": 0, "min": 0, "max": 1, "color": fixed(colour)}


def steps(*given: tuple[float | None, str]) -> Json:
    """Return colours, each from its value on."""
    return {"mode": "absolute", "steps": [{"value": at, "color": colour} for at, colour in given]}
