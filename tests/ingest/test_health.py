"""The doctor's questions to ingest: well, and not, each with its remedy."""

from argparse import ArgumentParser
from pathlib import Path

import pytest

from diastole.edge.errors import BadFile
from diastole.ingest.commands import ingest
from diastole.ingest.decoding import Why
from diastole.ingest.health import Row, checks
from diastole.ingest.spool import Dead, Spool, prepared
from tests.ingest.sent import START_NS, letter
from tests.ingest.serving import Serving, write_settings
from tests.servers import mosquitto


def found(path: Path) -> dict[str, Row]:
    rows = {row[0]: row for row in checks(path)}
    assert all(bool(row[3]) == (row[1] != "ok") for row in rows.values())
    return rows


def test_all_is_well_while_it_runs(tmp_path: Path) -> None:
    (tmp_path / "broker").mkdir()
    with mosquitto(tmp_path / "broker") as broker:
        settings = write_settings(tmp_path / "home", broker.port)
        with Serving(settings):
            rows = found(settings)
    assert {row[1] for row in rows.values()} == {"ok"}
    assert list(rows) == ["store", "ingest", "spool", "spool's disk", "dead letters"]


def test_what_is_not_well_has_a_remedy(tmp_path: Path) -> None:
    settings = write_settings(tmp_path, 1, store='[influx]\nurl = "http://127.0.0.1:1"')
    rows = found(settings)
    assert rows["store"][1] == "fail"
    assert rows["ingest"][1:3] == ("warn", "it does not run")
    assert "is not there: ingest has not run yet" in rows["spool"][2]
    prepared(tmp_path / "spool.db", START_NS)
    spool = Spool(tmp_path / "spool.db")
    spool.keep([letter(b"old")], [Dead(letter(b"bad"), Why.MESSAGE, "no message")], [])
    spool.close()
    rows = found(settings)
    assert rows["spool"][1] == "warn"
    assert "1 messages wait" in rows["spool"][2]
    assert rows["dead letters"][1:3] == ("warn", "1 message")


@pytest.mark.parametrize("harm", [0, 4096])
def test_a_ruined_spool_is_a_failure(tmp_path: Path, harm: int) -> None:
    settings = write_settings(tmp_path, 1)
    path = tmp_path / "spool.db"
    prepared(path, START_NS)
    data = path.read_bytes()
    path.write_bytes(data[:harm] + b"x" * (len(data) - harm))
    assert found(settings)["spool"][1] == "fail"
    with pytest.raises(BadFile):
        ingest(parser := ArgumentParser())(
            parser.parse_args(["dead-letters", "--config", str(settings)])
        )


@pytest.mark.parametrize("text", ["name = 3", "[broker", "[spool]\nfree_mb = 1"])
def test_a_wrong_file_is_a_row(tmp_path: Path, text: str) -> None:
    path = tmp_path / "ingest.toml"
    path.write_text(text)
    assert found(path)["settings"][1] == "fail"
