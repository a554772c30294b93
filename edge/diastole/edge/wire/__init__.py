"""Every noun as JSON: one object with its ``record`` tag, NaN and infinity never in it."""

import re
from typing import Any, Final

import msgspec

from diastole.edge.errors import InputError
from diastole.edge.records import (
    Beat,
    Break,
    Event,
    HeartRate,
    Mark,
    Motion,
    Observation,
    Reading,
    Samples,
    Status,
)

WIRE_SCHEMA: Final = 1

NOUNS: Final = (
    Samples,
    Beat,
    HeartRate,
    Motion,
    Break,
    Mark,
    Observation,
    Reading,
    Event,
    Status,
)
Noun = Samples | Beat | HeartRate | Motion | Break | Mark | Observation | Reading | Event | Status

PSEUDONYM: Final = r"[a-z0-9-]+"
"""What a device or a subject is called; never a person's name."""
LATEST_NS: Final = 4_500_000_000_000_000_000
"""No record is further from the epoch: differences of two times stay within 64 bits."""

_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(Noun)
_is_pseudonym: Final = re.compile(PSEUDONYM).fullmatch


class BadRecord(InputError):
    """Bytes that are no record, or a record that the wire cannot carry."""

    def __init__(self, what: str) -> None:
        super().__init__(f"not a record: {what}", "see the JSON Schema of the wire")


def encode(record: Noun) -> bytes:
    """Return the record as one line of JSON; a NaN where None is allowed becomes null.

    Raises BadRecord where a number that must be there is not finite, or the device no pseudonym.
    """
    line = _ENCODER.encode(record)
    if b"null" in line or not _is_pseudonym(record.device):
        decode(line)
    return line


def decode(line: bytes | str) -> Noun:
    """Return the record that these bytes are; raises BadRecord for anything else."""
    try:
        record: Noun = _DECODER.decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadRecord(str(error)) from None
    if not _is_pseudonym(record.device):
        text = f"device {record.device[:40]!r} is no pseudonym of a-z, 0-9 and -"
        raise BadRecord(text)
    start = record.start_ns if isinstance(record, Event) else record.time_ns
    if not -LATEST_NS < start < LATEST_NS:
        text = f"its time {start} is no time in nanoseconds"
        raise BadRecord(text)
    return record


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of what :func:`encode` writes."""
    schema = msgspec.json.schema(Noun)
    for noun in NOUNS:
        schema["$defs"][noun.__name__]["properties"]["device"]["pattern"] = f"^{PSEUDONYM}$"
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"diastole wire {WIRE_SCHEMA}",
        **schema,
    }
