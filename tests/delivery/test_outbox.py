"""What was committed is held, released by an acknowledgement, or dropped and said so."""

import itertools
import os
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from diastole.edge.delivery import Tick
from diastole.edge.delivery.file import depth_at
from diastole.edge.delivery.outbox import Limits, Outbox
from diastole.edge.delivery.produced import produced_at
from diastole.edge.delivery.ranges import merged, of_places, size, without
from diastole.edge.errors import BadFile, OutputError
from diastole.edge.records import Status
from diastole.edge.wire import encode
from diastole.edge.wire.messages import Held
from diastole.edge.wire.topics import Stream
from tests.delivery.makers import NOW_NS, held, item, opened, record, tick

places = st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), max_size=6)


@settings(max_examples=40, stateful_step_count=30)
class Outboxes(RuleBasedStateMachine):
    """Any order of commits, acknowledgements, openings and drops."""

    def __init__(self) -> None:
        super().__init__()
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        self.now_ns = NOW_NS
        self.limits = Limits(max_mb=0.004)
        self.number = 0
        self.committed: dict[tuple[str, int], bytes] = {}
        self.acked: set[tuple[str, int]] = set()
        self.told: set[tuple[str, int]] = set()
        self.outbox: Outbox = self._open()

    def _open(self) -> Outbox:
        path = Path(self.folder.name) / "outbox.db"
        return Outbox.open(path, self.limits, lambda: self.now_ns)

    @rule(
        stream=st.sampled_from([Stream.BEAT, Stream.READING, Stream.MARK]),
        subject=st.sampled_from(["anna", "ben"]),
        count=st.integers(1, 12),
        padding=st.integers(0, 300),
    )
    def commit(self, stream: Stream, subject: str, count: int, padding: int) -> None:
        records = [record(stream, self.number + k, padding) for k in range(count)]
        before = {sid: line.last for sid, line in self.outbox.lines.items()}
        made = Tick([item(stream, self.number + k, subject, padding) for k in range(count)])
        assert self.outbox.commit(made)
        self.number += count
        line = next(
            line
            for line in self.outbox.lines.values()
            if self.outbox.is_newest(line) and (line.subject, line.stream) == (subject, stream)
        )
        first = before.get(line.sid, 0) + 1
        assert line.last == first + count - 1
        for seq, one in enumerate(records, first):
            self.committed[line.sid, seq] = encode(one)

    @precondition(lambda self: self.outbox.lines)
    @rule(which=st.integers(0, 9), upto=st.integers(0, 40), also=places)
    def acknowledge(self, which: int, upto: int, also: list[tuple[int, int]]) -> None:
        sids = list(self.outbox.lines)
        sid = sids[which % len(sids)]
        line = self.outbox.lines[sid]
        upto = min(upto, line.last)
        ranges = [(a, min(b, line.last)) for a, b in also if a <= b]
        for first, last in [(1, upto), *ranges]:
            self.acked |= {(sid, seq) for seq in range(first, last + 1)}
        self.outbox.release([Held(sid=sid, upto=upto, also=ranges)])

    @rule()
    def reopen(self) -> None:
        self.outbox.close()
        self.outbox = self._open()

    @rule()
    def grow_old(self) -> None:
        self.now_ns += int(61 * 86_400e9)
        self.outbox.commit(Tick(cursors={"file": b"x"}))

    @invariant()
    def every_record_is_accounted_for(self) -> None:
        held_now = held(self.outbox)
        for line in self.outbox.lines.values():
            for drop in line.drops:
                self.told |= {(line.sid, seq) for seq in range(drop.first, drop.last + 1)}
            assert line.rows == sum(sid == line.sid for sid, _ in held_now)
            acked = [seq for sid, seq in self.acked if sid == line.sid]
            drops = [(drop.first, drop.last) for drop in line.drops]
            assert not without(drops, without(drops, of_places(sorted(acked))))
            assert size(drops) == size(merged(drops))
        assert not held_now.keys() & (self.acked | self.told)
        assert held_now.keys() | self.acked | self.told == self.committed.keys()
        assert all(self.committed[place] == body for place, body in held_now.items())
        depth = self.outbox.depth()
        assert depth.rows == len(held_now)
        assert depth.bytes <= 4_000
        assert sum(depth.dropped.values()) == len(self.told)

    def teardown(self) -> None:
        self.outbox.close()
        self.folder.cleanup()


test_any_order_of_things = Outboxes.TestCase


def test_a_stream_goes_on_in_its_line_when_the_outbox_is_opened_again(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    outbox.commit(tick(Stream.READING, 1, 2))
    (sid,) = outbox.lines
    outbox.close()
    outbox = opened(tmp_path)
    assert not outbox.notes
    assert outbox.streams() == {sid: (1, 2)}
    outbox.release([Held(sid=sid, upto=2)])
    outbox.close()
    outbox = opened(tmp_path)
    outbox.commit(tick(Stream.READING, 3))
    assert outbox.streams() == {sid: (3, 3)}
    outbox.close()


def copied_back(folder: Path, *, whole: bool) -> tuple[Outbox, set[tuple[str, int]]]:
    """Give a place away, then put the files of before it back; return which place that was."""
    outbox = opened(folder)
    outbox.commit(tick(Stream.READING, 1))
    outbox.close()
    files = (folder / "agent").iterdir()
    copies = {file: file.read_bytes() for file in files if whole or file.name == "outbox.db"}
    outbox = opened(folder)
    before = set(held(outbox))
    outbox.commit(tick(Stream.READING, 2, 3))
    given = set(held(outbox)) - before
    outbox.close()
    for file, data in copies.items():
        file.write_bytes(data)
    return opened(folder), given


def test_an_older_copy_of_the_file_never_gives_a_place_away_twice(tmp_path: Path) -> None:
    outbox, given = copied_back(tmp_path, whole=False)
    assert "begin anew" in outbox.notes[0]
    outbox.commit(tick(Stream.READING, 4))
    assert len(held(outbox)) == 2
    assert not held(outbox).keys() & given
    outbox.close()


def test_where_ingest_knows_more_than_the_outbox_its_streams_begin_anew(tmp_path: Path) -> None:
    outbox, given = copied_back(tmp_path, whole=True)
    outbox.commit(tick(Stream.READING, 4))
    ((sid, _),) = held(outbox).keys() & given
    body = encode(record(Stream.READING, 4))
    outbox.release([Held(sid=sid, upto=3)])
    assert "begin anew" in outbox.notes[0]
    ((place, left),) = held(outbox).items()
    assert left == body
    assert place[0] != sid
    outbox.commit(tick(Stream.READING, 5))
    outbox.close()
    outbox = opened(tmp_path)
    assert set(held(outbox)) == {place, (place[0], 2)}
    outbox.close()


def test_state_and_cursors_are_there_again_as_they_were_written_last(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    for length in (0, 7_000, 6_990, 512, 504, 3):
        outbox.commit(Tick(states={"anna": os.urandom(length)}, cursors={"file": b"1"}))
        last = os.urandom(length)
        outbox.commit(Tick(states={"anna": last}, cursors={"file": str(length).encode()}))
        outbox.close()
        outbox = opened(tmp_path)
        assert (outbox.state("anna") or b"") == last
        assert outbox.cursor("file") == str(length).encode()
    assert outbox.state("ben") is None
    outbox.close()


def test_beats_go_first_then_the_oldest_readings_and_marks_stay(tmp_path: Path) -> None:
    clock = itertools.count(NOW_NS)
    outbox = Outbox.open(tmp_path / "outbox.db", Limits(max_mb=0.01), lambda: next(clock))
    for n in range(20):
        outbox.commit(
            Tick(
                [
                    item(Stream.BEAT, n),
                    item(Stream.MARK, n),
                    item(Stream.READING, n, "ben" if n % 2 else "anna", 500),
                ]
            )
        )
    kept = Counter(outbox.lines[sid].stream for sid, _ in held(outbox))
    assert kept[Stream.MARK] == 20
    assert kept[Stream.BEAT] <= 1
    readings = {line.subject: line for line in outbox.lines.values() if line.stream == "reading"}
    dropped = {subject: line.drops[0].last for subject, line in readings.items()}
    assert all(line.drops[0].first == 1 for line in readings.values())
    assert abs(dropped["anna"] - dropped["ben"]) <= 1
    assert 20 - kept[Stream.READING] == sum(dropped.values())
    outbox.close()


def test_what_is_too_old_goes_but_not_what_an_unset_clock_has_stamped(tmp_path: Path) -> None:
    outbox = opened(tmp_path, now_ns=5_000_000_000)
    outbox.commit(tick(Stream.READING, 1))
    outbox.close()
    outbox = opened(tmp_path, now_ns=NOW_NS)
    outbox.commit(tick(Stream.MARK, 2))
    outbox.close()
    outbox = opened(tmp_path, now_ns=NOW_NS + int(61 * 86_400e9))
    outbox.commit(Tick())
    assert outbox.depth().dropped == {"too_old": 1}
    assert outbox.depth().rows == 1
    outbox.close()


def test_a_record_that_the_wire_cannot_carry_costs_the_others_nothing(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    bad = item(Stream.READING, 2)._replace(
        record=Status(device="Not A Pseudonym", time_ns=1, values={})
    )
    assert outbox.commit(Tick([item(Stream.READING, 1), bad, item(Stream.READING, 3)]))
    assert [seq for _, seq in held(outbox)] == [1, 2]
    assert "left out" in outbox.notes[-1]
    outbox.close()


def test_the_folder_is_the_owners_alone_and_the_outbox_one_agents(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    assert (tmp_path / "agent").stat().st_mode & 0o777 == 0o700
    with pytest.raises(BadFile, match="another agent holds this outbox"):
        opened(tmp_path)
    outbox.close()
    opened(tmp_path).close()


def test_where_nothing_can_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "agent").write_text("a file")
    with pytest.raises(OutputError):
        opened(tmp_path)


def test_notes_that_were_told_are_gone_and_new_ones_come(tmp_path: Path) -> None:
    outbox = opened(tmp_path, Limits(max_mb=0.001))
    for _ in range(2):
        outbox.commit(tick(Stream.READING, 1, 2, 3, size=900))
        told, outbox.notes = outbox.notes, []
        assert "is full" in told[-1]
    outbox.close()


def test_a_newer_file_and_a_strangers_are_refused_and_left_as_they_are(tmp_path: Path) -> None:
    opened(tmp_path).close()
    path = tmp_path / "agent" / "outbox.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(BadFile, match="newer version"):
        opened(tmp_path)
    with closing(sqlite3.connect(tmp_path / "other.db")) as database:
        database.execute("CREATE TABLE mine(x)")
    with pytest.raises(BadFile, match="another program's"):
        Outbox.open(tmp_path / "other.db", Limits(), lambda: NOW_NS)
    assert not list(tmp_path.rglob("*.corrupt-*"))


def test_another_process_may_ask_what_is_held(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    outbox.commit(tick(Stream.READING, 1, 2, 3))
    path = tmp_path / "agent" / "outbox.db"
    assert depth_at(path) == outbox.depth()
    (stream,) = produced_at(path)
    assert (stream.last, stream.upto) == (3, 0)
    outbox.close()
    with pytest.raises(BadFile, match="no outbox"):
        depth_at(tmp_path / "absent.db")
