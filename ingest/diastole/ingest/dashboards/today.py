"""The dashboard *Today*: one wearer's day, what was said of it, and what that rests on."""

from collections.abc import Mapping
from typing import Any, Final

from diastole.edge.records import Decision, Reason
from diastole.edge.schema import HOP_S, UNCERTAIN
from diastole.edge.views.words import (
    BLUE,
    DECISION_COLOURS,
    DECISION_WORDS,
    GREY,
    NOT_A_DIAGNOSIS,
    ORANGE,
    PURPLE,
    REASON_WORDS,
    SKY,
    VERMILLION,
)
from diastole.ingest.dashboards.parts import (
    WHOSE,
    Json,
    annotations,
    fixed,
    laid,
    place,
    property_of,
    share,
    steps,
    target,
    variables,
)

GAP_MS: Final = 90_000
"""A line is not drawn across a longer silence."""
LOW: Final = "normal from"
HIGH: Final = "normal to"


def today() -> Json:
    """Return the dashboard of one wearer's day."""
    panels = [
        _words(),
        _line(
            "Heart rate",
            "Mean of the last minute, over the range that is normal for this wearer.",
            {"heart rate": "hr_mean_bpm", **_range("hr", "bpm")},
            {"unit": "bpm", "decimals": 0, "color": fixed(BLUE)},
        ),
        _line(
            "RMSSD",
            "Beat-to-beat variability of the last minute, over this wearer's normal range. "
            "A gap: the beats do not allow it.",
            {"RMSSD": "rmssd_ms", **_range("rmssd", "ms")},
            {"unit": "ms", "decimals": 0, "color": fixed(PURPLE)},
            scaleDistribution={"type": "log", "log": 2},
        ),
        _line(
            "p(stress)",
            "The model's probability, where stress and calm are equally frequent. In the grey band "
            "nothing is decided; a gap: the reason stands below.",
            {"p(stress)": "p_stress"},
            share(BLUE)
            | {"thresholds": steps((None, SKY), (UNCERTAIN[0], GREY), (UNCERTAIN[1], ORANGE))},
            thresholdsStyle={"mode": "area"},
        ),
        _said(),
        _line(
            "Coverage",
            "Share of the last minute inside usable beats. Under 30 % nothing is decided.",
            {"coverage": "coverage"},
            share(BLUE) | {"thresholds": steps((None, VERMILLION), (0.3, "transparent"))},
            thresholdsStyle={"mode": "area"},
        ),
        _episodes(),
    ]
    return {
        "uid": "diastole-today",
        "title": "Today",
        "description": NOT_A_DIAGNOSIS,
        "tags": ["diastole"],
        "schemaVersion": 42,
        "editable": False,
        "graphTooltip": 1,
        "timezone": "browser",
        "time": {"from": "now/d", "to": "now"},
        "refresh": "30s",
        "templating": {"list": variables()},
        "annotations": {"list": annotations()},
        "panels": laid(panels),
    }


def _line(
    title: str, meaning: str, shown: Mapping[str, str], defaults: Json, **custom: Any
) -> Json:
    """Return a panel of lines: name to field, averaged over the width of a pixel or so."""
    fields = ", ".join(f'mean("{field}") AS "{name}"' for name, field in shown.items())
    query = f"SELECT {fields} FROM {place('reading')} WHERE {WHOSE}"
    lines = {"lineWidth": 1, "fillOpacity": 0, "showPoints": "auto", "spanNulls": GAP_MS}
    return {
        "type": "timeseries",
        "title": title,
        "description": meaning,
        "interval": f"{HOP_S}s",
        "targets": [target(f"{query} GROUP BY time($__interval) fill(null)", alias="$col")],
        "fieldConfig": {
            "defaults": defaults | {"custom": lines | custom},
            "overrides": _band() if LOW in shown else [],
        },
        "options": {
            "legend": {"showLegend": True, "displayMode": "list", "placement": "bottom"},
            "tooltip": {"mode": "multi", "sort": "none"},
        },
    }


def _range(what: str, unit: str) -> dict[str, str]:
    return {end: f"normal_{what}_{side}_{unit}" for end, side in ((LOW, "low"), (HIGH, "high"))}


def _band() -> list[Json]:
    """Return what makes two lines the edges of a band."""
    plain = [property_of("color", fixed(GREY)), property_of("custom.lineWidth", 0)]
    filled = [
        property_of("custom.fillBelowTo", LOW),
        property_of("custom.fillOpacity", 20),
    ]
    return [
        {"matcher": {"id": "byName", "options": LOW}, "properties": plain},
        {"matcher": {"id": "byName", "options": HIGH}, "properties": plain + filled},
    ]


def _said() -> Json:
    """Return what was said most in each span of time, or why nothing was."""
    query = f'SELECT mode("said") AS "said" FROM {place("reading")} WHERE {WHOSE}'
    words = {decision.value: DECISION_WORDS[decision] for decision in Decision}
    words |= {reason.value: f"undecided: {REASON_WORDS[reason]}" for reason in Reason}
    colours = {decision.value: DECISION_COLOURS[decision] for decision in Decision}
    options = {
        value: {"text": text, "color": colours.get(value, GREY), "index": index}
        for index, (value, text) in enumerate(words.items())
    }
    return {
        "type": "state-timeline",
        "title": "Decisions and their reasons",
        "description": "What was said most often in each span; a gap: no reading.",
        "interval": f"{HOP_S}s",
        "targets": [target(f"{query} GROUP BY time($__interval) fill(null)", alias="$col")],
        "fieldConfig": {
            "defaults": {
                "unit": "string",
                "mappings": [{"type": "value", "options": options}],
                "custom": {"fillOpacity": 80, "lineWidth": 0, "spanNulls": False},
            },
            "overrides": [],
        },
        "options": {
            "mergeValues": True,
            "showValue": "auto",
            "rowHeight": 0.9,
            "legend": {"showLegend": False},
        },
    }


def _episodes() -> Json:
    fields = ", ".join(f'"{name}"' for name in ("text", "end_ms", "peak_p", "mean_p", "recovery_s"))
    query = f"SELECT {fields} FROM {place('event')} WHERE {WHOSE} ORDER BY time DESC LIMIT 50"
    titles = {
        "text": ("what", "string"),
        "end_ms": ("until", "dateTimeAsIso"),
        "peak_p": ("highest p", "percentunit"),
        "mean_p": ("mean p", "percentunit"),
        "recovery_s": ("recovery", "s"),
    }
    return {
        "type": "table",
        "title": "Episodes of strain, the newest 50",
        "description": "Signs of strain that last. It can be excitement, coffee, heat or stress.",
        "targets": [target(query, "table")],
        "fieldConfig": {
            "defaults": {"unit": "none"},
            "overrides": [
                {
                    "matcher": {"id": "byName", "options": name},
                    "properties": [property_of("displayName", title), property_of("unit", unit)],
                }
                for name, (title, unit) in titles.items()
            ],
        },
        "options": {"showHeader": True},
    }


def _words() -> Json:
    return {
        "type": "text",
        "title": "",
        "options": {"mode": "markdown", "content": f"{NOT_A_DIAGNOSIS} Not an emergency service."},
    }
