"""From the agent to ingest: nothing is let go before ingest has said that it holds it durably."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from diastole.edge.wire import Noun
from diastole.edge.wire.topics import Stream


class Item(NamedTuple):
    """A record on its way out; ``subject`` is ``-`` where the agent speaks of itself."""

    subject: str
    stream: Stream
    record: Noun


@dataclass(frozen=True, slots=True)
class Tick:
    """What one hop of the agent leaves, of all its wearers: committed whole or not at all."""

    items: Sequence[Item] = ()
    states: Mapping[str, bytes] = field(default_factory=dict)
    """Packed pipeline state by subject; the last one counts."""
    cursors: Mapping[str, bytes] = field(default_factory=dict)
    """How far each source has been read, by the source's name."""
