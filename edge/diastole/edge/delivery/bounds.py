"""What is let go when there is too much: beats first, then the oldest readings, marks last."""

import heapq
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import NamedTuple

from diastole.edge.delivery.book import Book, Line
from diastole.edge.delivery.file import BELOW, key
from diastole.edge.delivery.limits import ORDER, PLAUSIBLE_NS, RECORD_COST, Dropped, rank
from diastole.edge.delivery.ranges import of_places


class _Row(NamedTuple):
    at_ns: int
    sid: str
    seq: int
    size: int


def make_room(book: Book, wanted: int) -> None:
    """Drop the least needed until ``wanted`` bytes are free, or nothing is left."""
    freed = 0
    for place in range(len(ORDER)):
        if freed >= wanted:
            break
        lines = [line for line in book.lines.values() if rank(line.stream) == place]
        chosen: dict[str, list[int]] = defaultdict(list)
        with ExitStack() as opened:
            for row in heapq.merge(*(_rows(book, line, opened) for line in lines)):
                if freed >= wanted:
                    break
                chosen[row.sid].append(row.seq)
                freed += row.size
        _drop(book, chosen, Dropped.FULL)


def drop_old(book: Book, before_ns: int) -> None:
    """Drop what was committed earlier than that; what an unset clock has stamped has no age."""
    chosen: dict[str, list[int]] = defaultdict(list)
    for line in list(book.lines.values()):
        with ExitStack() as opened:
            for row in _rows(book, line, opened):
                if PLAUSIBLE_NS <= row.at_ns < before_ns:
                    chosen[row.sid].append(row.seq)
                elif row.at_ns >= before_ns:
                    break
    _drop(book, chosen, Dropped.TOO_OLD)


def _rows(book: Book, line: Line, opened: ExitStack) -> Iterator[_Row]:
    """Yield the records of a line from its oldest on, as far as they are asked for."""
    rows = opened.enter_context(
        closing(
            book.database.execute(
                "SELECT at_ns, id & ?, length(body) FROM record WHERE id BETWEEN ? AND ? "
                "ORDER BY id",
                (BELOW, key(line.id, 1), key(line.id, BELOW)),
            )
        )
    )
    return (_Row(at_ns, line.sid, seq, size + RECORD_COST) for at_ns, seq, size in rows)


def _drop(book: Book, chosen: dict[str, list[int]], reason: Dropped) -> None:
    for sid, seqs in chosen.items():
        book.drop(sid, of_places(seqs), reason)
