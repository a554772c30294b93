"""Raw signals of an Empatica E4: read in step with each other, a stretch of time at once."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal, DecimalException
from itertools import islice
from typing import Final, NamedTuple

import numpy as np

from diastole.edge.chunks import Floats, SampleRun, sample_offsets_ns
from diastole.edge.errors import BadFile
from diastole.edge.formats.place import Place, quoted
from diastole.edge.records import SECOND_NS, SampleKind

HEADER_LINES: Final = 2
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_S: Final = 4_500_000_000
_LONGEST: Final = 64
"""No time is spelt in so many letters."""
_RATES_HZ: Final = (0.1, 1000.0)
_LARGEST: Final = 1e12


class Signal(NamedTuple):
    """A raw file of the export, and how its numbers become ours."""

    file: str
    kind: SampleKind
    unit: str
    scale: float
    width: int


SIGNALS: Final = (
    Signal("bvp.csv", SampleKind.PPG, "1", 1.0, 1),
    Signal("acc.csv", SampleKind.ACC, "mg", 1000 / 64, 3),
)


def moment_ns(text: str) -> int | None:
    """Time that a header or a tag states: seconds since the epoch, or ISO, UTC without a zone."""
    text = text.strip()
    if len(text) > _LONGEST:
        return None
    try:
        seconds = Decimal(text)
    except DecimalException:
        pass
    else:
        known = seconds.is_finite() and abs(seconds) < _LATEST_S
        return int(seconds * SECOND_NS) if known else None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    since = (moment - _EPOCH) // timedelta(microseconds=1) * 1000
    return since if abs(since) < _LATEST_S * SECOND_NS else None


def start_of(place: Place, name: str) -> int | None:
    """Time in the first line of a file; None where the file is missing or empty."""
    line = place.first_line(name)
    if not line:
        return None
    start_ns = moment_ns(line.split(",")[0])
    if start_ns is None:
        what = f"{quoted(line)} is no start time"
        raise BadFile(place.where(name), what, "give the file as it was exported", 1)
    return start_ns


class RawFile:
    """A raw file while it is read."""

    def __init__(self, place: Place, signal: Signal, start_ns: int) -> None:
        self.signal = signal
        self.start_ns = start_ns
        self.index = 0
        self._where = place.where(signal.file)
        self._lines = islice(place.lines(signal.file), 1, None)
        rate = next(self._lines, "")
        self._peek()
        self._rate_hz = 1.0 if self._ended else self._read_rate(rate)

    @property
    def next_ns(self) -> int | None:
        """Time of the sample that comes next, None at the end."""
        return None if self._ended else self._time_ns(self.index)

    @property
    def last_ns(self) -> int | None:
        """Time of the last sample that was taken."""
        return self._time_ns(self.index - 1) if self.index else None

    def take(self, until_ns: int) -> SampleRun | None:
        """Return the samples before ``until_ns``, None where there are none."""
        count = self._samples_before(until_ns) - self.index
        if count <= 0 or self._ended:
            return None
        values = self._parse([self._ahead, *islice(self._lines, count - 1)])
        index = self.index
        self.index += len(values)
        self._peek()
        kind, unit = self.signal.kind, self.signal.unit
        return SampleRun(0, kind, unit, self._rate_hz, self.start_ns, index, values)

    def _time_ns(self, index: int) -> int:
        return self.start_ns + int(sample_offsets_ns(np.array([index]), self._rate_hz)[0])

    def _samples_before(self, until_ns: int) -> int:
        """Return how many samples of the run were taken before ``until_ns``."""
        guess = int((until_ns - self.start_ns) * self._rate_hz / SECOND_NS)
        nearby = np.arange(max(guess - 2, 0), max(guess + 3, 0))
        times = self.start_ns + sample_offsets_ns(nearby, self._rate_hz)
        return max(guess - 2, 0) + int((times < until_ns).sum())

    def _read_rate(self, line: str) -> float:
        try:
            rate_hz = float(line.split(",", maxsplit=1)[0])
        except ValueError:
            rate_hz = 0.0
        if not _RATES_HZ[0] <= rate_hz <= _RATES_HZ[1]:
            what = f"{quoted(line)} is no sampling rate"
            raise BadFile(self._where, what, "give the file as it was exported", HEADER_LINES)
        return rate_hz

    def _peek(self) -> None:
        """Look one line ahead; blank lines at the end are no samples."""
        self._ahead = next(self._lines, "")
        self._ended = not self._ahead.strip() and not any(map(str.strip, self._lines))

    def _parse(self, lines: list[str]) -> Floats:
        width = self.signal.width
        commas = width - 1
        try:
            if any(line.count(",") != commas for line in lines):
                raise ValueError
            values = np.array(list(map(float, ",".join(lines).split(","))))
        except ValueError:
            values = np.full(1, np.nan)
        if not (np.abs(values) < _LARGEST).all():
            values = self._parse_slowly(lines)
        values = values * self.signal.scale
        return values if width == 1 else values.reshape(-1, width)

    def _parse_slowly(self, lines: list[str]) -> Floats:
        """Find the line that is no sample; what follows the last sample may be blank."""
        rows: list[list[float]] = []
        for number, line in enumerate(lines, HEADER_LINES + 1 + self.index):
            try:
                row = list(map(float, line.split(",")))
            except ValueError:
                row = []
            if len(row) != self.signal.width or not all(abs(value) < _LARGEST for value in row):
                if not any(map(str.strip, lines[len(rows) :])):
                    break
                what = f"{quoted(line)} in place of a number"
                raise BadFile(self._where, what, "correct or remove the line", number)
            rows.append(row)
        return np.array(rows, float).ravel()


def raw_files(place: Place, notes: Counter[str]) -> Iterator[RawFile]:
    """Open the raw files that hold samples."""
    for signal in SIGNALS:
        start_ns = start_of(place, signal.file)
        if start_ns is not None:
            raw = RawFile(place, signal, start_ns)
            if raw.next_ns is None:
                notes[f"{signal.file} holds a header and no samples"] += 1
            yield raw
        elif signal.file in place:
            notes[f"{signal.file} is empty"] += 1
