"""What is sent: records with their identity, several a message; and what is held of them.

A record is known by ``(sid, seq)``: ``sid`` names one incarnation of a stream (an agent, a subject,
a kind) in one outbox, ``seq`` counts 1, 2, 3, … in it, without holes. It is sent again under the
same identity until an :class:`Ack` covers it.
"""

from collections.abc import Sequence
from typing import Final, TypeVar

import msgspec

from diastole.edge.records import Status
from diastole.edge.wire import WIRE_SCHEMA, BadRecord, encode
from diastole.edge.wire.topics import NOBODY, Stream, Topic

SID: Final = r"[0-9a-f]{16}"
MOST_RECORDS: Final = 100
MOST_BYTES: Final = 32_768
"""A message holds no more of either (one record may be longer)."""

T = TypeVar("T", bound=msgspec.Struct)


class Drop(msgspec.Struct, frozen=True, kw_only=True):
    """Records ``first`` to ``last`` of a stream were let go unsent, and why."""

    first: int
    last: int
    reason: str


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Records of one stream, as bytes that :func:`diastole.edge.wire.decode` reads.

    Without a ``sid`` it is a last will: the broker sends it, nobody acknowledges it, and its time
    is that of its receipt.
    """

    v: int
    agent: str
    subject: str
    stream: Stream
    sid: str | None = None
    seqs: list[int] = []
    """Place of each record."""
    records: list[msgspec.Raw] = []
    drops: list[Drop] = []
    live: bool = False
    """Said just now: it goes before what waited."""


class Held(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What ingest holds durably of one stream: all up to ``upto``, and the ranges ``also``."""

    sid: str
    upto: int
    also: list[tuple[int, int]] = []


class Ack(msgspec.Struct, frozen=True, kw_only=True):
    """What ingest holds of an agent's streams."""

    v: int
    held: list[Held]


class Hello(msgspec.Struct, frozen=True, kw_only=True):
    """The streams of which an agent holds records, each with the first and the last of them."""

    v: int
    agent: str
    streams: dict[str, tuple[int, int]]


_ENCODER: Final = msgspec.json.Encoder()


def message(
    topic: Topic,
    sid: str,
    records: Sequence[tuple[int, bytes]],
    drops: Sequence[Drop] = (),
    *,
    live: bool = False,
) -> bytes:
    """Return a message of records ``(seq, JSON)`` and of what was dropped."""
    return _ENCODER.encode(
        Message(
            v=WIRE_SCHEMA,
            agent=topic.agent,
            subject=topic.subject,
            stream=topic.stream,
            sid=sid,
            seqs=[seq for seq, _ in records],
            records=[msgspec.Raw(body) for _, body in records],
            drops=list(drops),
            live=live,
        )
    )


def last_will(topic: Topic) -> bytes:
    """Return what the broker says of an agent that has gone."""
    gone = Status(device=NOBODY, time_ns=0, values={"online": 0.0})
    plain = Message(
        v=WIRE_SCHEMA,
        agent=topic.agent,
        subject=topic.subject,
        stream=topic.stream,
        records=[msgspec.Raw(encode(gone))],
    )
    return _ENCODER.encode(plain)


def parse(payload: bytes, kind: type[T]) -> T:
    """Return the payload as a Message, Ack or Hello; raise BadRecord for anything else."""
    try:
        parsed = msgspec.json.decode(payload, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadRecord(str(error)) from None
    version = getattr(parsed, "v", None)
    if version != WIRE_SCHEMA:
        text = f"wire schema {version}, this version reads {WIRE_SCHEMA}"
        raise BadRecord(text)
    if isinstance(parsed, Message) and parsed.sid is not None:
        places, records = len(parsed.seqs), len(parsed.records)
        if places != records:
            text = f"{records} records with {places} places"
            raise BadRecord(text)
    return parsed


def to_bytes(said: Ack | Hello) -> bytes:
    """Return an acknowledgement or a greeting as it is sent."""
    return _ENCODER.encode(said)
