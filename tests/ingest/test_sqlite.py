"""What only the file does: it is there at once, and says what is wrong with it."""

import sqlite3
import threading
from pathlib import Path

import pytest

from diastole.edge.errors import BadFile, OutputError
from diastole.ingest.stores import RowsRefused, StoreAway
from diastole.ingest.stores.sqlite import SqliteStore
from tests.ingest.made import row

HERE = row(5000, {"online": 1.0}, "status")


def test_it_needs_no_preparation_and_others_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "store.db"
    store = SqliteStore(path)
    store.write([HERE, row(6000, {"text_version": "1", "online": 0.0}, "status")])
    reader = sqlite3.connect(path)
    query = "SELECT time_ms, subject, online, text_version FROM status ORDER BY time_ms"
    assert reader.execute(query).fetchall() == [(5000, "s1", 1.0, None), (6000, "s1", 0.0, "1")]
    assert reader.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    reader.close()
    assert {file.stat().st_mode & 0o077 for file in path.parent.iterdir()} == {0}
    store.close()
    again = SqliteStore(path)
    assert list(again.read("status", {}, ("online",), 0, 5001)) == [HERE]
    again.close()


def test_a_write_is_whole_or_not_at_all(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    store.write([HERE])
    new = row(6000, {"online": 1.0, "depth": 3.0}, "status")
    with pytest.raises(RowsRefused, match="online"):
        store.write([new, row(7000, {"online": "yes"}, "status")])
    assert store.count() == {"status": 1}
    store.write([new])
    assert list(store.read("status", {}, ("depth",), 0, 9000)) == [
        new._replace(fields={"depth": 3.0})
    ]
    store.close()


def test_a_reader_sees_what_came_after_it(tmp_path: Path) -> None:
    reader, writer = SqliteStore(tmp_path / "store.db"), SqliteStore(tmp_path / "store.db")
    assert not list(reader.read("status", {}, (), 0, 9000))
    writer.write([HERE])
    writer.write([row(6000, {"depth": 1.0}, "status")])
    assert len(list(reader.read("status", {}, (), 0, 9000))) == 2
    writer.close()
    reader.close()


def test_while_another_writes_it_is_away_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("diastole.ingest.stores.sqlite.BUSY_S", 0.05)
    store, other = SqliteStore(tmp_path / "store.db"), sqlite3.connect(tmp_path / "store.db")
    store.init()
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreAway, match="locked") as away:
        store.write([HERE])
    assert not away.value.alarm
    other.rollback()
    store.write([HERE])
    other.close()
    store.close()


def test_a_full_file_is_away_and_what_it_holds_can_be_read(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    store.write([HERE])
    store._connect().execute("PRAGMA max_page_count = 8")
    with pytest.raises(StoreAway, match="full") as away:
        store.write([row(k, {"text": "x" * 5000, "by": ""}, "mark") for k in range(20)])
    assert away.value.alarm
    assert store.count() == {"status": 1}
    store._connect().execute("PRAGMA max_page_count = 1000")
    store.write([row(1, {"text": "", "by": ""}, "mark")])
    assert store.count() == {"mark": 1, "status": 1}
    store.close()


def test_what_is_no_store_is_a_sentence(tmp_path: Path) -> None:
    text = tmp_path / "notes.db"
    text.write_text("not a database, but longer than its header would be\n" * 40)
    with pytest.raises(BadFile, match=r"is no store .*name another file"):
        SqliteStore(text).init()
    with pytest.raises(StoreAway) as away:
        SqliteStore(text).write([HERE])
    assert away.value.alarm
    newer = tmp_path / "newer.db"
    with sqlite3.connect(newer) as file:
        file.execute("PRAGMA user_version = 2")
    file.close()
    with pytest.raises(BadFile, match="is a store of schema 2, this reads 1"):
        SqliteStore(newer).init()
    with pytest.raises(OutputError):
        SqliteStore(text / "below" / "store.db").init()
    with pytest.raises(OutputError, match="cannot be opened"):
        SqliteStore(tmp_path).init()


def test_it_may_be_made_in_one_thread_and_used_in_another(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store.db")
    store.init()
    worker = threading.Thread(target=store.write, args=([HERE],))
    worker.start()
    worker.join()
    assert store.count() == {"status": 1}
    store.close()
