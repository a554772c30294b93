"""Records of every kind, and chunks as a source cuts them."""

from math import isnan
from typing import Any, Final

import numpy as np
from hypothesis import strategies as st

from diastole.edge.chunks import Chunk
from diastole.edge.formats.objects import chunk_of
from diastole.edge.records import (
    MINUTE_NS,
    Beat,
    BeatKind,
    Break,
    BreakReason,
    Decision,
    Driver,
    Event,
    EventPhase,
    Grade,
    HeartRate,
    HeartRateKind,
    Mark,
    Motion,
    NormalStatus,
    Observation,
    Reading,
    Reason,
    Record,
    SampleKind,
    Samples,
    Status,
)
from diastole.edge.wire import Noun

WIDEST_NS: Final = 4 * 10**18
names = st.text("abz09-", min_size=1, max_size=8)
any_time = st.integers(-WIDEST_NS, WIDEST_NS)
finite = st.floats(allow_nan=False, allow_infinity=False)
maybe = st.none() | finite
flags = st.none() | st.booleans()
texts = st.text(max_size=12)
MANY = st.dictionaries(names, maybe, max_size=4)


def samples(
    times: st.SearchStrategy[int], devices: st.SearchStrategy[str]
) -> st.SearchStrategy[Samples]:
    """Stretches of one signal or of three axes."""
    numbers = st.lists(finite, min_size=1, max_size=6)
    triples = st.lists(st.tuples(finite, finite, finite), min_size=1, max_size=6)
    both: tuple[tuple[SampleKind, st.SearchStrategy[Any]], ...] = (
        (SampleKind.PPG, numbers),
        (SampleKind.ACC, triples),
    )
    return st.one_of(
        [
            st.builds(
                Samples,
                device=devices,
                time_ns=times,
                kind=st.just(kind),
                unit=st.just("mg" if kind is SampleKind.ACC else "1"),
                rate_hz=st.sampled_from([25.0, 64.0, 130.0]),
                values=values,
                index=st.integers(0, 1000),
            )
            for kind, values in both
        ]
    )


def records(
    times: st.SearchStrategy[int] = any_time, devices: st.SearchStrategy[str] = names
) -> st.SearchStrategy[Record]:
    """Anything that a device or a person hands in."""
    rows: list[st.SearchStrategy[Record]] = [
        st.builds(
            Beat,
            device=devices,
            time_ns=times,
            rr_ms=finite,
            kind=st.sampled_from(BeatKind),
            error_ms=maybe,
            contact=flags,
            moving=flags,
            quality=maybe,
        ),
        st.builds(
            HeartRate,
            device=devices,
            time_ns=times,
            hr_bpm=maybe,
            kind=st.sampled_from(HeartRateKind),
            contact=flags,
        ),
        st.builds(Motion, device=devices, time_ns=times, activity_mg=finite, cadence_per_min=maybe),
        st.builds(Break, device=devices, time_ns=times, reason=st.sampled_from(BreakReason)),
        st.builds(Mark, device=st.just("-"), time_ns=times, text=texts, by=texts),
    ]
    return st.one_of(*rows, samples(times, devices))


observed = {
    "device": names,
    "time_ns": any_time,
    "window_s": finite,
    "source": texts,
    "grade": st.sampled_from(Grade),
    "beats": st.integers(0, 1000),
    "coverage": finite,
    "features": MANY,
    "activity_mg": maybe,
    "still_min": finite,
    "exertion": st.booleans(),
    "asleep": st.booleans(),
    "inputs": MANY,
    "normal_status": st.sampled_from(NormalStatus),
    "normal_have": st.integers(0, 99),
    "normal_need": st.integers(0, 99),
    "normal_hr_low_bpm": maybe,
    "normal_hr_high_bpm": maybe,
    "normal_rmssd_low_ms": maybe,
    "normal_rmssd_high_ms": maybe,
    "utc_offset_min": st.integers(-840, 840),
    "simulated": st.booleans(),
}
judged = {
    "p_stress": maybe,
    "decision": st.sampled_from(Decision),
    "reason": st.none() | st.sampled_from(Reason),
    "able": st.booleans(),
    "model": st.none() | texts,
    "feature_schema": texts,
    "input_schema": texts,
}
events = st.builds(
    Event,
    id=texts,
    rev=st.integers(1, 9),
    phase=st.sampled_from(EventPhase),
    device=names,
    start_ns=any_time,
    end_ns=st.none() | any_time,
    end_reason=st.none() | texts,
    peak_p=finite,
    mean_p=finite,
    drivers=st.lists(st.builds(Driver, input=texts, value=finite, normal=maybe), max_size=3),
    recovery_s=maybe,
    notify=st.booleans(),
    notify_reason=st.none() | texts,
    simulated=st.booleans(),
)
nouns: st.SearchStrategy[Noun] = st.one_of(
    records(),
    st.builds(Observation, **observed),
    st.builds(Reading, **observed, **judged),
    events,
    st.builds(
        Status,
        device=names,
        time_ns=any_time,
        values=st.dictionaries(names, finite, max_size=3),
        text=st.dictionaries(names, texts, max_size=3),
    ),
)


@st.composite
def sessions(draw: st.DrawFn) -> list[Chunk]:
    """Chunks of one wearer in order: some records of each lie up to 14 min beyond until_ns."""
    devices = st.sampled_from(["strap", "watch"])
    since = draw(st.integers(-(10**15), 10**15)) * 1000
    chunks: list[Chunk] = []
    for _ in range(draw(st.integers(1, 4))):
        until = since + draw(st.integers(1, 40)) * MINUTE_NS
        times = st.integers(since, until + 14 * MINUTE_NS - 1)
        chunks.append(chunk_of(draw(st.lists(_first_samples(times, devices), max_size=8)), until))
        since = until
    return chunks


def _first_samples(
    times: st.SearchStrategy[int], devices: st.SearchStrategy[str]
) -> st.SearchStrategy[Record]:
    """Give records none of which begins before its time: raw samples start their run."""
    return records(times, devices).map(
        lambda record: (
            Samples(
                device=record.device,
                time_ns=record.time_ns,
                kind=record.kind,
                unit=record.unit,
                rate_hz=record.rate_hz,
                values=record.values,
            )
            if isinstance(record, Samples)
            else record
        )
    )


def in_order(chunk: Chunk) -> list[tuple[object, ...]]:
    """All rows of a chunk as tuples with devices by name, NaN as None, in a fixed order."""
    rows: list[tuple[object, ...]] = []
    for name in ("beats", "heart_rates", "motions", "breaks"):
        for row in getattr(chunk, name).tolist():
            values = [None if isinstance(value, float) and isnan(value) else value for value in row]
            rows.append((name, values[0], chunk.devices[row[1]], *values[2:]))
    for run in chunk.samples:
        for time_ns, value in zip(
            run.times_ns().tolist(), np.atleast_1d(run.values).tolist(), strict=True
        ):
            rows.append(
                (run.kind, time_ns, chunk.devices[run.device], run.unit, run.rate_hz, value)
            )
    rows += [("mark", mark.time_ns, mark.text, mark.by) for mark in chunk.marks]
    return sorted(rows, key=repr)
