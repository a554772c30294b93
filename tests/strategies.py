"""Invented wearers as chunks: what they did, minute by minute, and what went wrong with it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
from hypothesis import strategies as st

from diastole.edge.chunks import (
    BEAT,
    BEAT_KINDS,
    BREAK,
    BREAK_REASONS,
    COLUMNS,
    HEART_RATE,
    HEART_RATE_KINDS,
    MOTION,
    Chunk,
    Floats,
    Ints,
    Rows,
    SampleRun,
    by_time,
    join,
    rows_of,
    rr_ns,
)
from diastole.edge.records import (
    MINUTE_NS,
    SECOND_NS,
    BeatKind,
    BreakReason,
    HeartRateKind,
    Mark,
    SampleKind,
)

START_NS: Final = 1_700_000_040 * SECOND_NS
"""A whole UTC minute, and a multiple of 30 s."""
TICK_MS: Final = 1000 / 1024
ENDED: Final = BREAK_REASONS.index(BreakReason.ENDED)


class Stretch(NamedTuple):
    """Some minutes of one life; without ``activity_mg`` nothing is known of motion."""

    minutes: float
    bpm: float = 70.0
    swing_ms: float = 30.0
    """How far breathing swings an interval to either side."""
    activity_mg: float | None = None
    cadence_per_min: float = float("nan")


REST: Final = Stretch(5, 62, 40, 4)
STRESS: Final = Stretch(5, 88, 12, 6)
WALK: Final = Stretch(5, 105, 10, 120, 105)
FIDGET: Final = Stretch(5, 75, 25, 45)
CYCLE: Final = Stretch(5, 120, 8, 70)


def recording(
    *stretches: Stretch,
    device: str = "strap",
    kind: BeatKind = BeatKind.RR,
    seed: int = 0,
    start_ns: int = START_NS,
) -> Chunk:
    """Give one device's whole recording: it stops as a file does, with a Break at its end."""
    end_ns = start_ns + round(sum(part.minutes for part in stretches) * MINUTE_NS)
    rng = np.random.default_rng(seed)
    beats = beats_at(intervals(stretches, rng), start_ns, kind)
    return ended(
        Chunk(end_ns, (device,), beats=beats[beats["time_ns"] <= end_ns])
        if stretches[0].activity_mg is None
        else Chunk(
            end_ns,
            (device,),
            beats=beats[beats["time_ns"] <= end_ns],
            motions=motions(stretches, rng, start_ns),
        ),
        end_ns,
    )


def ended(chunk: Chunk, end_ns: int) -> Chunk:
    """Cut the future off at ``end_ns`` as a file's end leaves it: a Break of every device."""
    before, _ = replace(chunk, until_ns=end_ns + 1).split(end_ns + 1)
    n = len(before.devices)
    breaks = rows_of(BREAK, n, time_ns=end_ns, device=range(n), reason=ENDED)
    return replace(before, breaks=by_time(np.concatenate([before.breaks, breaks])))


def intervals(stretches: Sequence[Stretch], rng: np.random.Generator) -> Floats:
    """Give the stretches' beat intervals, on a strap's grid."""
    parts = []
    for part in stretches:
        n = round(part.minutes * part.bpm)
        swing = np.sin(np.arange(n) * 2 * np.pi / 4.6) + rng.normal(0, 0.25, n)
        parts.append(60_000 / part.bpm + part.swing_ms * swing)
    whole: Floats = np.round(np.concatenate(parts) / TICK_MS) * TICK_MS
    return whole


def beats_at(rr_ms: Floats, start_ns: int, kind: BeatKind = BeatKind.RR) -> Rows:
    """Give intervals that follow one another from ``start_ns`` on."""
    times = start_ns + np.cumsum(rr_ns(rr_ms))
    return rows_of(BEAT, len(rr_ms), time_ns=times, kind=BEAT_KINDS.index(kind), rr_ms=rr_ms)


def motions(stretches: Sequence[Stretch], rng: np.random.Generator, start_ns: int) -> Rows:
    """Give the seconds of the stretches that know of motion."""
    count = [round(part.minutes * 60) for part in stretches]
    level = np.repeat(
        [np.nan if p.activity_mg is None else p.activity_mg for p in stretches], count
    )
    cadence = np.repeat([part.cadence_per_min for part in stretches], count)
    rows = rows_of(
        MOTION,
        len(level),
        time_ns=start_ns + SECOND_NS * np.arange(1, len(level) + 1),
        activity_mg=level * np.exp(rng.normal(0, 0.2, len(level))),
        cadence_per_min=cadence,
    )
    known: Rows = rows[np.isfinite(level)]
    return known


def heart_rates(times_ns: Ints, hr_bpm: object, kind: HeartRateKind = HeartRateKind.DEVICE) -> Rows:
    """Give a device's heart rates."""
    place = HEART_RATE_KINDS.index(kind)
    return rows_of(HEART_RATE, len(times_ns), time_ns=times_ns, kind=place, hr_bpm=hr_bpm)


def without(chunk: Chunk, from_s: float, to_s: float, column: str = "beats") -> Chunk:
    """Take a hole, in seconds from ``START_NS``, out of one kind of record."""
    rows = getattr(chunk, column)
    at = (rows["time_ns"] - START_NS) / SECOND_NS
    return replace(chunk, **{column: rows[(at <= from_s) | (at > to_s)]})


def shifted(chunk: Chunk, by_ns: int) -> Chunk:
    """Move everything in time."""
    columns = {}
    for name in COLUMNS:
        rows = getattr(chunk, name).copy()
        rows["time_ns"] += by_ns
        columns[name] = rows
    return replace(chunk, until_ns=chunk.until_ns + by_ns, **columns)


def cut(chunk: Chunk, times_ns: Iterable[int]) -> list[Chunk]:
    """Cut a chunk at each of the times."""
    pieces = []
    for time_ns in sorted(times_ns):
        piece, chunk = chunk.split(time_ns)
        pieces.append(piece)
    return [*pieces, chunk]


# ---- what Hypothesis draws

stretches = st.builds(
    Stretch,
    st.sampled_from([0.5, 1.0, 2.0, 3.0]),
    st.sampled_from([48.0, 62.0, 70.0, 88.0, 120.0, 165.0]),
    st.sampled_from([0.0, 5.0, 30.0, 70.0]),
    st.sampled_from([0.0, 4.0, 34.9, 45.0, 120.0]),
    st.sampled_from([float("nan"), float("nan"), 30.0, 105.0]),
)


def _missed(rows: Rows, k: int) -> Rows:
    rows = rows.copy()
    rows["rr_ms"][k + 1] += rows["rr_ms"][k]
    return np.delete(rows, k)


def _doubled(rows: Rows, k: int) -> Rows:
    return np.insert(rows, k, rows[k])


def _all_doubled(rows: Rows, k: int) -> Rows:
    return by_time(np.concatenate([rows, rows[k:]]))


def _ectopic(rows: Rows, k: int) -> Rows:
    rows = rows.copy()
    early = round(0.35 * rows["rr_ms"][k] / TICK_MS) * TICK_MS
    rows["rr_ms"][k] -= early
    rows["rr_ms"][k + 1] += early
    rows["time_ns"][k] -= round(early * 1e6)
    return rows


def _hole(rows: Rows, k: int) -> Rows:
    return np.delete(rows, slice(k, k + 25))


def _flagged(column: str, value: float) -> Callable[[Rows, int], Rows]:
    def flag(rows: Rows, k: int) -> Rows:
        rows = rows.copy()
        rows[column][k : k + 4] = value
        return rows

    return flag


DEFECTS: Final = (
    _missed,
    _doubled,
    _all_doubled,
    _ectopic,
    _hole,
    _flagged("contact", 0),
    _flagged("moving", 1),
    _flagged("error_ms", 31.0),
    _flagged("quality", 0.3),
    _flagged("rr_ms", 0.0),
    _flagged("rr_ms", 2600.0),
)


@st.composite
def wearers(draw: st.DrawFn, most: int = 5) -> Chunk:
    """Draw a wearer of one or two devices, with defects, Breaks and perhaps no motion."""
    doing = draw(st.lists(stretches, min_size=1, max_size=most))
    chunk = recording(
        *doing,
        kind=draw(st.sampled_from(BEAT_KINDS)),
        seed=draw(st.integers(0, 999)),
        start_ns=START_NS + draw(st.sampled_from([0, 1, -(10**9), 7_123_456_789])),
    )
    for damage in draw(st.lists(st.sampled_from(DEFECTS), max_size=4)):
        if len(chunk.beats) > 40:  # some are left whatever is taken
            spoilt = damage(chunk.beats, draw(st.integers(0, len(chunk.beats) - 2)))
            chunk = replace(chunk, beats=by_time(spoilt))
    if draw(st.booleans()):
        chunk = replace(chunk, motions=chunk.motions[:0])
    if draw(st.booleans()):
        chunk = _broken(chunk, draw(st.floats(0.1, 0.9)))
    if draw(st.booleans()):
        chunk = with_watch(chunk, draw(st.sampled_from(["watch", "arm"])), draw(st.integers(0, 9)))
    return chunk


def _broken(chunk: Chunk, share: float) -> Chunk:
    at = chunk.beats["time_ns"][int(share * len(chunk.beats))]
    breaks = rows_of(BREAK, 1, time_ns=at, reason=BREAK_REASONS.index(BreakReason.LINK_LOST))
    return replace(chunk, breaks=by_time(np.concatenate([chunk.breaks, breaks])))


def with_watch(chunk: Chunk, device: str = "watch", seed: int = 0) -> Chunk:
    """Add a second device that gives a heart rate now and then, and its own motion."""
    first, last = int(chunk.beats["time_ns"][0]), chunk.until_ns
    times = np.arange(-(-first // SECOND_NS) * SECOND_NS, last, SECOND_NS)
    rng = np.random.default_rng(seed)
    kept = times[rng.random(len(times)) < 0.7]
    rates = heart_rates(kept, np.round(70 + 10 * rng.random(len(kept))))
    level = 4 + 60 * (rng.random(len(times)) < 0.3)
    watch = Chunk(
        last,
        (device,),
        heart_rates=rates,
        motions=rows_of(MOTION, len(times), time_ns=times, activity_mg=level),
    )
    return join([chunk, watch])


@st.composite
def cuts(draw: st.DrawFn, chunk: Chunk, most: int = 8) -> list[int]:
    """Draw where to cut: at records, between them, at hops and minutes, or anywhere."""
    first = int(chunk.beats["time_ns"][0])
    span = max(chunk.until_ns - first, 1)
    at = draw(st.lists(st.floats(0, 1), max_size=most))
    units = draw(
        st.lists(
            st.sampled_from([1, SECOND_NS, 5 * SECOND_NS, MINUTE_NS]),
            min_size=len(at),
            max_size=len(at),
        )
    )
    times = [
        (first + int(share * span)) // unit * unit for share, unit in zip(at, units, strict=True)
    ]
    return [time + draw(st.sampled_from([0, 0, 1])) for time in times]


@st.composite
def chunks(draw: st.DrawFn) -> Chunk:
    """Draw a chunk of all kinds of records, ties and early rows among them."""
    names = draw(st.permutations(["strap", "watch", "ring"]))
    devices = tuple(names[: draw(st.integers(1, 3))])
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    columns = {}
    for name, dtype in COLUMNS.items():
        steps = draw(st.lists(st.integers(0, 40), max_size=10))
        n = len(steps)
        rows = rows_of(dtype, n, time_ns=START_NS + np.sort(steps) * SECOND_NS // 4)
        rows["device"] = rng.integers(0, len(devices), n)
        for column in dtype.names or ():
            if dtype[column].kind == "f":
                rows[column] = np.where(rng.random(n) < 0.3, np.nan, rng.normal(800, 50, n))
        columns[name] = rows
    marks = sorted(draw(st.lists(st.integers(0, 10), max_size=3)))
    return Chunk(
        START_NS + draw(st.integers(-1, 11)) * SECOND_NS,
        devices,
        **columns,
        samples=tuple(
            _run(draw, rng, len(devices), place) for place in range(draw(st.integers(0, 3)))
        ),
        marks=tuple(
            Mark(device="-", time_ns=START_NS + s * SECOND_NS, text=f"{k}", by="wearer")
            for k, s in enumerate(marks)
        ),
    )


def _run(draw: st.DrawFn, rng: np.random.Generator, devices: int, place: int) -> SampleRun:
    kind = draw(st.sampled_from(SampleKind))
    n = draw(st.integers(1, 60))
    return SampleRun(
        device=draw(st.integers(0, devices - 1)),
        kind=kind,
        unit="mg" if kind is SampleKind.ACC else "1",
        rate_hz=draw(st.sampled_from([64.0, 32.0, 51.2, 700 / 3, 1000 / 7])),
        start_ns=START_NS + place,
        index=draw(st.sampled_from([0, 1, 123_457])),
        values=rng.normal(size=(n, 3) if kind is SampleKind.ACC else n),
    )
