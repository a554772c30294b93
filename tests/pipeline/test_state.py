"""A wearer's state as bytes: whole, small, and refused where it does not fit."""

import zlib
from contextlib import suppress

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diastole.edge.errors import InputError
from diastole.edge.pipeline.rules import Rules
from diastole.edge.pipeline.state import State, pack, unpack
from diastole.edge.records import MINUTE_NS
from tests.pipeline.walking import RULES, assert_same, walk
from tests.strategies import REST, START_NS, STRESS, Stretch, cut, recording, with_watch

HALVES = cut(with_watch(recording(REST, STRESS, REST)), [START_NS + 7 * MINUTE_NS + 1])
STATE = State(observed=walk(HALVES[0])[2])


def test_it_is_taken_up_where_it_was_left() -> None:
    again = unpack(pack(STATE, RULES), RULES)
    assert_same(walk(HALVES[1], state=again.observed)[0], walk(HALVES[1], state=STATE.observed)[0])
    assert pack(again, RULES) == pack(STATE, RULES)


def test_what_is_taken_up_can_be_changed() -> None:
    again = unpack(pack(STATE, RULES), RULES)
    array = next(iter(again.observed.strains.values())).counts.cells["rr"]
    array[0, 0] += 1  # a view of the bytes could not be


@pytest.mark.parametrize("stretch", [Stretch(90, 70, 40), Stretch(90, 70, 40, 12)])
def test_an_hour_of_a_strap_stays_under_8_kb(stretch: Stretch) -> None:
    _, _, state = walk(recording(stretch))
    assert len(pack(State(observed=state), RULES)) < 8000


def test_a_fresh_state_is_a_state() -> None:
    assert unpack(pack(State(), RULES), RULES).observed.devices == []


def refused(data: bytes, rules: Rules = RULES) -> str:
    with pytest.raises(InputError) as told:
        unpack(data, rules)
    sentence = str(told.value)
    assert "\n" not in sentence
    assert ": begin with a fresh state" in sentence
    return sentence


@given(st.binary(max_size=40))
def test_bytes_that_are_no_state_are_refused(data: bytes) -> None:
    assert "damaged" in refused(data)
    refused(zlib.compress(data))


@given(st.data())
def test_a_damaged_state_is_refused(data: st.DataObject) -> None:
    whole = pack(STATE, RULES)
    place = data.draw(st.integers(0, len(whole) - 1))
    assert "damaged" in refused(whole[:place])
    spoilt = bytearray(whole)
    spoilt[place] ^= data.draw(st.integers(1, 255))
    with suppress(zlib.error):  # a few bits of the packing mean nothing
        assert zlib.decompress(spoilt) == zlib.decompress(whole)
        return
    assert "damaged" in refused(bytes(spoilt))


def changed(**fields: object) -> bytes:
    saved = msgspec.msgpack.decode(zlib.decompress(pack(STATE, RULES)))
    return zlib.compress(msgspec.msgpack.encode({**saved, **fields}))


@pytest.mark.parametrize(
    "fields",
    [{"version": 0}, {"features": "hrv-0"}, {"inputs": "inputs-0"}, {"verdicts": "verdict-0"}],
)
def test_the_state_of_another_version_is_refused(fields: dict[str, object]) -> None:
    assert unpack(changed(), RULES).observed.devices == STATE.observed.devices
    assert "another version" in refused(changed(**fields))


def test_the_state_of_other_settings_is_refused() -> None:
    assert "other settings" in refused(pack(STATE, Rules(normal_need=24)))
    assert "other settings" in refused(pack(STATE, RULES), Rules(normal_need=24))


@pytest.mark.parametrize("inside", [None, {"framed": {"devices": {"strap": 3}}}, {"strains": 1}])
def test_a_state_of_another_shape_is_refused(inside: object) -> None:
    assert "another shape" in refused(changed(state={"observed": inside}))


def test_arrays_keep_their_columns() -> None:
    again = unpack(pack(STATE, RULES), RULES)
    for name, device in STATE.observed.framed.devices.items():
        for kind, rows in device.beats.items():
            there = again.observed.framed.devices[name].beats[kind]
            assert there.dtype == rows.dtype
            np.testing.assert_array_equal(there["time_ns"], rows["time_ns"])
