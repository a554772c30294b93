"""The topics of the broker: who says what about whom, each level a pseudonym."""

import re
from enum import StrEnum
from typing import Annotated, Final, NamedTuple

from msgspec import Meta

from diastole.edge.errors import InputError

ROOT: Final = "diastole"
VERSION: Final = "v1"
NAME: Final = r"[a-z0-9-]{1,64}"
"""A level of a topic: a site, an agent, a subject or a device; never a person's name."""
Name = Annotated[
    str,
    Meta(
        pattern=rf"^(?=.*[a-z0-9])(?:{NAME})\Z",
        description="a pseudonym of a-z, 0-9 and -, up to 64 of them",
    ),
]
"""A level as a settings file gives it: never NOBODY."""
NOBODY: Final = "-"
"""Stands for the subject where an agent speaks of itself, and for the device of none."""
EVERYTHING: Final = f"{ROOT}/{VERSION}/#"

_is_name: Final = re.compile(NAME).fullmatch


class Stream(StrEnum):
    """What travels on a topic of data."""

    READING = "reading"
    EVENT = "event"
    MARK = "mark"
    BEAT = "beat"
    STATUS = "status"
    HELLO = "hello"
    """What an agent holds, asked of ingest at each connection; never stored."""


STREAMS: Final = frozenset(stream.value for stream in Stream)


class Topic(NamedTuple):
    """The levels of a topic of data."""

    site: str
    agent: str
    subject: str
    stream: Stream

    def __str__(self) -> str:
        """Return it as the broker knows it."""
        return "/".join((ROOT, VERSION, *self))


class Inbound(NamedTuple):
    """The levels of a topic on which another program hands records to an agent."""

    site: str
    agent: str
    subject: str
    device: str

    def __str__(self) -> str:
        """Return it as the broker knows it."""
        return "/".join((ROOT, "in", VERSION, *self))


def ack(site: str, agent: str) -> str:
    """Return where ingest tells an agent what it holds."""
    return "/".join((ROOT, "ack", VERSION, site, agent))


def parse(topic: str) -> Topic:
    """Return the levels of a topic of data; raise InputError for any other."""
    match topic.split("/"):
        case [root, version, site, agent, subject, stream] if (
            (root, version) == (ROOT, VERSION)
            and all(map(_is_name, (site, agent, subject)))
            and stream in STREAMS
        ):
            return Topic(site, agent, subject, Stream(stream))
    raise _unknown(topic, f"{ROOT}/{VERSION}/SITE/AGENT/SUBJECT/STREAM")


def parse_inbound(topic: str) -> Inbound:
    """Return the levels of an inbound topic; raise InputError for any other."""
    match topic.split("/"):
        case [root, inward, version, *levels] if (
            (root, inward, version) == (ROOT, "in", VERSION)
            and len(levels) == len(Inbound._fields)
            and all(map(_is_name, levels))
        ):
            return Inbound(*levels)
    raise _unknown(topic, f"{ROOT}/in/{VERSION}/SITE/AGENT/SUBJECT/DEVICE")


def _unknown(topic: str, wanted: str) -> InputError:
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in topic[:80])
    return InputError(f"topic {shown!r} is none of ours", f"send on {wanted}")
