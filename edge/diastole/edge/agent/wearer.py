"""One wearer: the records of their sources in, what is sent of them out, and what is kept."""

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from diastole.edge.agent.late import count, in_time
from diastole.edge.agent.means import Means
from diastole.edge.agent.nouns import beats_of, readings_of
from diastole.edge.agent.settings import Subject
from diastole.edge.chunks import Chunk
from diastole.edge.delivery import Item
from diastole.edge.errors import InputError
from diastole.edge.pipeline import episodes, observe
from diastole.edge.pipeline.judge import judge
from diastole.edge.pipeline.observations import Readings, no_observations
from diastole.edge.pipeline.passed_over import passed_over
from diastole.edge.pipeline.state import State, pack, unpack
from diastole.edge.records import SECOND_NS
from diastole.edge.schema import HOP_S
from diastole.edge.wire import LATEST_NS
from diastole.edge.wire.topics import Stream

HOP_NS: Final = HOP_S * SECOND_NS

log = logging.getLogger(__name__)


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What outlives the process."""

    until_ns: int
    emitted_ns: int
    clock_back: int
    finished: bool
    pipeline: bytes


class Wearer:
    """Steps one subject's chunks through the pipeline; gives what is sent."""

    def __init__(
        self, subject: Subject, zone: str, means: Means, saved: bytes | None, *, simulated: bool
    ) -> None:
        self.name = subject.name
        self.counts: Counter[str] = Counter()
        """What was dropped, and why."""
        self.newest_ns: int | None = None
        """End of the newest window that was read."""
        self._subject, self._zone, self._means = subject, zone, means
        self._simulated = simulated
        self._until_ns = self._emitted_ns = -LATEST_NS
        self._state = State()
        self._finished = False
        self._back_hop: int | None = None
        if saved is not None:
            self._take_up(saved)

    @property
    def finished(self) -> bool:
        """Whether all that its sources had has been told."""
        return self._finished

    @property
    def until_ns(self) -> int:
        """Return how far its records have been taken; older ones are late."""
        return self._until_ns

    def packed(self) -> bytes:
        """Return what a later run takes up."""
        return msgspec.msgpack.encode(
            _Kept(
                until_ns=self._until_ns,
                emitted_ns=self._emitted_ns,
                clock_back=self.counts["clock_back"],
                finished=self._finished,
                pipeline=pack(self._state, self._means.rules),
            )
        )

    def step(self, pieces: Sequence[Chunk], until_ns: int) -> list[Item]:
        """Take in what came; nothing older than ``until_ns`` will."""
        if not pieces and until_ns <= self._until_ns:
            return []
        self._finished = False
        late, chunk = in_time(pieces, until_ns, self._until_ns)
        self._count_late(late)
        self._until_ns = chunk.until_ns
        items = [Item(self.name, Stream.MARK, mark) for mark in chunk.marks]
        self._count_passed_over(chunk)
        means = self._means
        observed, observations, judged = observe.step(
            self._state.observed, chunk, means.engine, means.rules, self._zone
        )
        ends_ns = observations.rows["time_ns"]
        self._count_back(len(np.unique(ends_ns[ends_ns <= self._emitted_ns])))
        readings = judge(
            observations.take(ends_ns > self._emitted_ns),
            means.model,
            means.rules,
            refused=means.refusal is not None,
        )
        if len(readings):
            self.newest_ns = self._emitted_ns = int(readings.observations.rows["time_ns"][-1])
        items += (
            Item(self.name, Stream.READING, reading)
            for reading in readings_of(
                readings,
                model=means.model.hash if means.model else None,
                simulated=self._simulated,
            )
        )
        told = self._told(readings, observed.framed.closed_ns)
        self._state = State(observed=observed, told=told[0])
        items += told[1]
        if self._subject.beats:
            items += (Item(self.name, Stream.BEAT, beat) for beat in beats_of(judged))
        return items

    def finish(self) -> list[Item]:
        """Tell how episodes end where nothing will come any more."""
        if self._finished:
            return []
        self._finished = True
        means = self._means
        nothing = judge(no_observations(), means.model, means.rules)
        told, items = self._told(nothing, episodes.FOREVER_NS)
        self._state = State(observed=self._state.observed, told=told)
        return items

    def _told(self, readings: Readings, until_ns: int | None) -> tuple[episodes.State, list[Item]]:
        means = self._means
        state, told = episodes.step(
            self._state.told,
            readings,
            -LATEST_NS if until_ns is None else until_ns,
            means.rules,
            self._subject.notices,
            means.model.inputs if means.model else (),
        )
        return state, [
            Item(
                self.name,
                Stream.EVENT,
                msgspec.structs.replace(item.event, simulated=self._simulated),
            )
            for item in told
        ]

    def _count_late(self, late: Chunk) -> None:
        """Count what came too late to be used, and the windows that are not told again for it."""
        beats, rates = (rows["time_ns"] for rows in (late.beats, late.heart_rates))
        if n := count(late):
            self.counts["late"] += n
        hops = np.unique(-(-np.concatenate([beats, rates]) // HOP_NS))
        hops = hops[(hops * HOP_NS <= self._emitted_ns) & (hops != self._back_hop)]
        if len(hops):
            self._back_hop = int(hops[-1])
            self._count_back(len(hops))

    def _count_back(self, windows: int) -> None:
        if windows and not self.counts["clock_back"]:
            log.warning("subject=%s windows not told again, the clock ran back", self.name)
        self.counts["clock_back"] += windows

    def _count_passed_over(self, chunk: Chunk) -> None:
        for sentence, n in passed_over(chunk).items():
            if sentence not in self.counts:
                log.warning('subject=%s passed_over="%s"', self.name, sentence)
            self.counts[sentence] += n

    def _take_up(self, saved: bytes) -> None:
        try:
            kept = msgspec.msgpack.decode(saved, type=_Kept)
            self._until_ns, self._emitted_ns = kept.until_ns, kept.emitted_ns
            self.counts["clock_back"] = kept.clock_back
            self._finished = kept.finished
            self._state = unpack(kept.pipeline, self._means.rules)
        except msgspec.MsgspecError:
            log.warning("subject=%s state=fresh, what was kept is damaged", self.name)
        except InputError as error:
            log.warning('subject=%s state=fresh why="%s"', self.name, error)
