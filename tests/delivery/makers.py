"""Records and ticks to send."""

from pathlib import Path

from diastole.edge.delivery import Item, Tick
from diastole.edge.delivery.outbox import Limits, Outbox
from diastole.edge.records import Beat, BeatKind, Mark, Status
from diastole.edge.wire import Noun
from diastole.edge.wire.topics import NOBODY, Stream

NOW_NS = 1_700_000_000_000_000_000 + 200_000_000_000_000_000


def record(stream: Stream, number: int, size: int = 0) -> Noun:
    """Return a record that can be told from others of its stream."""
    time_ns = NOW_NS + number * 1_000_000
    if stream is Stream.BEAT:
        return Beat(device="strap", time_ns=time_ns, rr_ms=800.0, kind=BeatKind.RR)
    if stream is Stream.MARK:
        return Mark(device=NOBODY, time_ns=time_ns, text="x" * size, by="wearer")
    return Status(device=NOBODY, time_ns=time_ns, values={"n": number}, text={"pad": "x" * size})


def item(stream: Stream, number: int, subject: str = "anna", size: int = 0) -> Item:
    """Return one on its way out; what a stream holds is nothing to the outbox."""
    return Item(subject, stream, record(stream, number, size))


def tick(stream: Stream, *numbers: int, size: int = 0, subject: str = "anna") -> Tick:
    """Return a tick of such records."""
    return Tick([item(stream, number, subject, size) for number in numbers])


def opened(folder: Path, limits: Limits | None = None, now_ns: int = NOW_NS) -> Outbox:
    """Open the outbox of a test."""
    return Outbox.open(folder / "agent" / "outbox.db", limits or Limits(), lambda: now_ns)


def held(outbox: Outbox) -> dict[tuple[str, int], bytes]:
    """Return every record by its identity."""
    return {
        (sid, seq): body
        for sid, line in list(outbox.lines.items())
        for seq, body in outbox.take(sid, 1, line.last, 1_000_000, 1 << 40)
    }
