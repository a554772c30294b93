"""The spool: what is in it stays in it, through a full disk and a ruined file."""

import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from diastole.edge.errors import BadFile, OutputError
from diastole.ingest.decoding import Why
from diastole.ingest.ranges import Ranges
from diastole.ingest.spool import Dead, Letter, Limits, NoRoom, Spool, StreamKey, opened, prepared
from tests.conftest import ROOT
from tests.ingest.sent import PLENTY, SID, START_NS, a_spool, letter, waiting

KEY = StreamKey("home", "pi", SID)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    found = a_spool(tmp_path)
    yield found
    found.close()


def kept(spool: Spool, *said: bytes, upto: int = 1) -> None:
    spool.keep([letter(one) for one in said], [], [(KEY, Ranges([(1, upto)]))])


def test_what_is_kept_is_there_for_another_process_in_its_order(spool: Spool) -> None:
    kept(spool, b"one", b"two", upto=2)
    with sqlite3.connect(spool.path) as other:
        assert other.execute("SELECT payload FROM message").fetchall() == [(b"one",), (b"two",)]
    other.close()
    assert prepared(spool.path, START_NS) == []
    assert spool.held(KEY).ranges == [(1, 2)]
    assert spool.held(KEY._replace(agent="other")).ranges == []


def test_released_messages_go_and_held_places_stay(spool: Spool) -> None:
    kept(spool, b"one", b"two", b"three", upto=3)
    dead = Dead(letter(b"two"), Why.REFUSED, "too odd \ud800")
    spool.release([1, 2], [dead])
    assert [one.payload for one in waiting(spool)] == [b"three"]
    assert spool.depth()[0] == 1
    assert spool.held(KEY).upto == 3
    ((number, found),) = spool.dead_letters()
    assert (number, found.letter, found.why) == (1, dead.letter, Why.REFUSED)


def test_dead_letters_are_tried_again_or_thrown_away(spool: Spool) -> None:
    spool.keep([], [Dead(letter(said), Why.NEWER, "v 2") for said in (b"1", b"2", b"3")], [])
    assert spool.dead_by_reason() == {Why.NEWER: 3}
    assert spool.retry([2, 99]) == 1
    assert [one.payload for one in waiting(spool)] == [b"2"]
    assert spool.drop([1]) == 1
    assert spool.retry(None) == 1
    assert [one.payload for one in waiting(spool)] == [b"2", b"3"]
    assert list(spool.dead_letters()) == []


def test_no_room_keeps_nothing_and_room_lets_it_go_on(tmp_path: Path) -> None:
    spool = a_spool(tmp_path, Limits(most_bytes=200_000, free_bytes=1))
    many = [bytes(20_000)] * 10
    kept(spool, *many, upto=10)
    with pytest.raises(NoRoom, match=r"has reached its 0\.2 MB"):
        kept(spool, b"more", upto=11)
    assert len(waiting(spool)) == 10
    assert spool.held(KEY).upto == 10
    emptier = Spool(spool.path)
    emptier.release(range(1, 11), [])
    kept(spool, b"more", upto=11)
    assert [one.payload for one in waiting(spool)] == [b"more"]
    for one in (spool, emptier):
        one.close()


def test_a_disk_that_is_nearly_full_is_left_alone(tmp_path: Path) -> None:
    spool = a_spool(tmp_path, Limits(most_bytes=10**12, free_bytes=2**60))
    with pytest.raises(NoRoom, match="are free beside"):
        kept(spool, b"one")
    assert waiting(spool) == []
    spool.close()


def test_a_write_that_the_system_refuses_is_no_room(tmp_path: Path) -> None:
    a_spool(tmp_path).close()
    call = "import sys; from tests.ingest.test_spool import beyond_the_limit as f; f(sys.argv[1])"
    command = [sys.executable, "-c", call, str(tmp_path / "spool.db")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("no room, then kept\n", "")


def beyond_the_limit(path: str) -> None:
    """Say what a process is told whose files may not grow, and then may."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    spool = Spool(Path(path), PLENTY)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, most))
    with pytest.raises(NoRoom):
        kept(spool, bytes(400_000))
    assert waiting(spool) == []
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    kept(spool, bytes(400_000))
    assert len(waiting(spool)) == 1
    print("no room, then kept")


def test_letting_go_needs_little_room(tmp_path: Path) -> None:
    spool = a_spool(tmp_path)
    for _ in range(20):
        kept(spool, bytes(100_000))
    spool.close()  # its log is empty from here on
    spool = Spool(tmp_path / "spool.db", PLENTY)
    spool.release([number for number, _ in spool.oldest(100)], [])
    assert waiting(spool) == []
    assert (tmp_path / "spool.db-wal").stat().st_size < 200_000


def test_nothing_is_kept_in_a_file_that_was_taken_away(tmp_path: Path) -> None:
    spool = a_spool(tmp_path)
    kept(spool, b"one")
    spool.path.unlink()
    with pytest.raises(BadFile, match="taken away while ingest ran: start ingest again"):
        kept(spool, b"two", upto=2)
    a_spool(tmp_path)
    with pytest.raises(BadFile):
        kept(spool, b"two", upto=2)


def test_what_was_let_go_is_room_for_what_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = a_spool(tmp_path, Limits(most_bytes=10**12, free_bytes=1_000_000))

    def disk(_: Path) -> SimpleNamespace:
        taken = 4096 * spool._db.execute("PRAGMA page_count").fetchone()[0]
        return SimpleNamespace(free=3_000_000 - taken)

    monkeypatch.setattr("diastole.ingest.spool.shutil.disk_usage", disk)

    def fill() -> None:
        for _ in range(30):
            kept(spool, bytes(100_000))

    for _ in range(2):
        with pytest.raises(NoRoom, match="less than 1 MB are free"):
            fill()
        found = [number for number, _ in spool.oldest(100)]
        assert len(found) > 15
        spool.release(found, [])


@pytest.mark.parametrize("ruin", ["text", "header", "page"])
def test_a_ruined_spool_is_put_aside_and_a_new_one_begun(tmp_path: Path, ruin: str) -> None:
    spool = a_spool(tmp_path)
    kept(spool, *[bytes(3_000)] * 50)
    spool.close()
    whole = bytearray(spool.path.read_bytes())
    match ruin:
        case "text":
            whole[:] = b"this is no database, and it is long enough to tell\n" * 20
        case "header":
            whole[:100] = bytes(100)
        case "page":
            whole[8192:12288] = b"\xff" * 4096
    spool.path.write_bytes(whole)
    (note,) = prepared(spool.path, START_NS)
    aside = tmp_path / f"spool.db.corrupt-{START_NS // 1_000_000}"
    assert "ruined" in note
    assert str(aside) in note
    assert aside.read_bytes() == whole
    fresh = Spool(spool.path)
    assert waiting(fresh) == []
    fresh.close()


def test_an_emptied_spool_is_said(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    path.touch()
    assert ["what was in it is lost" in note for note in prepared(path, START_NS)] == [True]


def test_another_schema_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version = 7")
    other.close()
    with pytest.raises(BadFile, match="schema 7, this version writes 1"):
        prepared(path, START_NS)
    with pytest.raises(BadFile, match="there is no spool"):
        opened(tmp_path / "none.db")
    path.write_text("words " * 1000)
    with pytest.raises(BadFile, match="no spool that can be read"):
        opened(path)


def test_a_place_that_is_none_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        prepared(tmp_path / "file" / "spool.db", START_NS)
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="cannot be opened"):
        prepared(tmp_path / "folder", START_NS)


def test_payloads_and_topics_come_back_as_they_were(spool: Spool) -> None:
    odd = Letter(-1, "a\0b/\N{GREEK SMALL LETTER RHO}", bytes(range(256)), 3)
    spool.keep([odd], [], [])
    assert waiting(spool) == [odd]


def test_what_was_said_just_now_goes_before_what_waited(tmp_path: Path) -> None:
    prepared(tmp_path / "spool.db", 0)
    spool = Spool(tmp_path / "spool.db")
    waited = [Letter(n, "topic", b"%d" % n) for n in range(3)]
    spool.keep(waited, [], [])
    spool.keep([Letter(3, "topic", b"3", live=True)], [], [])
    numbers = [number for number, _ in spool.oldest(10)]
    assert [letter.received_ms for _, letter in spool.oldest(10)] == [3, 0, 1, 2]
    spool.release(numbers[:2], [])
    assert [letter.received_ms for _, letter in spool.oldest(10)] == [1, 2]
    assert spool.depth() == (2, 1)
    spool.close()
