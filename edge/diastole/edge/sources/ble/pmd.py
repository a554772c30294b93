"""Polar's measurement service, bytes only: commands, replies, and frames of data.

All numbers are little-endian. Layout: polar-ble-sdk, whose unit tests hold the frames.
"""

import struct
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import numpy as np

from diastole.edge.chunks import Floats, Ints
from diastole.edge.sources.ble.protocol import Refused, Undecodable

SERVICE: Final = "fb005c80-02e7-f387-1cad-8acd2d8df0c8"
CONTROL: Final = "fb005c81-02e7-f387-1cad-8acd2d8df0c8"
DATA: Final = "fb005c82-02e7-f387-1cad-8acd2d8df0c8"

ECG, ACC, PPI = 0, 2, 3
GET, START, STOP = 1, 2, 3
OK, ALREADY = 0, 6

LONGEST: Final = 1000
"""More samples than any packet holds of an honest device."""
_REPLY, _FEATURES, _ENDED = 0xF0, 0x0F, 0x01
_TYPE_MASK: Final = 0x3F
_COMPRESSED: Final = 0x80
_DATA_HEAD: Final = struct.Struct("<BQB")
_SETTINGS: Final = {
    0: ("sample_rate", "H"),
    1: ("resolution", "H"),
    2: ("range", "H"),
    3: ("range_milliunit", "i"),
    4: ("channels", "B"),
    5: ("factor", "f"),
}
_NUMBERS: Final = {name: (number, code) for number, (name, code) in _SETTINGS.items()}

Settings = dict[str, tuple[float, ...]]


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The device's answer to a command."""

    op: int
    measurement: int
    status: int
    more: bool
    """The rest comes in a further reply."""
    parameters: bytes


class Features(msgspec.Struct, frozen=True, kw_only=True):
    """What the device can measure."""

    measurements: frozenset[int]


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """The device has stopped measuring by itself."""

    measurements: frozenset[int]


class PpiSample(msgspec.Struct, frozen=True, kw_only=True):
    """One pulse-to-pulse interval."""

    hr_bpm: int
    pp_ms: int
    error_ms: int
    blocker: bool
    """Movement spoilt it."""
    contact: bool | None
    """None: the device does not feel for skin."""


class Ppi(msgspec.Struct, frozen=True, kw_only=True):
    """A batch of pulse-to-pulse intervals, oldest first."""

    stamp_ns: int
    """Of the last sample, since 2000 by the device's clock; 0: not said."""
    samples: tuple[PpiSample, ...]
    odd_bytes: int


class Acc(msgspec.Struct, frozen=True, kw_only=True):
    """Acceleration as it was sent; ``xyz`` is (n, 3)."""

    stamp_ns: int
    frame_type: int
    compressed: bool
    xyz: Ints

    def in_mg(self, factor: float) -> Floats:
        """Return the samples in mg; ``factor`` stands in the reply to the start."""
        sent = self.xyz.astype(np.float64)
        if not self.compressed:
            return sent
        return sent * (factor * 1000 if self.frame_type == 0 else factor)


class Ecg(msgspec.Struct, frozen=True, kw_only=True):
    """Another program may have asked for an ECG: microvolts."""

    stamp_ns: int
    microvolts: Ints


def command(op: int, measurement: int, settings: Mapping[str, float] | None = None) -> bytes:
    """Return a command, with one value of each setting."""
    sent = bytes([op, measurement])
    for name, value in (settings or {}).items():
        number, code = _NUMBERS[name]
        sent += struct.pack(f"<BB{code}", number, 1, value if code == "f" else int(value))
    return sent


def control(data: bytes) -> Reply | Features | Ended:
    """Return what the control point says; raise Undecodable."""
    if not data:
        raise Undecodable(Refused.CUT, data)
    if data[0] == _REPLY:
        if len(data) < 4:
            raise Undecodable(Refused.CUT, data)
        good = data[3] == OK
        return Reply(
            op=data[1],
            measurement=data[2] & _TYPE_MASK,
            status=data[3],
            more=good and len(data) > 4 and data[4] != 0,
            parameters=data[5:] if good else b"",
        )
    if data[0] == _FEATURES:
        bits = int.from_bytes(data[1:], "little")
        return Features(measurements=frozenset(n for n in range(8) if bits >> n & 1))
    if data[0] == _ENDED:
        return Ended(measurements=frozenset(n & _TYPE_MASK for n in data[1:]))
    raise Undecodable(Refused.UNKNOWN, data)


def settings(data: bytes) -> Settings:
    """Return the values that each setting can have; what is unknown ends them."""
    found: Settings = {}
    at = 0
    while at + 2 <= len(data) and data[at] in _SETTINGS:
        name, code = _SETTINGS[data[at]]
        values = f"<{data[at + 1]}{code}"
        if at + 2 + struct.calcsize(values) > len(data):
            raise Undecodable(Refused.CUT, data)
        found[name] = struct.unpack_from(values, data, at + 2)
        at += 2 + struct.calcsize(values)
    return found


def decode(data: bytes) -> Ppi | Acc | Ecg:
    """Return a frame of data; raise Undecodable."""
    if len(data) < _DATA_HEAD.size:
        raise Undecodable(Refused.CUT, data)
    measurement, stamp_ns, frame = _DATA_HEAD.unpack_from(data)
    compressed, frame = frame & _COMPRESSED != 0, frame & ~_COMPRESSED
    body = data[_DATA_HEAD.size :]
    match measurement & _TYPE_MASK, frame, compressed:
        case (3, 0, False):
            n, odd = divmod(len(body), 6)
            samples = tuple(_ppi(body[6 * i : 6 * i + 6]) for i in range(n))
            return Ppi(stamp_ns=stamp_ns, samples=samples, odd_bytes=odd)
        case (0, 0, False):
            return Ecg(stamp_ns=stamp_ns, microvolts=_numbers(body, 3, 1, data)[:, 0])
        case (2, 0 | 1 | 2, False):
            xyz = _numbers(body, frame + 1, 3, data)
        case (2, 0 | 1, True):
            xyz = _unpacked(body, data)
        case _:
            raise Undecodable(Refused.UNKNOWN, data)
    return Acc(stamp_ns=stamp_ns, frame_type=frame, compressed=compressed, xyz=xyz)


def _ppi(sample: bytes) -> PpiSample:
    hr_bpm, pp_ms, error_ms, flags = struct.unpack("<BHHB", sample)
    return PpiSample(
        hr_bpm=hr_bpm,
        pp_ms=pp_ms,
        error_ms=error_ms,
        blocker=bool(flags & 1),
        contact=bool(flags & 2) if flags & 4 else None,
    )


def _numbers(body: bytes, size: int, channels: int, whole: bytes) -> Ints:
    """Return signed numbers of ``size`` bytes, (n, channels)."""
    if not body or len(body) % (size * channels):
        raise Undecodable(Refused.CUT, whole)
    octets = np.frombuffer(body, np.uint8).reshape(-1, size).astype(np.int64)
    numbers = octets @ (1 << 8 * np.arange(size, dtype=np.int64))
    return _signed(numbers, 8 * size).reshape(-1, channels)


def _unpacked(body: bytes, whole: bytes) -> Ints:
    """Return a first sample of x, y, z and those that differ from it by packed steps."""
    steps: list[Ints] = [_numbers(body[:6], 2, 3, whole)]
    at = 6
    while at < len(body):
        bits, count = (*body[at : at + 2], 0)[:2]
        packed = body[at + 2 : at + 2 + -(-bits * count * 3 // 8)]
        if at + 2 > len(body) or 8 * len(packed) < bits * count * 3:
            raise Undecodable(Refused.CUT, whole)
        if bits > 32 or sum(map(len, steps)) + count > LONGEST:
            raise Undecodable(Refused.UNKNOWN, whole)
        steps.append(_steps(packed, bits, count))
        at += 2 + len(packed)
    return np.concatenate(steps).cumsum(axis=0)


def _steps(packed: bytes, bits: int, count: int) -> Ints:
    """Return ``count`` steps of x, y, z, each number in ``bits`` bits, lowest first."""
    if not bits:
        return np.zeros((count, 3), np.int64)
    loose = np.unpackbits(np.frombuffer(packed, np.uint8), bitorder="little")
    rows = loose[: bits * count * 3].reshape(-1, bits).astype(np.int64)
    return _signed(rows @ (1 << np.arange(bits, dtype=np.int64)), bits).reshape(-1, 3)


def _signed(numbers: Ints, bits: int) -> Ints:
    """Return two's complement of so many bits as numbers."""
    half = 1 << (bits - 1)
    return (numbers + half) % (2 * half) - half


def chosen(offered: Settings, wanted: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return of each setting the first wanted value that is offered, else the lowest offered."""
    return {
        name: next((v for v in wanted.get(name, ()) if v in values), min(values))
        for name, values in offered.items()
        if values and name != "factor"
    }
