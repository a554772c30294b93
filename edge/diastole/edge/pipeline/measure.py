"""What each window shows: the choice of its source, the gate on variability, the features."""

from dataclasses import dataclass

import numpy as np

from diastole.edge.chunks import HEART_RATE_KINDS, Bools, Floats, Ints, Rows, rr_ns
from diastole.edge.features import Engine
from diastole.edge.pipeline.gate import variability_is_sound
from diastole.edge.pipeline.observations import GRADES, NO_SOURCE, SOURCES
from diastole.edge.pipeline.rules import Rules
from diastole.edge.pipeline.verdicts import ACCEPTED
from diastole.edge.pipeline.windows import (
    LONG_NS,
    WINDOW_NS,
    Windows,
    covered_ns,
    spans,
)
from diastole.edge.records import SECOND_NS, BeatKind, Grade, HeartRateKind
from diastole.edge.schema import (
    FEATURE_NAMES,
    FEATURES_60S,
    FEATURES_300S,
    LONG_HOP_S,
    WINDOW_S,
)

BEATS, HEART_RATE = GRADES.index(Grade.BEATS), GRADES.index(Grade.HEART_RATE)
HR_MEAN = FEATURE_NAMES.index("hr_mean_bpm")
SHORT = slice(0, len(FEATURES_60S))
LONG = slice(len(FEATURES_60S), None)
PPG = SOURCES.index(BeatKind.PPG)
SPECTRAL, DEVICE = (SOURCES.index(kind) for kind in HeartRateKind)
PLAUSIBLE_BPM = (25.0, 250.0)
"""A device's heart rate outside is no heart rate (0 is the usual word for "none")."""


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """N windows of one device: what was chosen and what it shows."""

    device: str
    ends_ns: Ints
    source: Ints
    """Places in SOURCES."""
    grade: Ints
    """Places in GRADES."""
    beats: Ints
    coverage: Floats
    hr_bpm: Floats
    """Heart rate from whole nanoseconds, the same however windows are batched; NaN: none."""
    features: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Source:
    """One kind's offer to N windows."""

    place: int
    coverage: Floats
    beats: Ints
    hr_bpm: Floats


def measure(windows: Windows, engine: Engine, rules: Rules) -> Measured:
    """Choose each window's source and compute what it shows."""
    offers = [_beats_offer(windows, kind) for kind in BeatKind]
    offers += [_rate_offer(windows, kind) for kind in HeartRateKind]
    n = len(windows.ends_ns)
    chosen = _chosen([offer.coverage for offer in offers], rules)
    rows = np.arange(n)
    coverage = np.stack([offer.coverage for offer in offers])[chosen, rows]
    source = np.where(coverage > 0, chosen, NO_SOURCE)
    beats = np.stack([offer.beats for offer in offers])[chosen, rows]
    hr_bpm = np.stack([offer.hr_bpm for offer in offers])[chosen, rows]
    enough = coverage >= rules.min_coverage
    grade = np.where((chosen < len(BeatKind)) & enough, BEATS, HEART_RATE)
    features = np.full((n, len(FEATURE_NAMES)), np.nan)
    for place, kind in enumerate(BeatKind):
        mine = np.flatnonzero(source == place)
        if len(mine):
            sound = _beats_features(windows, kind, mine, enough[mine], engine, features)
            grade[mine[~sound]] = HEART_RATE
    by_rate = source >= len(BeatKind)
    features[by_rate, HR_MEAN] = hr_bpm[by_rate]
    return Measured(
        windows.device, windows.ends_ns, source, grade, beats, coverage, hr_bpm, features
    )


def _chosen(coverages: list[Floats], rules: Rules) -> Ints:
    """Return for each window the first kind in order that covers enough, else the one with most.

    Our pulses, our track and the device's average come after whatever is better covered.
    """
    coverage = np.stack(coverages)
    asked = np.full(len(coverages), rules.min_coverage)
    asked[PPG], asked[SPECTRAL], asked[DEVICE] = rules.pulse_coverage, rules.track_coverage, np.inf
    well, enough = coverage >= asked[:, None], coverage >= rules.min_coverage
    some = np.where(enough.any(0), enough.argmax(0), coverage.argmax(0))
    first: Ints = np.where(well.any(0), well.argmax(0), some)
    return first


def _beats_offer(windows: Windows, kind: BeatKind) -> _Source:
    n = len(windows.ends_ns)
    place = SOURCES.index(kind)
    rows = windows.beats.get(kind)
    if rows is None:
        return _Source(place, np.zeros(n), np.zeros(n, np.int64), np.full(n, np.nan))
    rows = rows[rows["verdict"] == ACCEPTED]
    low, high = spans(rows["time_ns"], windows.ends_ns, WINDOW_NS)
    covered = covered_ns(rows, low, high, windows.ends_ns - WINDOW_NS)
    total = np.concatenate(([0], np.cumsum(rr_ns(rows["rr_ms"]))))
    beats = high - low
    with np.errstate(invalid="ignore", divide="ignore"):
        hr = np.where(beats > 0, 60 * SECOND_NS * beats / (total[high] - total[low]), np.nan)
    return _Source(place, covered / WINDOW_NS, beats, hr)


def _rate_offer(windows: Windows, kind: HeartRateKind) -> _Source:
    """Offer a kind of heart rate; the device's average only where there is no track of ours.

    What it averaged is the raw signal that the track does not trust.
    """
    n = len(windows.ends_ns)
    rows = windows.heart_rates
    low_bpm, high_bpm = PLAUSIBLE_BPM
    with np.errstate(invalid="ignore"):
        good = (rows["hr_bpm"] >= low_bpm) & (rows["hr_bpm"] <= high_bpm)
    good &= (rows["kind"] == HEART_RATE_KINDS.index(kind)) & (rows["contact"] != 0)
    rows = rows[good]
    times = rows["time_ns"]
    low, high = spans(times, windows.ends_ns, WINDOW_NS)
    second = -(-times // SECOND_NS)
    new = np.concatenate(([0], np.cumsum(np.diff(second, prepend=np.iinfo(np.int64).min) != 0)))
    # integers: a mean must not depend on where the chunk was cut
    milli = np.concatenate(([0], np.cumsum(np.rint(rows["hr_bpm"] * 1e6).astype(np.int64))))
    count = high - low
    with np.errstate(invalid="ignore", divide="ignore"):
        hr = np.where(count > 0, (milli[high] - milli[low]) / (count * 1e6), np.nan)
    coverage = (new[high] - new[low]) / WINDOW_S
    if kind is HeartRateKind.DEVICE:
        ours = windows.heart_rates[
            windows.heart_rates["kind"] == HEART_RATE_KINDS.index(HeartRateKind.SPECTRAL)
        ]
        first, last = spans(ours["time_ns"], windows.ends_ns, WINDOW_NS)
        coverage[last > first], hr[last > first] = 0.0, np.nan
    return _Source(SOURCES.index(kind), coverage, np.zeros(n, np.int64), hr)


def _beats_features(
    windows: Windows, kind: BeatKind, mine: Ints, enough: Bools, engine: Engine, features: Floats
) -> Bools:
    """Fill the features of the windows ``mine``; return where their variability is sound."""
    rows = windows.beats[kind]
    ends = windows.ends_ns[mine]
    sound = enough & variability_is_sound(rows, *spans(rows["time_ns"], ends, WINDOW_NS))
    accepted = rows[rows["verdict"] == ACCEPTED]
    short = _computed(accepted, ends, WINDOW_NS, engine, SHORT)
    anchors, back = np.unique(ends // (LONG_HOP_S * SECOND_NS), return_inverse=True)
    anchors *= LONG_HOP_S * SECOND_NS
    steady = variability_is_sound(rows, *spans(rows["time_ns"], anchors, LONG_NS))
    long = _computed(accepted, anchors, LONG_NS, engine, LONG)
    long[~steady] = np.nan
    features[mine, SHORT] = short
    features[mine, LONG] = long[back]
    unsound = mine[~sound]
    features[np.ix_(unsound, np.flatnonzero(np.arange(len(FEATURE_NAMES)) != HR_MEAN))] = np.nan
    return sound


def _computed(rows: Rows, ends_ns: Ints, length_ns: int, engine: Engine, part: slice) -> Floats:
    low, high = spans(rows["time_ns"], ends_ns, length_ns)
    covered = covered_ns(rows, low, high, ends_ns - length_ns)
    spec = FEATURES_300S if part is LONG else FEATURES_60S
    return engine.compute(
        spec,
        np.ascontiguousarray(rows["rr_ms"]),
        np.ascontiguousarray(rows["time_ns"]),
        low,
        high,
        covered,
    )
