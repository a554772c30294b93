"""What arrives from the broker, as what it is or as the reason why it is nothing. Pure."""

import re
from collections.abc import Iterator
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple, TypeVar

import msgspec

from diastole.edge.errors import InputError
from diastole.edge.records import Status
from diastole.edge.wire import WIRE_SCHEMA, BadRecord, Noun, decode
from diastole.edge.wire.messages import SID, Drop, Hello, Message, parse
from diastole.edge.wire.topics import NOBODY, Stream, Topic
from diastole.edge.wire.topics import parse as parse_topic
from diastole.ingest.layout import rows_of
from diastole.ingest.stores import Row

MOST_BYTES: Final = 1_000_000
"""Of a message; an agent sends a thirtieth of it."""
T = TypeVar("T", bound=msgspec.Struct)
_LAST_PLACE: Final = 2**62
_is_sid: Final = re.compile(SID).fullmatch


class Why(StrEnum):
    """Why something is a dead letter."""

    TOPIC = "topic"
    """Not one of ours, or it disagrees with the payload."""
    TOO_LARGE = "too_large"
    MESSAGE = "message"
    """The payload is no message."""
    NEWER = "newer"
    """Of a schema that a newer version writes: try again after an update."""
    RECORD = "record"
    """One of a message's records is none, or cannot be stored."""
    REFUSED = "refused"
    """The store does not take it."""


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Which places of which stream a payload fills."""

    sid: str
    seqs: list[int] = []
    drops: list[Drop] = []


class Unfit(Exception):
    """A payload that is no message of ours."""

    def __init__(
        self,
        why: Why,
        detail: str,
        topic: Topic | None = None,
        identity: Identity | None = None,
    ) -> None:
        super().__init__(detail)
        self.why = why
        self.topic = topic
        self.identity = identity
        """The places that it fills on this topic, legible or not."""


class _Version(msgspec.Struct):
    v: int


_VERSION: Final = msgspec.json.Decoder(_Version)
_IDENTITY: Final = msgspec.json.Decoder(Identity)


def opened(topic: str, payload: bytes) -> tuple[Topic, Message]:
    """Return what was sent and on which topic; the records in it are not looked at yet.

    Raises Unfit: counting its places as held keeps the agent from sending it for ever.
    """
    parsed, message = _parsed(topic, payload, Message)
    wrong = _disagreement(parsed, message) or _misplaced(message)
    if wrong is not None:
        raise Unfit(*wrong, parsed, _identity(payload))
    return parsed, message


def opened_hello(topic: str, payload: bytes) -> tuple[Topic, Hello]:
    """Return an agent's greeting; raises Unfit."""
    parsed, hello = _parsed(topic, payload, Hello)
    if hello.agent != parsed.agent:
        raise Unfit(Why.TOPIC, f"a greeting of agent {hello.agent[:64]!r}")
    if not all(map(_is_sid, hello.streams)):
        raise Unfit(Why.MESSAGE, "a greeting with a stream that is none")
    return parsed, hello


def is_hello(topic: str) -> bool:
    """Return whether greetings come on this topic."""
    return topic.endswith(f"/{Stream.HELLO.value}")


class Item(NamedTuple):
    """A record of a message: itself and its row, or what is wrong with it."""

    seq: int | None
    body: bytes
    noun: Noun | None
    row: Row | None
    wrong: str = ""


def items(topic: Topic, message: Message, received_ns: int) -> Iterator[Item]:
    """Yield every record of a message; one without an identity is of the time of its receipt."""
    for i, raw in enumerate(message.records):
        seq, body = (message.seqs[i] if message.sid else None), bytes(raw)
        try:
            noun = decode(body)
            if message.sid is None and isinstance(noun, Status):
                noun = msgspec.structs.replace(noun, time_ns=received_ns)
            rows = rows_of(topic, noun)
        except BadRecord as error:
            yield Item(seq, body, None, None, error.what)
            continue
        yield Item(seq, body, noun, rows[0] if rows else None)


def _parsed(topic: str, payload: bytes, kind: type[T]) -> tuple[Topic, T]:
    try:
        parsed = _topic(topic)
    except InputError as error:
        raise Unfit(Why.TOPIC, error.what) from None
    if len(payload) > MOST_BYTES:
        detail = f"{len(payload)} bytes, {MOST_BYTES} are the most"
        raise Unfit(Why.TOO_LARGE, detail, parsed, _identity(payload))
    try:
        return parsed, parse(payload, kind)
    except BadRecord as error:
        why, detail = Why.MESSAGE, error.what
        if (version := _version(payload)) > WIRE_SCHEMA:
            read = f"this version reads {WIRE_SCHEMA}: update ingest, and retry the dead letters"
            why, detail = Why.NEWER, f"wire schema {version}, {read}"
        raise Unfit(why, detail, parsed, _identity(payload)) from None


@lru_cache(4_096)
def _topic(topic: str) -> Topic:
    return parse_topic(topic)


def _disagreement(topic: Topic, message: Message) -> tuple[Why, str] | None:
    said = (message.agent, message.subject, message.stream)
    if said != (topic.agent, topic.subject, topic.stream):
        told = "/".join(part[:64] for part in said)
        return Why.TOPIC, f"the payload is of {told!r}"
    return None


def _misplaced(message: Message) -> tuple[Why, str] | None:
    """Return what is wrong with the identity of a message."""
    if message.sid is None:
        if message.stream != Stream.STATUS or message.subject != NOBODY or message.drops:
            return Why.MESSAGE, "without a stream's identity, and no last will"
    elif not _is_sid(message.sid):
        return Why.MESSAGE, f"stream {message.sid[:64]!r} is none"
    elif not _places_are_right(message.seqs, message.drops):
        return Why.MESSAGE, "a place of a record is no whole number from 1 on"
    return None


def _places_are_right(seqs: list[int], drops: list[Drop]) -> bool:
    return all(1 <= seq < _LAST_PLACE for seq in seqs) and all(
        1 <= drop.first <= drop.last < _LAST_PLACE for drop in drops
    )


def _identity(payload: bytes) -> Identity | None:
    try:
        found = _IDENTITY.decode(payload)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    right = _is_sid(found.sid) and _places_are_right(found.seqs, found.drops)
    return found if right else None


def _version(payload: bytes) -> int:
    """Return the schema that a payload says it has, 0 where it says none."""
    try:
        return _VERSION.decode(payload).v
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return 0
