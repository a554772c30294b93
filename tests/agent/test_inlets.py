"""A wearer's sources side by side: who is waited for, and who waits."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from diastole.edge.agent.inlets import WAITING, Inlet, take
from diastole.edge.chunks import Chunk
from diastole.edge.clock import Clock
from diastole.edge.errors import BadFile
from diastole.edge.records import MINUTE_NS
from tests.sources.played import FakeClock


class Said:
    """A source that says no more than how far it has come."""

    live = False
    zone = None
    simulated = False

    def __init__(
        self,
        name: str,
        minutes: Sequence[int],
        *,
        paced: bool = True,
        fails: Exception | None = None,
    ) -> None:
        self.name, self.minutes, self.paced, self.fails = name, minutes, paced, fails

    async def chunks(
        self, clock: Clock, cursor: bytes | None
    ) -> AsyncIterator[tuple[Chunk, bytes]]:
        for minute in self.minutes:
            yield Chunk(minute * MINUTE_NS), str(minute).encode()
            await clock.sleep(1)
        if self.fails is not None:
            raise self.fails


async def fed(*sources: Said) -> tuple[list[Inlet], list["asyncio.Task[None]"]]:
    inlets = [Inlet(source.name, source) for source in sources]
    tasks = [asyncio.create_task(one.run(FakeClock(), None, lambda: None)) for one in inlets]
    for _ in range(50):
        await asyncio.sleep(0)
    return inlets, tasks


def walk(*sources: Said, patience_min: int = 15, full: bool = False) -> list[dict[str, int]]:
    """Give what each tick takes of which source, until nothing is left."""

    async def taking() -> list[dict[str, int]]:
        inlets, tasks = await fed(*sources)
        ticks = []
        while True:
            taken = take(inlets, patience_min * MINUTE_NS, full=full)
            if not taken.pieces:
                break
            cursors = {name: int(cursor) for name, cursor in taken.cursors.items()}
            assert taken.until_ns is not None
            ticks.append({**cursors, "until": taken.until_ns // MINUTE_NS})
            for _ in range(50):
                await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        return ticks

    return asyncio.run(taking())


def test_time_is_that_of_the_source_that_lags() -> None:
    assert walk(Said("a", [1, 2, 3]), Said("b", [2, 4, 6])) == [
        {"a": 1, "b": 2, "until": 1},
        {"a": 2, "b": 4, "until": 2},
        {"a": 3, "b": 6, "until": 6},
    ]


def test_a_source_that_is_ahead_waits_for_the_other() -> None:
    assert walk(Said("a", [1, 2, 30]), Said("b", [20, 40]), patience_min=15) == [
        {"a": 1, "b": 20, "until": 1},
        {"a": 2, "until": 2},
        {"a": 30, "until": 20},
        {"b": 40, "until": 40},
    ]


def test_nothing_is_taken_before_each_has_given_something() -> None:
    async def taking() -> None:
        inlets, tasks = await fed(Said("a", [1]))
        late = Inlet("b", Said("b", [1]))
        assert take([*inlets, late], 0).pieces == []
        assert len(take(inlets, 0).pieces) == 1
        await asyncio.gather(*tasks)

    asyncio.run(taking())


def test_an_empty_source_holds_nobody_back() -> None:
    assert walk(Said("a", []), Said("b", [1, 2])) == [
        {"b": 1, "until": 1},
        {"b": 2, "until": 2},
    ]


def test_where_the_outbox_is_full_only_what_nothing_paces_waits() -> None:
    assert walk(Said("a", [1, 2], paced=False), full=True) == []
    assert len(walk(Said("a", [1, 2], paced=True), full=True)) == 2


def test_a_source_is_only_a_few_pieces_ahead() -> None:
    async def taking() -> None:
        (inlet,), (task,) = await fed(Said("a", range(100)))
        assert len(inlet.waiting) == WAITING
        task.cancel()

    asyncio.run(taking())


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (BadFile("x.csv", "damaged", "copy it again", 7), "x.csv, line 7: damaged"),
        (ZeroDivisionError("oh"), "source a failed: ZeroDivisionError('oh')"),
    ],
)
def test_a_source_that_fails_says_so_and_ends(error: Exception, words: str) -> None:
    async def taking() -> Inlet:
        (inlet,), tasks = await fed(Said("a", [1], fails=error))
        assert inlet.going
        take([inlet], 0)
        await asyncio.gather(*tasks)
        return inlet

    inlet = asyncio.run(taking())
    assert not inlet.going
    assert inlet.trouble is not None
    assert words in inlet.trouble
