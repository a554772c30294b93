"""Every noun goes over the wire and comes back; what is no noun is a sentence."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diastole.edge import wire
from diastole.edge.records import (
    Beat,
    BeatKind,
    HeartRate,
    HeartRateKind,
    Motion,
    SampleKind,
    Samples,
    Status,
)
from tests.formats.strategies import nouns

BEAT = Beat(device="h10", time_ns=-5, rr_ms=800.78125, kind=BeatKind.RR, contact=True)


@given(nouns)
def test_every_noun_comes_back(record: wire.Noun) -> None:
    line = wire.encode(record)
    back = wire.decode(line)
    assert back == record
    assert type(back) is type(record)
    assert b"\n" not in line
    json.loads(line, parse_constant=pytest.fail)


def test_bytes_of_schema_1_stay_as_they_are() -> None:
    assert wire.WIRE_SCHEMA == 1
    assert wire.encode(BEAT) == (
        b'{"record":"beat","rr_ms":800.78125,"kind":"rr","contact":true,'
        b'"device":"h10","time_ns":-5}'
    )
    acc = Samples(
        device="e4",
        time_ns=7,
        kind=SampleKind.ACC,
        unit="mg",
        rate_hz=32.0,
        values=[(15.625, -31.25, 1000.0)],
        index=64,
    )
    assert wire.encode(acc) == (
        b'{"record":"samples","kind":"acc","unit":"mg","rate_hz":32.0,'
        b'"values":[[15.625,-31.25,1000.0]],"index":64,"device":"e4","time_ns":7}'
    )


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_no_number_that_is_none_leaves(bad: float) -> None:
    known = HeartRate(device="e4", time_ns=1, hr_bpm=bad, kind=HeartRateKind.DEVICE)
    assert wire.decode(wire.encode(known)) == HeartRate(
        device="e4", time_ns=1, hr_bpm=None, kind=HeartRateKind.DEVICE
    )
    with pytest.raises(wire.BadRecord):
        wire.encode(Motion(device="e4", time_ns=1, activity_mg=bad))
    with pytest.raises(wire.BadRecord):
        wire.encode(Status(device="-", time_ns=1, values={"lag_s": bad}))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"[]",
        b"nonsense",
        b'"\xff"',
        b"[" * 100_000,
        b'{"record":"pulse"}',
        b'{"record":"beat","device":"h10","time_ns":1}',
        b'{"record":"beat","device":"h10","time_ns":1,"rr_ms":1e999,"kind":"rr"}',
        b'{"record":"beat","device":"h10","time_ns":1,"rr_ms":null,"kind":"rr"}',
        b'{"record":"beat","device":"Ann Smith","time_ns":1,"rr_ms":800,"kind":"rr"}',
        b'{"record":"beat","device":"h10","time_ns":9223372036854775807,"rr_ms":1,"kind":"rr"}',
    ],
)
def test_law_12_no_record_is_one_sentence(line: bytes) -> None:
    with pytest.raises(wire.BadRecord, match=r"^not a record: [^\n]+: see the JSON Schema"):
        wire.decode(line)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_record_or_a_bad_record(line: bytes) -> None:
    try:
        wire.decode(line)
    except wire.BadRecord:
        return
    pytest.fail("random bytes were taken for a record")


def test_the_schema_names_every_noun_and_its_pseudonym() -> None:
    schema = wire.json_schema()
    json.dumps(schema)
    assert set(schema["discriminator"]["mapping"]) == {
        re.sub("(?<!^)([A-Z])", r"_\1", noun.__name__).lower() for noun in wire.NOUNS
    }
    for noun in wire.NOUNS:
        device = schema["$defs"][noun.__name__]["properties"]["device"]
        assert re.fullmatch(device["pattern"], BEAT.device)


def test_no_two_times_are_too_far_apart_for_64_bits() -> None:
    long_ago = -(2**62)  # what the pipeline takes for never
    assert wire.LATEST_NS - long_ago < 2**63
    assert long_ago < -wire.LATEST_NS
