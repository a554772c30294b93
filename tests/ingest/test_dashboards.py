"""The dashboards as Grafana would use them: every query runs on a real store, filled by our path.

That Grafana draws them well is not shown here: no server of it can be had by the tests.
"""

import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from diastole.edge.agent.settings import Subject
from diastole.edge.formats.finding import open_recording
from diastole.edge.pipeline.rules import Rules
from diastole.edge.records import Decision, Reason
from diastole.edge.views import words
from diastole.edge.wire.topics import Topic
from diastole.ingest.dashboards import write
from diastole.ingest.dashboards.parts import SOURCE, WIDTH
from diastole.ingest.dashboards.today import today
from diastole.ingest.layout import rows_of
from diastole.ingest.stores.influx import InfluxStore
from tests.agent.worn import means, shipped_model, stepped, wearer
from tests.conftest import ROOT
from tests.ingest.stores import ask, settings_of
from tests.servers import mosquitto, until

CONFIGS = ROOT / "configs" / "grafana"
SESSION = ROOT / "edge" / "diastole" / "edge" / "demo" / "hongn" / "stress" / "S06.zip"
DASHBOARDS = [today()]
SOME = ("home", ".*", "(home|lab)")
STEPS = ("5s", "1m", "10m")
Json = dict[str, Any]


def panels() -> Iterator[Json]:
    for dashboard in DASHBOARDS:
        yield from dashboard["panels"]


def queries() -> Iterator[tuple[str, str]]:
    """Every query, with where it stands."""
    for dashboard in DASHBOARDS:
        for variable in dashboard["templating"]["list"]:
            yield f"variable {variable['name']}", variable["query"]
        for annotation in dashboard["annotations"]["list"]:
            yield f"annotation {annotation['name']}", annotation["target"]["query"]
    for panel in panels():
        for target in panel.get("targets", []):
            yield f"panel {panel['title']}", target["query"]


QUERIES = dict(queries())


AGENT = """
site = "home"
agent = "pi"
engine = "vectorised"
state = "state"
clock = "trusted"
[broker]
port = {port}
[[subjects]]
name = "s06"
[[replay]]
subject = "s06"
path = "{session}"
speed = "max"
"""
INGEST = """
[broker]
port = {port}
[spool]
path = "spool"
[influx]
url = "{url}"
"""


def produced() -> dict[str, int]:
    """Count the rows that the session becomes: an episode is one, however often it is told."""
    one = wearer(subject=Subject(name="s06"), using=means(model=shipped_model()))
    items = [*stepped(one, open_recording(SESSION).chunks()), *one.finish()]
    rows = [
        (row.measurement, row.tags["device"], row.time_ms)
        for item in items
        for row in rows_of(Topic("home", "pi", item.subject, item.stream), item.record)
    ]
    return Counter(measurement for measurement, *_ in set(rows))


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give a store that a session has gone into by agent, broker and ingest."""
    folder = tmp_path_factory.mktemp("path")
    with (
        settings_of("influx-1.8", tmp_path_factory.mktemp("store")) as store,
        mosquitto(tmp_path_factory.mktemp("broker")) as broker,
    ):
        agent = AGENT.format(port=broker.port, session=SESSION)
        (folder / "agent.toml").write_text(agent, encoding="utf-8")
        ingest = INGEST.format(port=broker.port, url=store.url)
        (folder / "ingest.toml").write_text(ingest, encoding="utf-8")
        with verb(folder, "ingest", "init") as made:
            assert made.wait(60) == 0
        with verb(folder, "ingest") as taking, verb(folder, "run", "agent.toml") as running:
            assert running.wait(120) == 0
            reader = InfluxStore(store)
            wanted = produced()
            until(lambda: reader.count().items() >= wanted.items(), f"{wanted} in the store")
            taking.terminate()
            assert taking.wait(30) == 0
            reader.close()
        yield store.url


@contextmanager
def verb(folder: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start a verb as a user does, in a folder of its own."""
    with subprocess.Popen([sys.executable, "-m", "diastole", *words], cwd=folder) as process:
        try:
            yield process
        finally:
            process.kill()


def filled(query: str, step: str, chosen: dict[str, str]) -> str:
    """Put in what Grafana puts in; nothing of its own may be left."""
    now_ms = int(time.time() * 1000)  # at full speed a session reaches into the future
    span = f"time >= {now_ms - 600_000}ms and time <= {now_ms + 7_200_000}ms"
    query = query.replace("$timeFilter", span)
    query = query.replace("$__interval", step)
    for name, value in chosen.items():
        query = query.replace(f"${{{name}:regex}}", value)
    assert "$" not in query.replace("$/", "")
    return query


def series_of(url: str, query: str) -> list[Json]:
    (result,) = json.loads(ask(url, query, db="diastole", epoch="ms"))["results"]
    assert "error" not in result
    series: list[Json] = result.get("series", [])
    return series


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("name", QUERIES)
def test_every_query_finds_rows(url: str, name: str, step: str) -> None:
    for site in SOME:
        chosen = {"site": site, "agent": site.replace("home", "pi"), "subject": "s06"}
        found = series_of(url, filled(QUERIES[name], step, chosen | {"device": "e4"}))
        assert found
        for column, title in enumerate(found[0]["columns"][1:], 1):
            assert any(row[column] is not None for one in found for row in one["values"]), title


@pytest.mark.parametrize("name", QUERIES)
def test_every_field_and_tag_exists(url: str, name: str) -> None:
    query = QUERIES[name]
    (policy, measurement), *_ = re.findall(r'FROM "(\w+)"\."(\w+)"', query)
    place = f'FROM "{policy}"."{measurement}"'
    known = {row[0] for row in series_of(url, f"SHOW FIELD KEYS {place}")[0]["values"]}
    known |= {row[0] for row in series_of(url, f"SHOW TAG KEYS {place}")[0]["values"]}
    named = re.findall(r'(?<!AS )"(\w[^"]*)"', query.replace(place, ""))
    assert named
    assert set(named) <= known


def test_another_wearer_is_not_shown(url: str) -> None:
    chosen = {"site": ".*", "agent": ".*", "subject": "s0", "device": "e4"}
    for name, query in QUERIES.items():
        if not name.startswith("variable"):
            assert not series_of(url, filled(query, "1m", chosen)), name


def test_what_is_committed_is_what_the_code_makes(tmp_path: Path) -> None:
    write(tmp_path)
    made = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    kept = CONFIGS / "dashboards"
    assert made == {path.name: path.read_text(encoding="utf-8") for path in kept.iterdir()}, (
        "python -m diastole.ingest.dashboards configs/grafana/dashboards"
    )


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: str(dashboard["uid"]))
def test_variables_used_are_those_defined(dashboard: Json) -> None:
    defined = [variable["name"] for variable in dashboard["templating"]["list"]]
    used = set(re.findall(r"\$\{(\w+):regex\}", json.dumps(dashboard)))
    assert len(defined) == len(set(defined))
    assert used == set(defined)
    rest = re.sub(
        r"\$\{\w+:regex\}/?\$?|\$timeFilter|\$__interval|\$__all|\$col", "", json.dumps(dashboard)
    )
    assert "$" not in rest


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: str(dashboard["uid"]))
def test_panels_have_a_number_and_a_place_of_their_own(dashboard: Json) -> None:
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert sorted(ids) == sorted(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + i, at["y"] + j) for i in range(at["w"]) for j in range(at["h"])}
        assert at["x"] + at["w"] <= WIDTH
        assert not cells & taken
        taken |= cells


def test_every_panel_has_a_unit_and_says_what_it_shows() -> None:
    for panel in panels():
        if panel["type"] == "text":
            assert panel["options"]["mode"] == "markdown"
            continue
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["description"]
        assert panel["datasource"] == SOURCE


def test_the_source_asked_is_the_one_provisioned() -> None:
    text = json.dumps(DASHBOARDS)
    assert set(re.findall(r'"datasource": (\{[^}]*\})', text)) == {json.dumps(SOURCE)}
    provisioned = (CONFIGS / "provisioning" / "datasources" / "diastole.yaml").read_text()
    assert re.findall(r"^\s+uid: (.*)$", provisioned, re.M) == [SOURCE["uid"]]
    assert re.findall(r"^\s+type: (.*)$", provisioned, re.M) == [SOURCE["type"]]
    secrets = re.findall(r"^[\s#]+(?:password|httpHeaderValue1): (.*)$", provisioned, re.M)
    assert len(secrets) == 2
    assert all(secret.startswith("$__file{") for secret in secrets)


def test_every_word_that_a_reading_can_say_has_a_text_and_a_colour() -> None:
    (timeline,) = (panel for panel in panels() if panel["type"] == "state-timeline")
    (mapping,) = timeline["fieldConfig"]["defaults"]["mappings"]
    assert set(mapping["options"]) == {*Decision, *Reason}
    assert all(option["text"] and option["color"] for option in mapping["options"].values())


def test_colours_are_those_of_every_view() -> None:
    palette = {
        value for name, value in vars(words).items() if name.isupper() and str(value)[:1] == "#"
    }
    assert set(re.findall(r"#[0-9A-Fa-f]{6}", json.dumps(DASHBOARDS))) <= palette


def test_bounds_drawn_are_those_of_the_rules() -> None:
    drawn = {
        panel["title"]: [
            step["value"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        ]
        for panel in panels()
        if "thresholds" in panel.get("fieldConfig", {}).get("defaults", {})
    }
    rules = Rules()
    assert drawn == {
        "p(stress)": [None, rules.uncertain_low, rules.uncertain_high],
        "Coverage": [None, rules.min_coverage],
    }


def test_it_is_said_that_this_is_no_diagnosis() -> None:
    for dashboard in DASHBOARDS:
        first = min(dashboard["panels"], key=lambda panel: panel["gridPos"]["y"])
        assert words.NOT_A_DIAGNOSIS in first["options"]["content"]
