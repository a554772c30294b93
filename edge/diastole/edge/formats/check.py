"""What a format promises, run on a sample of it: the contract of a new one."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from diastole.edge.chunks import BREAK_REASONS, COLUMNS, Chunk, Rows, join
from diastole.edge.formats import Format
from diastole.edge.records import BreakReason
from diastole.edge.wire import PSEUDONYM


def check_format(format: Format, sample_path: Path) -> None:  # noqa: A002
    """Raise AssertionError with a sentence where ``format`` breaks its contract on the sample.

    A format recognises its sample, gives no record older than it said, ends every device, names
    devices by pseudonyms, and reads the same twice.
    """
    hold(format.recognises(sample_path), "it does not recognise its sample")
    recording = format.open(sample_path)
    hold(recording.format == format.name, "the recording names another format")
    chunks = list(recording.chunks())
    notes = dict(recording.notes)
    hold(bool(chunks), "it gives no chunks")
    check_order(chunks)
    whole = join(chunks)
    _check_end(chunks[-1], whole)
    for device in whole.devices:
        hold(bool(re.fullmatch(PSEUDONYM, device)), f"device {device!r} is no pseudonym")
    again = list(recording.chunks())
    same = len(again) == len(chunks) and all(map(equal, chunks, again))
    hold(same, "read twice it gives other records")
    hold(dict(recording.notes) == notes, "read twice it counts other defects")


def equal(one: Chunk, other: Chunk) -> bool:
    """Whether two chunks hold the same records of the same devices."""
    return (
        (one.until_ns, one.devices, one.marks) == (other.until_ns, other.devices, other.marks)
        and all(_same(getattr(one, name), getattr(other, name)) for name in COLUMNS)
        and len(one.samples) == len(other.samples)
        and all(
            (a.device, a.kind, a.unit, a.rate_hz, a.start_ns, a.index)
            == (b.device, b.kind, b.unit, b.rate_hz, b.start_ns, b.index)
            and np.array_equal(a.values, b.values, equal_nan=True)
            for a, b in zip(one.samples, other.samples, strict=True)
        )
    )


def _same(one: Rows, other: Rows) -> bool:
    return len(one) == len(other) and all(
        np.array_equal(one[name], other[name], equal_nan=one[name].dtype.kind == "f")
        for name in one.dtype.names or ()
    )


def check_order(chunks: list[Chunk]) -> None:
    """Raise AssertionError where a record comes that is older than was said."""
    until_ns: int | None = None
    for chunk in chunks:
        if until_ns is not None:
            hold(chunk.until_ns >= until_ns, "until_ns falls")
            oldest = min(_times(chunk), default=until_ns)
            hold(oldest >= until_ns, f"a record of {oldest} ns comes after until_ns {until_ns}")
        until_ns = chunk.until_ns


def _check_end(last: Chunk, whole: Chunk) -> None:
    last_ns = whole.last_ns()
    hold(last_ns is not None and last.until_ns == last_ns + 1, "it does not end at its last record")
    ends = whole.breaks[whole.breaks["reason"] == BREAK_REASONS.index(BreakReason.ENDED)]
    ended = {whole.devices[k] for k in ends["device"]}
    hold(ended == set(whole.devices), "it does not end every device")


def _times(chunk: Chunk) -> Iterator[int]:
    for name in COLUMNS:
        yield from (int(time) for time in getattr(chunk, name)["time_ns"][:1])
    yield from (run.time_of(run.index) for run in chunk.samples)
    yield from (mark.time_ns for mark in chunk.marks)


def hold(promise: bool, sentence: str) -> None:
    """Raise AssertionError with the sentence where a promise is not kept."""
    if not promise:
        raise AssertionError(sentence)
