"""From what arrives to what is kept: each record once, each reason told."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diastole.edge.wire.messages import Drop, Held, Message, last_will, parse
from diastole.edge.wire.topics import Stream, Topic
from diastole.ingest.decoding import Why
from diastole.ingest.intake import Intake
from diastole.ingest.ranges import Ranges
from diastole.ingest.spool import Limits, NoRoom, Spool, StreamKey
from tests.ingest.sent import OTHER_SID, SID, TOPIC, a_log, a_spool, letter, payload, waiting

KEY = StreamKey("home", "pi", SID)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    found = a_spool(tmp_path)
    yield found
    found.close()


def seqs(spool: Spool) -> list[int]:
    return [seq for one in waiting(spool) for seq in parse(one.payload, Message).seqs]


def test_a_message_is_kept_as_it_came(spool: Spool) -> None:
    intake = Intake(spool, a_log()[0])
    assert intake.take([letter(payload([1, 2])), letter(payload([3]))]) == {KEY}
    assert [one.payload for one in waiting(spool)] == [payload([1, 2]), payload([3])]
    assert intake.held(KEY) == Held(sid=SID, upto=3)
    assert intake.counts == {"received": 2, "kept": 3}


def test_what_is_held_is_counted_and_not_kept_again(spool: Spool) -> None:
    Intake(spool, a_log()[0]).take([letter(payload([1, 2]))])
    intake = Intake(spool, a_log()[0])  # another process, later
    assert intake.take([letter(payload([1, 2])), letter(payload([2, 3]))]) == {KEY}
    assert seqs(spool) == [1, 2, 3]
    assert intake.counts["duplicates"] == 3
    assert intake.held(KEY).upto == 3


def test_drops_count_as_held(spool: Spool) -> None:
    intake = Intake(spool, a_log()[0])
    drop = Drop(first=2, last=5, reason="full")
    intake.take([letter(payload([1], drops=[drop])), letter(payload([9]))])
    assert intake.held(KEY) == Held(sid=SID, upto=5, also=[(9, 9)])
    assert intake.counts["dropped"] == 4
    intake.take([letter(payload([], drops=[drop]))])
    assert intake.counts["dropped"] == 4
    assert seqs(spool) == [1, 9]


def test_an_illegible_message_is_a_dead_letter_and_its_places_are_held(spool: Spool) -> None:
    log, page = a_log()
    intake = Intake(spool, log)
    newer = payload([1]).replace(b'"v":1', b'"v":2')
    assert intake.take([letter(newer), letter(b"words")]) == {KEY}
    assert intake.held(KEY).upto == 1
    assert [(one.letter.payload, one.why) for _, one in spool.dead_letters()] == [
        (newer, Why.NEWER),
        (b"words", Why.MESSAGE),
    ]
    assert 'about="home/pi newer"' in page.getvalue()
    assert "wire schema 2, this version reads 1: update ingest, and retry" in page.getvalue()


def test_no_agent_fills_the_places_of_another(spool: Spool) -> None:
    intake = Intake(spool, a_log()[0])
    thief = TOPIC._replace(agent="thief")
    drop = Drop(first=1, last=1000, reason="full")
    intake.take([letter(payload([], topic=thief, drops=[drop]), thief)])
    intake.take([letter(payload([1]), thief)])  # on its own topic, in the other's name
    assert intake.held(KEY).upto == 0
    intake.take([letter(payload([1]))])
    assert seqs(spool) == [1]


def test_a_last_will_is_kept_each_time(spool: Spool) -> None:
    topic = Topic("home", "pi", "-", Stream.STATUS)
    will = letter(last_will(topic), topic)
    assert Intake(spool, a_log()[0]).take([will, will]) == set()
    assert waiting(spool) == [will._replace(live=True)] * 2


def test_without_room_nothing_counts_as_held(tmp_path: Path) -> None:
    spool = a_spool(tmp_path, Limits(most_bytes=1, free_bytes=1))
    intake = Intake(spool, a_log()[0])
    with pytest.raises(NoRoom):
        intake.take([letter(payload([1]))])
    assert intake.held(KEY).upto == 0
    assert not intake.counts
    spool.close()


def test_two_agents_with_one_name_are_told_and_a_new_outbox_is_not(spool: Spool) -> None:
    log, page = a_log()
    intake = Intake(spool, log)
    intake.take([letter(payload([1])), letter(payload([1], sid=OTHER_SID))])
    assert intake.counts["two_agents"] == 0
    intake.take([letter(payload([2]))])
    assert intake.counts["two_agents"] == 1
    assert 'said="two agents with one name" about=home/pi' in page.getvalue()
    assert len(waiting(spool)) == 3


def test_one_acknowledgement_tells_no_endless_list(spool: Spool) -> None:
    intake = Intake(spool, a_log()[0])
    intake.take([letter(payload([seq])) for seq in range(2, 1000, 2)])
    assert len(intake.held(KEY).also) == 100
    assert intake.held(KEY).also[0] == (2, 2)


@settings(max_examples=30)
@given(
    st.lists(st.lists(st.integers(1, 30), min_size=1, max_size=8), min_size=1, max_size=20),
    st.integers(),
)
def test_any_order_and_any_repetition_keeps_each_record_once(
    tmp_path_factory: pytest.TempPathFactory, sent: list[list[int]], seed: int
) -> None:
    spool = a_spool(tmp_path_factory.mktemp("spool"))
    arriving = [letter(payload(some)) for some in sent] * 2
    Random(seed).shuffle(arriving)
    intake = Intake(spool, a_log()[0])
    while arriving:
        intake.take([arriving.pop() for _ in range(min(3, len(arriving)))])
    wanted = {seq for some in sent for seq in some}
    assert sorted(seqs(spool)) == sorted(wanted)
    assert spool.held(KEY).ranges == Ranges((seq, seq) for seq in wanted).ranges
    spool.close()


def test_more_streams_than_memory_holds_are_still_known(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("diastole.ingest.intake._MOST_STREAMS", 2)
    intake = Intake(spool, a_log()[0])
    sids = [f"{n:016x}" for n in range(5)]
    for _ in range(2):
        intake.take([letter(payload([1], sid=sid)) for sid in sids])
    assert intake.counts["kept"] == intake.counts["duplicates"] == 5
    assert len(waiting(spool)) == 5
