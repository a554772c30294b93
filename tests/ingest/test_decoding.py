"""Whatever arrives is what it should be, or a reason: never an exception."""

import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from diastole.edge.wire import WIRE_SCHEMA
from diastole.edge.wire.messages import last_will
from diastole.edge.wire.topics import Stream, Topic
from diastole.ingest.decoding import Unfit, Why, items, opened, opened_hello
from tests.ingest.made import event
from tests.ingest.sent import EVENTS, SID, START_NS, TOPIC, payload

NASTY: list[Any] = [
    None, True, "", "\0", "\ud800", "a/b", "-", 10**400, -(2**63), 2**62, 0, -1, 1e308, [], {},
]  # fmt: skip
RAW = [
    b"", b"\0", b"null", b"NaN", b"1e400", b"\xff\xfe{}", b"[" * 100_000, b'{"a":' * 50_000,
    b'{"v":1,"v":2}', b'"\\ud800"', b'{"v":' + b"9" * 5000 + b"}", b"{}" * 2,
]  # fmt: skip

jsons = st.recursive(
    st.sampled_from(NASTY) | st.floats() | st.text() | st.integers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
good = st.sampled_from([payload([1, 2]), payload([3], topic=EVENTS, nouns=[event(START_NS)])])
topics = st.sampled_from([str(TOPIC), str(EVENTS), f"{TOPIC}/x", "diastole/v1/a/b/c/hello"])


@st.composite
def twisted(draw: st.DrawFn) -> bytes:
    """Give a good message in which one value, somewhere, is another."""
    whole = json.loads(draw(good))
    at = whole
    while True:
        key = draw(st.sampled_from(list(at) if isinstance(at, dict) else range(len(at))))
        deeper = at[key]
        if not isinstance(deeper, dict | list) or not deeper or draw(st.booleans()):
            break
        at = deeper
    at[key] = draw(jsons)
    return json.dumps(whole).encode("utf-8", "surrogatepass")


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Give a good message with some of its bytes changed."""
    whole = bytearray(draw(good))
    at, end = sorted(draw(st.tuples(*[st.integers(0, len(whole))] * 2)))
    whole[at:end] = draw(st.binary(max_size=8))
    return bytes(whole)


def walked(topic: str, said: bytes) -> str:
    """Return why it was refused, or nothing when every record of it is one or has its reason."""
    try:
        parsed, sent = opened(topic, said)
    except Unfit as unfit:
        return f"{unfit.why}: {unfit}"
    for item in items(parsed, sent, START_NS):
        assert (item.noun is None) == bool(item.wrong)
        if item.row is not None:
            numbers = [v for v in item.row.fields.values() if not isinstance(v, str)]
            assert all(type(v) is float and math.isfinite(v) for v in numbers)
    return ""


def greeted(topic: str, said: bytes) -> str:
    try:
        opened_hello(topic, said)
    except Unfit as unfit:
        return f"{unfit.why}: {unfit}"
    return ""


@given(st.text() | topics, st.sampled_from(RAW) | st.binary() | twisted() | damaged())
@example("\ud800", b"{}")
def test_law_12_anything_is_records_or_a_reason(topic: str, said: bytes) -> None:
    assert not walked(topic, said).endswith(": ")
    assert not greeted(topic, said).endswith(": ")


@given(topics, jsons)
def test_law_12_any_json_is_records_or_a_reason(topic: str, said: Any) -> None:
    assert walked(topic, json.dumps(said).encode("utf-8", "surrogatepass"))


def refused(said: bytes, topic: Topic | str = TOPIC) -> Unfit:
    with pytest.raises(Unfit) as caught:
        opened(str(topic), said)
    return caught.value


def changed(**fields: Any) -> bytes:
    return json.dumps(json.loads(payload([1, 2])) | fields).encode()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"hello", Why.MESSAGE),
        (changed(v=WIRE_SCHEMA + 1), Why.NEWER),
        (changed(v=WIRE_SCHEMA + 1, records="of another kind"), Why.NEWER),
        (changed(v=0), Why.MESSAGE),
        (changed(agent="other"), Why.TOPIC),
        (changed(subject="other"), Why.TOPIC),
        (changed(stream="event"), Why.TOPIC),
        (changed(seqs=[1]), Why.MESSAGE),
        (changed(seqs=[0, 1]), Why.MESSAGE),
        (changed(seqs=[1, 2**63]), Why.MESSAGE),
        (changed(sid="x"), Why.MESSAGE),
        (changed(sid=None), Why.MESSAGE),
        (changed(drops=[{"first": 5, "last": 4, "reason": "full"}]), Why.MESSAGE),
        (changed(agent="pi" + "x" * 1_000_000), Why.TOO_LARGE),
    ],
)
def test_each_mistake_has_its_reason(said: bytes, why: Why) -> None:
    assert refused(said).why == why


@pytest.mark.parametrize("topic", ["diastole/v1/home/pi/s1/other", "a", f"{TOPIC}/x", ""])
def test_a_topic_that_is_none_of_ours_is_told(topic: str) -> None:
    assert refused(payload([1]), topic).why == Why.TOPIC


def test_an_unfit_message_still_tells_its_places() -> None:
    unfit = refused(changed(v=WIRE_SCHEMA + 1))
    assert unfit.topic == TOPIC
    assert unfit.identity is not None
    assert (unfit.identity.sid, unfit.identity.seqs) == (SID, [1, 2])
    assert refused(changed(seqs=[0])).identity is None


def test_one_bad_record_leaves_the_others() -> None:
    said = changed(records=[{"record": "reading"}, json.loads(payload([2]))["records"][0]])
    bad, well = items(*opened(str(TOPIC), said), START_NS)
    assert (bad.seq, bad.noun, well.seq) == (1, None, 2)
    assert "missing required field" in bad.wrong
    assert well.row is not None


def test_a_record_on_the_topic_of_another_stream_is_bad() -> None:
    said = payload([1], nouns=[event(START_NS)])
    (item,) = items(*opened(str(TOPIC), said), START_NS)
    assert "a Event on a topic of reading" in item.wrong


def test_a_last_will_is_of_the_time_of_its_receipt() -> None:
    topic = Topic("home", "pi", "-", Stream.STATUS)
    (item,) = items(*opened(str(topic), last_will(topic)), START_NS)
    assert item.row is not None
    assert item.row.time_ms == START_NS // 1_000_000
    assert item.row.fields == {"online": 0.0}
