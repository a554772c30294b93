"""``ingest.toml``: read as it stands, and every mistake of it at once."""

from pathlib import Path

import pytest

from diastole.edge.errors import Mistakes
from diastole.ingest.settings import Ingest, read_ingest
from diastole.ingest.stores.influx import InfluxStore
from diastole.ingest.stores.sqlite import SqliteStore
from tests.conftest import ROOT


def read(folder: Path, text: str) -> Ingest:
    path = folder / "ingest.toml"
    path.write_text(text, encoding="utf-8")
    return read_ingest(path)


def test_the_file_in_configs_is_right_as_it_stands() -> None:
    settings = read_ingest(ROOT / "configs" / "ingest.toml")
    assert settings.subscriptions == ["diastole/v1/+/+/+/+"]
    assert (settings.broker.host, settings.broker.port) == ("127.0.0.1", 1883)
    assert (settings.limits.most_bytes, settings.limits.free_bytes) == (4 * 10**9, 2 * 10**8)
    store = settings.store()
    assert isinstance(store, InfluxStore)
    store.close()


def test_a_fleet_gives_each_process_its_sites(tmp_path: Path) -> None:
    settings = read(tmp_path, 'name = "north"\nsites = ["a", "b"]\n[sqlite]\npath = "x.db"\n')
    assert settings.subscriptions == ["diastole/v1/a/+/+/+", "diastole/v1/b/+/+/+"]
    assert isinstance(settings.store(), SqliteStore)


def test_the_spool_is_in_the_state_folder_unless_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    settings = read(tmp_path, '[sqlite]\npath = "x.db"\n')
    assert settings.spool_file == tmp_path / "diastole" / "ingest.spool"
    settings = read(tmp_path, f'[sqlite]\npath = "x.db"\n[spool]\npath = "{tmp_path}/s"\n')
    assert settings.spool_file == tmp_path / "s"


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    text = (
        'name = "In Gest"\nsites = []\n[broker]\nhost = "far.example"\n'
        '[spool]\nfree_mb = 0\n[influx]\nurl = "ftp://x"\n[other]\n'
    )
    with pytest.raises(Mistakes) as caught:
        read(tmp_path, text)
    told = str(caught.value)
    assert [error.line for error in caught.value.found] == [1, 2, 4, 6, 8, 9]
    for words in ("a pseudonym of", "at least one site", "in plaintext", "from 1", "unknown set"):
        assert words in told


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no store is named"),
        ('[sqlite]\npath = "x"\n[influx]\n', "two stores are named"),
        ('sites = ["a", "a"]\n[sqlite]\npath = "x"\n', "site 'a' stands there twice"),
        ("[sqlite]\n", "path is missing"),
    ],
)
def test_a_store_is_named_and_a_site_once(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(Mistakes, match=words):
        read(tmp_path, text)
