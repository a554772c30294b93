"""What a record becomes in a store."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diastole.edge.records import (
    Beat,
    BeatKind,
    Decision,
    Event,
    EventPhase,
    HeartRate,
    HeartRateKind,
    Mark,
    Reading,
    Reason,
    Status,
    Unnotified,
)
from diastole.edge.schema import FEATURE_NAMES, INPUT_NAMES
from diastole.edge.wire import BadRecord, Noun, decode, encode
from diastole.edge.wire.topics import Stream, Topic
from diastole.ingest.layout import ALWAYS, FIELD_TYPES, POLICIES, POLICY_OF, rows_of, type_of
from diastole.ingest.stores import Row
from diastole.ingest.stores.checking import TAGS, check
from tests.formats.strategies import nouns
from tests.ingest.made import event, reading

AT_NS = 1_700_000_045_000_000_000
STREAM_OF: Mapping[type[Any], Stream] = {
    Reading: Stream.READING,
    Event: Stream.EVENT,
    Mark: Stream.MARK,
    Beat: Stream.BEAT,
    Status: Stream.STATUS,
}


def one(stream: Stream, record: Noun) -> Row:
    """Give the only row of a record."""
    (row,) = rows_of(Topic("home", "pi", "s1", stream), record)
    return row


def test_a_reading_is_stored_whole() -> None:
    row = one(Stream.READING, reading(AT_NS))
    assert row.measurement == "reading"
    assert row.tags == {"site": "home", "agent": "pi", "subject": "s1", "device": "strap"}
    assert row.time_ms == 1_700_000_045_000
    assert set(FEATURE_NAMES) | {f"input_{name}" for name in INPUT_NAMES} < set(row.fields)
    assert row.fields["hr_mean_bpm"] == 10.5
    assert row.fields["beats"] == 70.0
    assert row.fields["able"] == 1.0
    assert row.fields["decision"] == row.fields["said"] == "calm"
    assert "reason" not in row.fields


@pytest.mark.parametrize(("decision", "code"), [("calm", 0), ("undecided", 1), ("stress", 2)])
def test_a_decision_has_its_code(decision: str, code: float) -> None:
    row = one(Stream.READING, reading(AT_NS, decision=Decision(decision)))
    assert (row.fields["decision"], row.fields["decision_code"]) == (decision, code)


def test_what_is_not_known_is_no_field() -> None:
    undecided = reading(
        AT_NS,
        p_stress=None,
        decision=Decision.UNDECIDED,
        reason=Reason.POOR_SIGNAL,
        activity_mg=float("nan"),
        features={"rmssd_ms": float("nan"), "sdnn_ms": None, "hr_mean_bpm": 61.0},
    )
    fields = one(Stream.READING, undecided).fields
    assert not {"p_stress", "activity_mg", "rmssd_ms", "sdnn_ms"} & set(fields)
    assert (fields["reason"], fields["said"]) == ("poor_signal", "poor_signal")


def test_an_episode_lies_at_its_start_and_says_what_it_was() -> None:
    begun = one(Stream.EVENT, event(AT_NS))
    assert begun.time_ms == 1_700_000_045_000
    assert begun.fields["rev"] == 1.0
    assert "end_ms" not in begun.fields
    assert begun.fields["text"] == (
        "Episode of strain (running); heart rate 14 bpm above your normal while still; told"
    )
    ended = event(
        AT_NS,
        rev=4,
        phase=EventPhase.END,
        end_ns=AT_NS + 360 * 10**9,
        end_reason="calm",
        notify=False,
        notify_reason=Unnotified.QUIET_HOURS.value,
    )
    fields = one(Stream.EVENT, ended).fields
    assert fields["end_ms"] == 1_700_000_405_000.0
    assert fields["text"] == (
        "Episode of strain (6 min); heart rate 14 bpm above your normal while still;"
        " not told: quiet hours"
    )


def test_a_later_revision_leaves_no_text_of_an_earlier_one() -> None:
    texts = {name for name, kind in FIELD_TYPES["event"].items() if kind is str}
    assert texts <= set(one(Stream.EVENT, event(AT_NS, drivers=[], notify=False)).fields)


def test_an_episode_driven_by_what_only_a_newer_agent_knows_is_kept() -> None:
    newer = decode(encode(event(AT_NS)).replace(b"hr_above_normal", b"skin_c"))
    assert "skin_c" in str(one(Stream.EVENT, newer).fields["drivers"])


def test_texts_of_a_status_never_meet_its_values() -> None:
    said = Status(device="-", time_ns=AT_NS, values={"online": 1}, text={"version": "0.5"})
    assert one(Stream.STATUS, said).fields == {"online": 1.0, "text_version": "0.5"}
    clash = Status(device="-", time_ns=AT_NS, values={"text_version": 1.0})
    with pytest.raises(BadRecord, match="text_version is a number"):
        one(Stream.STATUS, clash)


@pytest.mark.parametrize("name", ["time", "site", "Upper", "a b", "", "x" * 65, "é"])
def test_a_name_that_no_field_can_have_is_a_sentence(name: str) -> None:
    with pytest.raises(BadRecord, match="cannot be the name of a field"):
        one(Stream.STATUS, Status(device="-", time_ns=AT_NS, values={name: 1.0}))


def test_a_whole_number_beyond_every_float_is_a_sentence() -> None:
    with pytest.raises(BadRecord, match="beats is too large"):
        one(Stream.READING, reading(AT_NS, beats=10**400))


def test_a_stream_carries_its_own_records_only() -> None:
    rate = HeartRate(device="e4", time_ns=AT_NS, hr_bpm=60.0, kind=HeartRateKind.DEVICE)
    beat = Beat(device="e4", time_ns=AT_NS, rr_ms=800.0, kind=BeatKind.PPI)
    for stream, record in ((Stream.BEAT, rate), (Stream.MARK, beat), (Stream.HELLO, beat)):
        with pytest.raises(BadRecord, match=f"on a topic of {stream}"):
            one(stream, record)


@given(nouns, st.sampled_from(Stream))
def test_whatever_arrives_every_store_can_take_it(record: Noun, stream: Stream) -> None:
    stream = STREAM_OF.get(type(record), stream)
    try:
        rows = rows_of(Topic("home", "pi", "s1", stream), record)
    except BadRecord:
        return
    for row in rows:
        assert tuple(row.tags) == TAGS
        assert ALWAYS.get(row.measurement, "") in {"", *row.fields}
        kinds = {name: type(value) for name, value in row.fields.items()}
        assert kinds == {name: type_of(row.measurement, name) for name in kinds}
        check(row)


def test_every_measurement_is_kept_somewhere() -> None:
    assert set(FIELD_TYPES) == set(POLICY_OF) == set(Stream) - {"hello"}
    assert set(POLICY_OF.values()) == set(POLICIES)
