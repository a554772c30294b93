"""The worker: all of the spool is in the store in the end, each row once, the bad ones aside."""

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diastole.edge.records import SECOND_NS, Beat, BeatKind, Event, EventPhase
from diastole.edge.wire.messages import Message, last_will, parse
from diastole.edge.wire.topics import Stream
from diastole.ingest.decoding import Why
from diastole.ingest.spool import Dead, Letter, NoRoom, Spool
from diastole.ingest.stores import Row, RowsRefused, StoreAway
from diastole.ingest.stores.sqlite import SqliteStore
from diastole.ingest.worker import Stopped, Worker
from tests.ingest.made import event, row
from tests.ingest.sent import (
    EVENTS,
    START_MS,
    START_NS,
    TOPIC,
    a_log,
    a_spool,
    letter,
    payload,
    waiting,
)
from tests.ingest.stores import a_store

DAY_NS = 86_400 * SECOND_NS


class OddStore:
    """Keeps rows in memory; refuses those at some times, and fails as it is told."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str, int], Row] = {}
        self.writes: list[int] = []
        self.refused: dict[int, bool] = {}
        """Times, and whether what is there is too old."""
        self.failures: list[Exception] = []

    def init(self) -> None:
        """Be there."""

    def write(self, rows: Sequence[Row]) -> None:
        """Keep all, or none."""
        self.writes.append(len(rows))
        if self.failures:
            raise self.failures.pop(0)
        for one in rows:
            if one.time_ms in self.refused:
                text = f"odd row at {one.time_ms}"
                raise RowsRefused(text, expired=self.refused[one.time_ms])
        for one in rows:
            self.rows[one.measurement, one.tags["subject"], one.time_ms] = one

    def read(
        self,
        measurement: str,
        tags: Mapping[str, str],
        fields: Sequence[str],
        start_ms: int,
        end_ms: int,
    ) -> Iterator[Row]:
        """Yield what was kept."""
        if self.failures:
            raise self.failures.pop(0)
        for one in sorted(self.rows.values(), key=lambda one: one.time_ms):
            if one.measurement == measurement and start_ms <= one.time_ms < end_ms:
                yield one

    def count(self) -> dict[str, int]:
        """Count them."""
        return {"reading": len(self.rows)}

    def close(self) -> None:
        """Be gone."""


class Waits(threading.Event):
    """A sign to stop that notes for how long one would have waited, and ends endless waits."""

    def __init__(self, most: int = 1_000) -> None:
        super().__init__()
        self.waits: list[float] = []
        self._most = most

    def wait(self, timeout: float | None = None) -> bool:
        """Return at once."""
        assert timeout is not None
        self.waits.append(timeout)
        if len(self.waits) >= self._most:
            self.set()
        return self.is_set()


class Bench:
    """A worker with its spool and store."""

    def __init__(self, spool: Spool, *, most_waits: int = 1_000) -> None:
        self.spool, self.store = spool, OddStore()
        self.stopping = Waits(most_waits)
        log, self.page = a_log()
        self.worker = Worker(spool, self.store, log, self.stopping)

    def work(self, *letters: Letter) -> None:
        """Keep these, and bring everything into the store."""
        if letters:
            self.spool.keep(letters, [], [])
        while self.worker.step():
            pass

    @property
    def times(self) -> list[int]:
        """What is in the store, as the places of the readings."""
        return sorted((one.time_ms - START_MS) // 5000 for one in self.store.rows.values())

    @property
    def dead(self) -> list[tuple[Why, str, list[int]]]:
        """Why, the detail, and the places of each dead letter."""
        return [
            (one.why, one.detail, parse(one.letter.payload, Message).seqs)
            for _, one in self.spool.dead_letters()
        ]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    spool = a_spool(tmp_path)
    yield Bench(spool)
    spool.close()


def at_place(seq: int) -> int:
    return START_MS + seq * 5000


def test_the_spool_is_emptied_into_the_store(bench: Bench) -> None:
    bench.work(letter(payload([1, 2])), letter(payload([3])))
    assert bench.times == [1, 2, 3]
    assert waiting(bench.spool) == []
    assert bench.store.writes == [3]
    assert +bench.worker.counts == {"stored": 3}
    assert not bench.worker.step()


def test_a_store_that_is_away_is_waited_for_and_nothing_is_lost(bench: Bench) -> None:
    bench.store.failures = [
        *[StoreAway("gone")] * 8,
        StoreAway("busy", retry_after_s=90),
        StoreAway("no such database", alarm=True),
        OSError("unforeseen"),
    ]
    bench.work(letter(payload([1, 2])))
    assert bench.times == [1, 2]
    expected = [1, 2, 4, 8, 16, 32, 60, 60, 90, 60, 60]
    assert len(bench.stopping.waits) == len(expected)
    for waited, wanted in zip(bench.stopping.waits, expected, strict=True):
        assert 0.8 * wanted <= waited <= 1.2 * wanted
    assert bench.worker.away is None
    for words in ("store away", "alarm", "no such database", "store back"):
        assert words in bench.page.getvalue()


def test_a_stop_while_the_store_is_away_leaves_all_in_the_spool(tmp_path: Path) -> None:
    spool = a_spool(tmp_path)
    bench = Bench(spool, most_waits=5)
    bench.store.failures = [StoreAway("gone")] * 99
    with pytest.raises(Stopped):
        bench.work(letter(payload([1, 2])))
    assert len(waiting(spool)) == 1
    assert bench.worker.away == "gone"
    spool.close()


def test_a_spool_that_cannot_let_go_now_is_waited_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, failures = bench.spool.release, [NoRoom("full"), NoRoom("full")]

    def later(numbers: Sequence[int], dead: Sequence[Dead]) -> None:
        if failures:
            raise failures.pop()
        release(numbers, dead)

    monkeypatch.setattr(bench.spool, "release", later)
    bench.work(letter(payload([1])))
    assert bench.times == [1]
    assert bench.stopping.waits == [1, 1]
    assert waiting(bench.spool) == []


def test_a_refused_row_alone_becomes_a_dead_letter(bench: Bench) -> None:
    bench.store.refused = {at_place(37): False, at_place(80): True}
    bench.work(*[letter(payload(range(seq, seq + 10))) for seq in range(1, 101, 10)])
    assert bench.times == [seq for seq in range(1, 101) if seq not in (37, 80)]
    assert bench.dead == [(Why.REFUSED, f"odd row at {at_place(37)}", [37])]
    assert +bench.worker.counts == {"stored": 98, "expired": 1}
    assert len(bench.store.writes) < 4 * 7 + 2
    assert waiting(bench.spool) == []


def test_a_bad_record_alone_becomes_a_dead_letter(bench: Bench) -> None:
    whole = json.loads(payload([1, 2, 3]))
    whole["records"][1]["decision"] = "perhaps"
    bench.work(letter(json.dumps(whole).encode()), letter(payload([4])))
    assert bench.times == [1, 3, 4]
    ((why, detail, seqs),) = bench.dead
    assert (why, seqs) == (Why.RECORD, [2])
    assert "perhaps" in detail


def test_a_dead_letter_is_tried_again(bench: Bench) -> None:
    bench.store.refused = {at_place(2): False}
    bench.work(letter(payload([1, 2, 3])))
    bench.spool.retry(None)
    bench.work()
    assert [one.letter.tries for _, one in bench.spool.dead_letters()] == [2]
    bench.store.refused = {}
    bench.spool.retry(None)
    bench.work()
    assert bench.times == [1, 2, 3]
    assert bench.dead == []


def test_a_message_that_is_illegible_still_stays_a_dead_letter(bench: Bench) -> None:
    bench.work(letter(b"words"), letter(payload([1])))
    assert bench.times == [1]
    ((_, dead),) = bench.spool.dead_letters()
    assert (dead.why, dead.letter.payload, dead.letter.tries) == (Why.MESSAGE, b"words", 1)


def test_a_time_in_the_future_is_counted_and_kept(bench: Bench) -> None:
    bench.work(letter(payload([1]), received_ms=at_place(1) - 2_000))
    assert bench.worker.counts["future"] == 0
    bench.work(letter(payload([2]), received_ms=at_place(2) - 86_400_000))
    assert bench.worker.counts["future"] == 1
    assert bench.times == [1, 2]
    assert "time in the future" in bench.page.getvalue()


def test_a_last_will_stands_at_its_receipt(bench: Bench) -> None:
    topic = TOPIC._replace(subject="-", stream=Stream.STATUS)
    bench.work(letter(last_will(topic), topic, received_ms=START_MS + 7))
    (found,) = bench.store.rows.values()
    assert (found.measurement, found.time_ms, found.fields["online"]) == ("status", START_MS + 7, 0)


def a_revision(rev: int, **other: Any) -> Event:
    phase = [EventPhase.BEGIN, EventPhase.UPDATE, EventPhase.END][min(rev, 3) - 1]
    return event(START_NS, rev=rev, phase=phase, peak_p=rev / 100, **other)


def revisions(*groups: list[int]) -> list[Letter]:
    return [
        letter(payload(revs, topic=EVENTS, nouns=[a_revision(rev) for rev in revs]), EVENTS)
        for revs in groups
    ]


@settings(max_examples=25)
@given(st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=4), min_size=1, max_size=6))
def test_an_older_revision_never_overwrites_a_newer(
    tmp_path_factory: pytest.TempPathFactory, groups: list[list[int]]
) -> None:
    folder = tmp_path_factory.mktemp("worker")
    spool, store = a_spool(folder), SqliteStore(folder / "store.db")
    worker = Worker(spool, store, a_log()[0], threading.Event())
    for some in revisions(*groups):
        spool.keep([some], [], [])
        if some.payload[-3] % 2:  # some in a block of their own, some together
            worker.step()
    worker.step()
    (found,) = store.read("event", {"subject": "s1"}, [], START_MS, START_MS + 1)
    newest = max(max(group) for group in groups)
    assert (found.fields["rev"], found.fields["peak_p"]) == (newest, newest / 100)
    store.close()
    spool.close()


def test_only_the_newest_revision_of_a_block_is_written(bench: Bench) -> None:
    bench.work(*revisions([1, 2], [5], [3]))
    assert bench.store.writes == [1]
    assert +bench.worker.counts == {"stored": 1, "older_revisions": 3}
    bench.store.failures = [StoreAway("gone")]  # as it is asked for the revision
    bench.work(*revisions([4]))
    assert bench.worker.counts["older_revisions"] == 4
    (found,) = bench.store.rows.values()
    assert found.fields["rev"] == 5


def test_events_of_others_do_not_count(bench: Bench) -> None:
    other = event(START_NS + SECOND_NS, rev=1)
    said = payload([1, 2], topic=EVENTS, nouns=[a_revision(3), other])
    bench.work(letter(said, EVENTS))
    assert +bench.worker.counts == {"stored": 2}


def test_ingests_own_row_is_written_when_the_store_is_back(bench: Bench) -> None:
    bench.store.failures = [StoreAway("gone")]
    bench.worker.write_own(row(1, {"lag_s": 0.0}, "status"))
    assert len(bench.store.rows) == 1
    bench.store.refused = {2: False}
    bench.worker.write_own(row(2, {"lag_s": 0.0}, "status"))
    assert len(bench.store.rows) == 1
    assert "own status refused" in bench.page.getvalue()


def test_a_beat_that_the_database_no_longer_keeps_is_expired_and_no_dead_letter(
    tmp_path: Path,
) -> None:
    beats = TOPIC._replace(stream=Stream.BEAT)
    now_ns = time.time_ns()
    nouns = [
        Beat(device="strap", time_ns=now_ns - days * DAY_NS, rr_ms=800.0, kind=BeatKind.RR)
        for days in (0, 40, 1)
    ]
    spool = a_spool(tmp_path)
    spool.keep([letter(payload([1, 2, 3], topic=beats, nouns=nouns), beats)], [], [])
    with a_store("influx-1.8", tmp_path) as store:
        worker = Worker(spool, store, a_log()[0], threading.Event())
        assert worker.step()
        assert store.count() == {"beat": 2}
    assert (worker.counts["stored"], worker.counts["expired"]) == (2, 1)
    assert list(spool.dead_letters()) == []
    spool.close()
