"""From what arrived to what is kept: a group of messages is one commit, or none."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeVar

from diastole.edge.wire.messages import Drop, Held, Message, message
from diastole.edge.wire.topics import Topic
from diastole.ingest.decoding import Unfit, opened
from diastole.ingest.log import Log
from diastole.ingest.ranges import Ranges
from diastole.ingest.spool import Dead, Letter, Spool, StreamKey

T = TypeVar("T")
_MOST_STREAMS: Final = 10_000
"""Kept in memory; the others are read when they come again."""
_MOST_RANGES: Final = 100
"""Told in one acknowledgement; the rest when these have closed up."""
_MOST_FORMER: Final = 8


class Intake:
    """Keeps what arrives in the spool, and knows what is held of each stream."""

    def __init__(self, spool: Spool, log: Log) -> None:
        self.counts: Counter[str] = Counter()
        """received (messages), kept (records), duplicates, dropped (records), two_agents."""
        self._spool = spool
        self._log = log
        self._streams: dict[StreamKey, Ranges] = {}
        self._incarnations: dict[Topic, list[str]] = {}

    def take(self, letters: Sequence[Letter]) -> set[StreamKey]:
        """Keep all of them durably; return the streams of which there is something to acknowledge.

        Raises NoRoom: none of them is kept then, and each is to be given again.
        """
        group = _Group()
        try:
            for letter in letters:
                self._sort(letter, group)
            self._spool.keep(
                group.letters, group.dead, [(key, self._streams[key]) for key in group.grown]
            )
        except BaseException:
            for key in group.touched:  # what is held is what the spool says
                self._streams.pop(key, None)
            raise
        _forget_oldest(self._streams)
        _forget_oldest(self._incarnations)
        self.counts += group.counts
        self.counts["received"] += len(letters)
        for dead in group.dead:
            self._log.again("dead letter", dead.about, topic=dead.letter.topic, why=dead.detail)
        return group.touched

    def held(self, stream: StreamKey) -> Held:
        """Return what is held of a stream, as it is told."""
        ranges = self._ranges(stream)
        return Held(sid=stream.sid, upto=ranges.upto, also=ranges.also[:_MOST_RANGES])

    def _sort(self, letter: Letter, group: "_Group") -> None:
        try:
            topic, sent = opened(letter.topic, letter.payload)
        except Unfit as unfit:
            group.dead.append(Dead(letter, unfit.why, str(unfit)))
            if unfit.topic is not None and unfit.identity is not None:
                identity = unfit.identity
                self._grow(unfit.topic, identity.sid, identity.seqs, identity.drops, group)
            return
        letter = letter._replace(live=sent.live or sent.sid is None)
        if sent.sid is None:
            group.letters.append(letter)
            return
        self._watch(topic, sent.sid)
        fresh = self._grow(topic, sent.sid, sent.seqs, sent.drops, group)
        group.counts["kept"] += len(fresh)
        group.counts["duplicates"] += len(sent.seqs) - len(fresh)
        if len(fresh) == len(sent.seqs):
            group.letters += [letter] if fresh else []
        elif fresh:
            group.letters.append(letter._replace(payload=_part(topic, sent, fresh)))

    def _grow(
        self, topic: Topic, sid: str, seqs: list[int], drops: Iterable[Drop], group: "_Group"
    ) -> list[int]:
        """Hold these places; return the positions of those that were not held before."""
        key = StreamKey(topic.site, topic.agent, sid)
        ranges = self._ranges(key)
        group.touched.add(key)
        fresh = [i for i, seq in enumerate(seqs) if ranges.add(seq, seq)]
        dropped = sum(ranges.add(drop.first, drop.last) for drop in drops)
        if fresh or dropped:
            group.grown.add(key)
        group.counts["dropped"] += dropped
        return fresh

    def _ranges(self, key: StreamKey) -> Ranges:
        found = self._streams.get(key)
        if found is None:
            found = self._streams[key] = self._spool.held(key)
        return found

    def _watch(self, topic: Topic, sid: str) -> None:
        """Notice a stream that goes back to a former incarnation: two agents bear one name."""
        known = self._incarnations.setdefault(topic, [])
        if known[-1:] == [sid]:
            return
        if sid in known:
            known.remove(sid)
            self.counts["two_agents"] += 1
            remedy = "give each agent its own name"
            about = f"{topic.site}/{topic.agent}"
            self._log.again("two agents with one name", about, do=remedy)
        known.append(sid)
        del known[:-_MOST_FORMER]


class _Group:
    """What one commit is to keep."""

    def __init__(self) -> None:
        self.letters: list[Letter] = []
        self.dead: list[Dead] = []
        self.grown: set[StreamKey] = set()
        self.touched: set[StreamKey] = set()
        self.counts: Counter[str] = Counter()


def _part(topic: Topic, sent: Message, positions: Iterable[int]) -> bytes:
    records = [(sent.seqs[i], bytes(sent.records[i])) for i in positions]
    return message(topic, str(sent.sid), records, live=sent.live)


def _forget_oldest(known: dict[T, Any]) -> None:
    while len(known) > _MOST_STREAMS:
        del known[next(iter(known))]
