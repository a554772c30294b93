"""Our own recordings: a header line, then one JSON record a line, gzipped or not.

Lines lie in the order in which records came. Read, they are sorted within 15 minutes; what is
older than that is dropped and counted. A file that is cut off is read up to the damage.
"""

import gzip
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from io import BufferedIOBase, BufferedReader
from pathlib import Path
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import numpy as np

from diastole.edge.chunks import Chunk, SampleRun, by_time, join
from diastole.edge.errors import BadFile
from diastole.edge.formats import Format, Recording
from diastole.edge.formats.blocks import ended
from diastole.edge.formats.intervals import note, note_beats
from diastole.edge.formats.objects import chunk_of, run_of, starts_ns
from diastole.edge.formats.place import quoted, reading
from diastole.edge.records import (
    MINUTE_NS,
    SECOND_NS,
    Break,
    BreakReason,
    Mark,
    Record,
    SampleKind,
    Samples,
)
from diastole.edge.wire import LATEST_NS, PSEUDONYM, WIRE_SCHEMA, BadRecord, decode

VERSION: Final = 1
PATIENCE_NS: Final = 15 * MINUTE_NS
STRETCH_NS: Final = 5 * MINUTE_NS
"""Chunks are at least so long."""
GZIP: Final = b"\x1f\x8b"
LONGEST_HEADER: Final = 65_536
MAX_DEVICES: Final = 1000
REMEDY: Final = "give a recording of this version, or record it again"


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line of a session."""

    diastole_session: int = VERSION
    wire: int = WIRE_SCHEMA
    subject: str | None = None
    zone: str = "UTC"
    clock: Literal["utc", "relative"] = "utc"
    start_ns: int | None = None
    """Where ``t_s`` counts from; None: from the first record."""
    simulated: bool = False


class Session:
    """The format ``session``."""

    name = "session"

    def recognises(self, path: Path) -> bool:
        """Whether the first line says that it is a session of ours."""
        try:
            return not path.is_dir() and b'"diastole_session"' in _first_line(path)
        except BadFile:
            return False

    def open(self, path: Path) -> Recording:
        """Read the header line."""
        header = read_header(path)
        notes: Counter[str] = Counter()
        return Recording(
            path,
            self.name,
            _begins_ns(path) if header.start_ns is None else header.start_ns,
            partial(_chunks, path, notes),
            clock=header.clock,
            zone=header.zone,
            subject=header.subject,
            simulated=header.simulated,
            notes=notes,
        )


def read_header(path: Path) -> Header:
    """Return the header of a session; raises BadFile for an unknown version or a bad field."""
    line = _first_line(path)
    try:
        version = msgspec.json.decode(line, type=dict[str, object])
        known = (version.get("diastole_session"), version.get("wire"))
        if known != (VERSION, WIRE_SCHEMA):
            what = f"a session of version {known[0]}, wire {known[1]}"
            raise BadFile(path, what, f"this program reads {VERSION} and {WIRE_SCHEMA}", 1)
        header = msgspec.json.decode(line, type=Header)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadFile(path, f"no header of a session ({error})", REMEDY, 1) from None
    _check(path, header)
    return header


def _begins_ns(path: Path) -> int:
    """Return the time of the first record, 0 where there is none."""
    first = next(_chunks(path, Counter()), None)
    return (first.first_ns() if first is not None else None) or 0


def _check(path: Path, header: Header) -> None:
    if header.subject is not None and not re.fullmatch(PSEUDONYM, header.subject):
        what = f"subject {quoted(header.subject)} is no pseudonym"
        raise BadFile(path, what, "use a-z, 0-9 and - only", 1)
    if header.start_ns is not None and abs(header.start_ns) > LATEST_NS:
        raise BadFile(path, f"start_ns {header.start_ns} is no time", REMEDY, 1)
    try:
        if header.zone != "UTC":
            ZoneInfo(header.zone)
    except (OSError, ValueError, ZoneInfoNotFoundError):
        what = f"time zone {quoted(header.zone)} is unknown"
        raise BadFile(path, what, "name it as in Europe/Berlin", 1) from None


def _first_line(path: Path) -> bytes:
    with reading(path), path.open("rb") as raw:
        return _plain(raw).readline(LONGEST_HEADER)


def _plain(raw: BufferedReader) -> BufferedIOBase:
    """Return the stream of a file's lines, unzipped where it is gzipped."""
    # read by lines, a GzipFile gives all it holds before it raises for a cut; larger buffers do not
    return gzip.GzipFile(fileobj=raw) if raw.peek(2)[:2] == GZIP else raw


def _lines(path: Path, notes: Counter[str]) -> Iterator[bytes]:
    """Lines after the header, up to the end or to where a gzip is cut off."""
    with reading(path), path.open("rb") as raw:
        stream = _plain(raw)
        try:
            stream.readline()
            yield from stream
        except (EOFError, zlib.error, gzip.BadGzipFile):
            notes["cut off or damaged here, read so far"] += 1


def _records(path: Path, notes: Counter[str]) -> Iterator[tuple[int, Record]]:
    """Yield the records of a wearable, each with its time; other lines are counted."""
    for line in _lines(path, notes):
        if line.isspace():
            continue
        try:
            record = decode(line)
            if isinstance(record, Record):
                yield starts_ns(record), record
            else:
                notes["record that no wearable hands in, passed over"] += 1
        except BadRecord:
            notes["line that is no record, passed over"] += 1


def _chunks(path: Path, notes: Counter[str]) -> Iterator[Chunk]:
    notes.clear()
    order = _Sorter(path, notes)
    for time_ns, record in _records(path, notes):
        if order.add(time_ns, record):
            yield _noted(order.release(), notes)
    yield _noted(order.last(), notes)


def _noted(chunk: Chunk, notes: Counter[str]) -> Chunk:
    """Return the chunk; what is odd about its records is counted."""
    note_beats(notes, chunk.beats[chunk.beats["rr_ms"] != 0])  # 0: a beat after a gap
    note(notes, "heart rate that is zero or negative", chunk.heart_rates["hr_bpm"] <= 0)
    note(notes, "raw samples at the same time as others before them", _doubled(chunk.samples))
    return chunk


def _doubled(runs: tuple[SampleRun, ...]) -> int:
    """Count the runs that begin over a second before another of their device and kind ends."""
    count = 0
    newest_ns: dict[tuple[int, SampleKind], int] = {}
    for run in sorted(runs, key=lambda run: run.time_of(run.index)):
        key = run.device, run.kind
        first_ns, last_ns = (run.time_of(run.index + k) for k in (0, len(run.values) - 1))
        count += newest_ns.get(key, first_ns) - first_ns > SECOND_NS
        newest_ns[key] = max(newest_ns.get(key, last_ns), last_ns)
    return count


class _Sorter:
    """Records of the last 15 minutes, until nothing older can come."""

    def __init__(self, path: Path, notes: Counter[str]) -> None:
        self.path = path
        self.notes = notes
        self.pending: list[Record] = []
        self.rest: Chunk | None = None
        self.since_ns: int | None = None
        self.newest_ns = 0
        self.open: dict[str, int] = {}
        """Devices by their newest record."""
        self.ended: dict[str, int] = {}

    def add(self, time_ns: int, record: Record) -> bool:
        """Keep a record unless it is late; return whether a stretch can be given out."""
        if self.rest is not None and time_ns < self.rest.until_ns:
            note(self.notes, "record over 15 min late, left out", 1)
            return False
        if self.since_ns is None:
            self.since_ns = self.newest_ns = time_ns
        self.since_ns = min(self.since_ns, time_ns)
        self.newest_ns = max(self.newest_ns, time_ns)
        self.pending.append(record)
        if not isinstance(record, Mark):
            ends = isinstance(record, Break) and record.reason is BreakReason.ENDED
            times = self.ended if ends else self.open
            times[record.device] = max(times.get(record.device, time_ns), _last_ns(record))
            if len(times) > MAX_DEVICES:
                what = f"names over {MAX_DEVICES} devices"
                raise BadFile(self.path, what, "record one wearer a file")
        return self.newest_ns - self.since_ns >= PATIENCE_NS + STRETCH_NS

    def release(self) -> Chunk:
        """Return what is older than 15 minutes."""
        until_ns = self.since_ns = self.newest_ns - PATIENCE_NS
        now, rest = self._all().split(until_ns)
        self.rest = replace(rest, until_ns=until_ns)
        return replace(now, until_ns=until_ns)

    def last(self) -> Chunk:
        """Return what is left, and the end of each device that did not end by itself."""
        chunk = self._all()
        last_ns = chunk.last_ns()
        if last_ns is None:
            raise BadFile(self.path, "holds a header and no records", "record it again")
        cut = [
            name
            for name, time_ns in self.open.items()
            if self.ended.get(name, time_ns - 1) < time_ns
        ]
        devices = (*chunk.devices, *(name for name in cut if name not in chunk.devices))
        ends = ended(last_ns, len(cut))
        ends["device"] = [devices.index(name) for name in cut]
        breaks = by_time(np.concatenate([chunk.breaks, ends]))
        return replace(chunk, until_ns=last_ns + 1, devices=devices, breaks=breaks)

    def _all(self) -> Chunk:
        new = chunk_of(self.pending, self.newest_ns)
        self.pending = []
        return new if self.rest is None else join([self.rest, new])


def _last_ns(record: Record) -> int:
    if isinstance(record, Samples) and record.values:
        return run_of(record, 0).time_of(record.index + len(record.values) - 1)
    return record.time_ns


FORMAT: Final[Format] = Session()
