"""A wearer's state as bytes and back, with the versions it was made by."""

import ast
import zlib
from typing import Any, Final

import msgspec
import numpy as np

from diastole.edge.errors import InputError
from diastole.edge.pipeline import episodes, observe
from diastole.edge.pipeline.rule import RULE_VERSION
from diastole.edge.pipeline.rules import Rules
from diastole.edge.schema import FEATURE_SCHEMA, INPUT_SCHEMA

STATE_VERSION: Final = 3


class State(msgspec.Struct, frozen=True, kw_only=True):
    """All that the pipeline carries from one chunk to the next, for one subject."""

    observed: observe.State = msgspec.field(default_factory=observe.State)
    told: episodes.State = msgspec.field(default_factory=episodes.State)


class _Header(msgspec.Struct, kw_only=True):
    version: int
    features: str
    inputs: str
    verdicts: str
    rules: Rules


class _Saved(_Header, kw_only=True):
    state: State


def pack(state: State, rules: Rules) -> bytes:
    """Return the state as bytes that any later run of this version takes up."""
    saved = _Saved(
        version=STATE_VERSION,
        features=FEATURE_SCHEMA,
        inputs=INPUT_SCHEMA,
        verdicts=RULE_VERSION,
        rules=rules,
        state=state,
    )
    return zlib.compress(msgspec.msgpack.encode(saved, enc_hook=_array_out), 6)


def unpack(data: bytes, rules: Rules) -> State:
    """Return the state; refuse what other versions or other rules have made."""
    remedy = "begin with a fresh state; the normal is learned anew within minutes"
    try:
        plain = zlib.decompress(data)
        header = msgspec.msgpack.decode(plain, type=_Header)
    except (zlib.error, msgspec.DecodeError) as error:
        what = "the saved state is damaged"
        raise InputError(what, remedy) from error
    made = (header.version, header.features, header.inputs, header.verdicts, header.rules)
    if made != (STATE_VERSION, FEATURE_SCHEMA, INPUT_SCHEMA, RULE_VERSION, rules):
        what = "the saved state was made by another version or other settings"
        raise InputError(what, remedy)
    try:
        return msgspec.msgpack.decode(plain, type=_Saved, dec_hook=_array_in).state
    except (msgspec.DecodeError, SyntaxError, TypeError, ValueError) as error:
        what = "the saved state is of another shape"
        raise InputError(what, remedy) from error


def _array_out(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        descr = value.dtype.descr if value.dtype.names else value.dtype.str
        return (repr(descr), value.shape, np.ascontiguousarray(value).tobytes())
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(type(value))


def _array_in(_kind: Any, value: Any) -> Any:
    descr, shape, data = value
    return np.frombuffer(data, np.dtype(ast.literal_eval(descr))).reshape(shape).copy()
