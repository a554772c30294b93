"""Kills, full disks, failing disks and damaged files: nothing that was accepted is lost unsaid."""

import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from diastole.edge.delivery import Tick, waiting
from diastole.edge.delivery.limits import Limits
from diastole.edge.delivery.outbox import Outbox
from diastole.edge.wire import encode
from diastole.edge.wire.messages import Held
from diastole.edge.wire.topics import Stream
from tests.delivery.makers import NOW_NS, held, opened, record, tick
from tests.servers import needed

ROOT = Path(__file__).parents[2]
COMMITS = """
import sys
from pathlib import Path
from diastole.edge.delivery import Tick
from diastole.edge.wire.messages import Held
from diastole.edge.wire.topics import Stream
from tests.delivery.makers import opened, item
outbox = opened(Path(sys.argv[1]))
n = int(sys.argv[2])
most = n + int(sys.argv[3])
while n < most:
    made = Tick([item(Stream.READING, n, size=900)], {"anna": b"%7000d" % n}, {"file": b"%d" % n})
    print(n, "durable" if outbox.commit(made) else "waits", flush=True)
    if n % 3 == 0:
        for sid, line in list(outbox.lines.items()):
            outbox.release([Held(sid=sid, upto=line.last // 2)])
            print("released", sid, line.last // 2, flush=True)
    n += 1
print("notes", *outbox.notes, sep="|", flush=True)
"""


def child(folder: Path, first: int, count: int, *before: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*before, sys.executable, "-c", COMMITS, str(folder), str(first), str(count)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_law_9_a_killed_agent_finds_every_tick_again_that_was_durable(tmp_path: Path) -> None:
    rng = random.Random(3)
    said: set[int] = set()
    seen: dict[tuple[str, int], bytes] = {}
    released: dict[str, int] = {}
    for _ in range(6):
        first = max(said, default=-1) + 1
        with child(tmp_path, first, 10_000) as process:
            assert process.stdout is not None
            for line in process.stdout:
                words = line.split()
                if words[0] == "released":
                    released[words[1]] = int(words[2])
                else:
                    said.add(int(words[0]))
                if len(said) > first + rng.randint(5, 60):
                    process.send_signal(signal.SIGKILL)
            process.wait()
        outbox = opened(tmp_path)
        assert not outbox.notes
        seen |= held(outbox)
        place = int(outbox.cursor("file") or b"-1")
        assert place >= max(said)
        assert outbox.state("anna") == b"%7000d" % place
        said = set(range(place + 1))
        outbox.close()
        bodies = set(seen.values())
        freed = sum(released.values())
        expected = {encode(record(Stream.READING, n, 900)) for n in said}
        assert bodies <= expected
        assert len(expected - bodies) <= freed


def room_for(outbox: Outbox, pages: int) -> None:
    """Let the file grow no further than this."""
    database = outbox._ledger._database
    assert database is not None
    (count,) = database.execute("PRAGMA page_count").fetchone()
    database.execute(f"PRAGMA max_page_count = {count + pages}")


def accounted(outbox: Outbox) -> int:
    """Return how many records are held or said to be dropped."""
    return len(held(outbox)) + sum(outbox.depth().dropped.values())


def test_a_full_disk_costs_the_oldest_readings_and_no_mark(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    assert outbox.commit(tick(Stream.MARK, *range(20)))
    assert outbox.commit(tick(Stream.READING, *range(300), size=1800))
    ballast = tmp_path / "agent" / "outbox.db.ballast"
    assert ballast.stat().st_size == 4 << 20
    room_for(outbox, 3)
    for n in range(300, 600):
        assert outbox.commit(tick(Stream.READING, n, size=1800))
    assert not ballast.exists()
    assert accounted(outbox) == 620
    lines = {line.stream: line for line in outbox.lines.values()}
    assert lines[Stream.MARK].rows == 20
    (drop,) = lines[Stream.READING].drops
    assert (drop.first, drop.reason) == (1, "full")
    assert any("disk is full" in note for note in outbox.notes)
    outbox.close()


def test_what_cannot_be_written_waits_and_what_did_not_even_fit_there_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "WAITING_BYTES", 20_000)
    outbox = opened(tmp_path)
    assert outbox.commit(tick(Stream.MARK, 0))
    room_for(outbox, 0)  # nothing there that could be dropped in its favour
    for n in range(1, 40):
        assert not outbox.commit(Tick(tick(Stream.MARK, n, size=900).items, {"anna": b"x" * 9000}))
    assert 5 < outbox.depth().waiting < 40
    assert outbox.state("anna") == b"x" * 9000
    assert any("waits in memory" in note for note in outbox.notes)
    database = outbox._ledger._database
    assert database is not None
    database.execute("PRAGMA max_page_count = 1000000")
    assert outbox.commit(Tick())
    assert outbox.depth().waiting == 0
    assert accounted(outbox) == 40
    assert outbox.depth().dropped["unwritten"] > 0
    (line,) = outbox.lines.values()
    assert line.last == 40
    outbox.close()


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_limit_on_the_file_holds_back_and_loses_nothing(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    assert outbox.commit(tick(Stream.READING, *range(100), size=1800))
    with files_up_to(600_000):
        durable = [outbox.commit(tick(Stream.READING, n, size=1800)) for n in range(100, 700)]
        assert durable[0]
        assert any("disk is full" in note for note in outbox.notes)
        assert accounted(outbox) + outbox.depth().waiting == 700
    assert outbox.commit(Tick())
    outbox.close()
    outbox = opened(tmp_path)
    assert accounted(outbox) == 700
    outbox.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a disk of 12 MB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(place)],
        capture_output=True,
        check=False,
    )
    if not mounted or mounted.returncode:
        pytest.skip("only root may mount a small disk")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_disk_that_others_fill_leaves_the_outbox_its_ballast(small_disk: Path) -> None:
    outbox = opened(small_disk, Limits(max_mb=500))
    assert outbox.commit(tick(Stream.MARK, 0))
    for n in range(6):
        assert outbox.commit(tick(Stream.READING, *range(100 * n, 100 * n + 100), size=1800))
    with (small_disk / "hog").open("wb", buffering=0) as hog:
        try:
            while hog.write(bytes(1 << 16)):
                pass
        except OSError:
            pass
    for n in range(600, 3_000, 10):
        assert outbox.commit(tick(Stream.READING, *range(n, n + 10), size=1800)), outbox.notes
    (small_disk / "hog").unlink()
    assert accounted(outbox) == 3_001
    assert not outbox.depth().dropped.keys() - {"full"}
    outbox.close()
    outbox = opened(small_disk)
    assert accounted(outbox) == 3_001
    outbox.close()


@pytest.mark.parametrize(
    "fault",
    [
        "fdatasync:error=EIO:when=9+3",
        "pwrite64:error=ENOSPC:when=60+7",
        "fdatasync:error=EIO:when=15..40",
    ],
)
def test_a_disk_that_fails_at_times_costs_no_durable_tick(tmp_path: Path, fault: str) -> None:
    before = (needed("strace"), "-f", "-o", "/dev/null", "-e", f"trace={fault.partition(':')[0]}")
    with child(tmp_path, 0, 60, *before, "-e", f"inject={fault}") as process:
        said, _ = process.communicate(timeout=120)
    answers = [line.split() for line in said.splitlines()]
    durable = [int(words[0]) for words in answers if words[1:] == ["durable"]]
    released = {words[1]: int(words[2]) for words in answers if words[0] == "released"}
    assert durable
    outbox = opened(tmp_path)
    assert accounted(outbox) + sum(released.values()) >= max(durable) + 1
    bodies = {encode(record(Stream.READING, n, 900)) for n in range(60)}
    assert set(held(outbox).values()) <= bodies
    outbox.close()


# ---- damaged files


def filled(folder: Path, count: int = 400) -> Path:
    outbox = opened(folder)
    outbox.commit(tick(Stream.MARK, *range(3)))
    for n in range(0, count, 20):
        outbox.commit(tick(Stream.READING, *range(n, n + 20), size=1500))
    outbox.commit(Tick(states={"anna": b"s" * 5000}, cursors={"file": b"here"}))
    outbox.close()
    return folder / "agent" / "outbox.db"


def test_a_file_that_is_no_database_is_put_aside(tmp_path: Path) -> None:
    path = filled(tmp_path)
    path.write_bytes(b"x" * 10_000)
    outbox = opened(tmp_path)
    (note,) = outbox.notes
    assert "was damaged" in note
    (aside,) = tmp_path.rglob("*.corrupt-*")
    assert aside.read_bytes() == b"x" * 10_000
    assert outbox.commit(tick(Stream.READING, 1))
    outbox.close()


def test_an_emptied_or_removed_file_is_noticed(tmp_path: Path) -> None:
    path = filled(tmp_path)
    path.write_bytes(b"")
    outbox = opened(tmp_path)
    assert "empty" in outbox.notes[0]
    outbox.close()
    path.unlink()
    outbox = opened(tmp_path)
    assert "empty" in outbox.notes[0]
    outbox.close()


def test_rows_on_either_side_of_a_damaged_page_are_taken_over(tmp_path: Path) -> None:
    path = filled(tmp_path)
    data = bytearray(path.read_bytes())
    middle = len(data) // 4096 // 2 * 4096
    data[middle : middle + 4096] = os.urandom(4096)
    path.write_bytes(data)
    outbox = opened(tmp_path)
    assert "was damaged" in outbox.notes[0]
    found = held(outbox)
    assert 380 <= len(found) < 403
    assert len(found) + outbox.depth().dropped["damaged"] == 403
    assert outbox.state("anna") == b"s" * 5000
    assert outbox.cursor("file") == b"here"
    outbox.close()


def test_a_flipped_byte_in_a_record_drops_that_record(tmp_path: Path) -> None:
    path = filled(tmp_path)
    data = path.read_bytes()
    body = encode(record(Stream.READING, 77, 1500))
    assert data.count(body) == 1
    path.write_bytes(data.replace(body, body.replace(b"xxx", b"xyx", 1)))
    outbox = opened(tmp_path)
    assert body not in held(outbox).values()
    assert outbox.depth().dropped == {"damaged": 1}
    assert outbox.depth().rows == 402
    outbox.close()


def test_rows_that_vanished_are_told_so_that_ingest_waits_for_none(tmp_path: Path) -> None:
    path = filled(tmp_path)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("DELETE FROM record WHERE id & 0xFF BETWEEN 50 AND 59")
    outbox = opened(tmp_path)
    assert any("vanished" in note for note in outbox.notes)
    line = next(line for line in outbox.lines.values() if line.stream == "reading")
    (drop, *_) = line.drops
    assert (drop.first, drop.last, drop.reason) == (50, 59, "damaged")
    outbox.release([Held(sid=line.sid, upto=400)])
    assert outbox.lines[line.sid].done
    outbox.close()


@pytest.mark.parametrize("harm", ["emptied", "removed", "folder", "overwritten"])
def test_a_file_harmed_while_the_agent_runs_is_replaced(tmp_path: Path, harm: str) -> None:
    path = filled(tmp_path)
    now_ns = [NOW_NS]
    outbox = Outbox.open(path, Limits(), lambda: now_ns[0])
    outbox.commit(tick(Stream.READING, 1000))
    if harm == "emptied":
        os.truncate(path, 0)
    elif harm == "removed":
        path.unlink()
    elif harm == "folder":
        shutil.rmtree(path.parent)
    else:
        with path.open("r+b") as file:
            file.write(os.urandom(path.stat().st_size))
    durable = []
    for n in range(1001, 1200):
        now_ns[0] += 5_000_000_000
        durable.append(outbox.commit(tick(Stream.READING, n, size=3000)))
        held(outbox)
    assert all(durable[-20:])
    assert any("was damaged" in note for note in outbox.notes)
    assert bool(list(tmp_path.rglob("*.corrupt-*"))) != (harm == "folder")
    outbox.close()
    outbox = opened(tmp_path)
    bodies = set(held(outbox).values())
    assert {encode(record(Stream.READING, n, 3000)) for n in range(1180, 1200)} <= bodies
    outbox.close()
