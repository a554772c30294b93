"""Our own nouns as JSON, as another program hands them over: one a message, or a list of them."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from diastole.edge.records import (
    Beat,
    BeatKind,
    HeartRate,
    HeartRateKind,
    Mark,
    Motion,
    Record,
)
from diastole.edge.sources.reader import Said
from diastole.edge.wire import BadRecord, decode
from diastole.edge.wire.topics import NOBODY


class OwnRecords:
    """Reads our own nouns as JSON: one a message, or a list of them."""

    sensor: str | None = None
    trouble: str | None = None

    def __init__(self, device: str) -> None:
        self._device = device

    def read(self, payload: bytes) -> Said:
        """Return the records; what is wrong with single ones of a list is counted."""
        if not payload.lstrip().startswith(b"["):
            lines = [payload]
        else:
            try:
                lines = [bytes(r) for r in msgspec.json.decode(payload, type=list[msgspec.Raw])]
            except (msgspec.MsgspecError, ValueError, RecursionError) as error:
                raise BadRecord(str(error)) from None
        taken: list[Record] = []
        refused: Counter[str] = Counter()
        for line in lines:
            try:
                record = decode(line)
            except BadRecord:
                if len(lines) == 1:
                    raise
                refused["record"] += 1
                continue
            if isinstance(record, Beat | HeartRate | Motion | Mark):
                why = self._why_not(record)
            else:
                why = "kind"
            if why is None and isinstance(record, Record):
                taken.append(record)
            elif why is not None:
                refused[why] += 1
        return Said(taken, refused)

    def take_up(self, stamps_ns: Sequence[int]) -> None:
        """Need nothing: a record that comes again lies before ``until_ns``."""

    def _why_not(self, record: Beat | HeartRate | Motion | Mark) -> str | None:
        if record.device != (NOBODY if isinstance(record, Mark) else self._device):
            return "device"
        match record:
            case Beat(kind=BeatKind.PPG) | HeartRate(kind=HeartRateKind.SPECTRAL):
                return "kind"  # what we find ourselves in a raw signal
            case Beat():
                known = 0 < record.rr_ms <= 10_000 and (record.error_ms or 0) >= 0
                right = known and 0 <= (record.quality or 0) <= 1
            case HeartRate():
                right = record.hr_bpm is not None and 0 < record.hr_bpm <= 300
            case Motion():
                right = 0 <= record.activity_mg <= 1e5
                right = right and 0 <= (record.cadence_per_min or 0) <= 1000
            case _:
                right = True
        return None if right else "value"
