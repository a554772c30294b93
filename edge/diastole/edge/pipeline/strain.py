"""Exertion, quiet and normal: they feed each other, so they walk a UTC minute at a time.

Exertion at a hop is told by the normal of the minute before; quiet hops of a minute enter the
normal when the minute is over. Exertion and its recovery never feed the normal.
"""

from dataclasses import dataclass
from math import log
from typing import Final

import msgspec
import numpy as np

from diastole.edge.chunks import Bools, Floats, Ints, Rows
from diastole.edge.pipeline.measure import Measured
from diastole.edge.pipeline.movement import Movement
from diastole.edge.pipeline.normal import (
    Counts,
    Range,
    enter,
    hr_bin,
    hr_range,
    rmssd_bin,
    rmssd_range,
)
from diastole.edge.pipeline.observations import SOURCES
from diastole.edge.pipeline.recent import Recent
from diastole.edge.pipeline.rules import Rules
from diastole.edge.records import MINUTE_NS

LONG_AGO: Final = -(2**62)
HOUR_NS: Final = 60 * MINUTE_NS
FIELDS: Final = np.dtype(
    [
        ("exertion", "?"),
        ("have", "i4"),
        ("hr_centre", "f8"),
        ("hr_spread", "f8"),
        ("rmssd_centre", "f8"),
        ("rmssd_spread", "f8"),
    ]
)


class State(msgspec.Struct, kw_only=True):
    """One device's normal, and what the running minute adds to it."""

    counts: Counts = msgspec.field(default_factory=Counts)
    minute: int = LONG_AGO
    """The minute of the last hop."""
    quiet: list[tuple[int, int, int]] = []
    """Quiet hops of that minute: place of the source, bins of heart rate and RMSSD."""
    last_hop_ns: int = LONG_AGO
    exertion_ns: int = LONG_AGO
    """The last hop of exertion itself, its tail apart."""
    recovered_ns: int = LONG_AGO
    """The last hop with the heart rate back."""
    motion_ns: int = LONG_AGO
    """The last hop with motion."""
    asleep: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Hops:
    """What the walk reads, N hops of one device."""

    ends_ns: Ints
    ln_hr: Floats
    source: Ints
    hr_bins: Ints
    rmssd_bins: Ints
    sustained: Bools
    rhythmic: Bools
    motion: Bools
    """Whether motion is known."""
    may_be_quiet: Bools
    rise_2min: Floats
    asleep: Bools


def hops_of(
    measured: Measured, recent: Recent, movement: Movement, rmssd_ms: Floats, rules: Rules
) -> Hops:
    """Gather what the walk needs."""
    motion = np.isfinite(movement.activity_mg)
    still = ~motion | (movement.activity_mg < rules.moving_mg)
    valid = np.isfinite(recent.ln_hr)
    covered = (measured.coverage >= rules.min_coverage) & (measured.coverage <= rules.max_coverage)
    # a rough heart rate tells work from none, and teaches nothing
    rough = ln(np.where(covered, measured.hr_bpm, np.nan))
    return Hops(
        measured.ends_ns,
        np.where(valid, recent.ln_hr, rough),
        measured.source,
        hr_bin(recent.ln_hr),
        rmssd_bin(ln(rmssd_ms)),
        movement.sustained,
        movement.rhythmic,
        motion,
        valid & still & ~movement.asleep,
        recent.rise_2min,
        movement.asleep,
    )


def ln(values: Floats) -> Floats:
    """Return the natural logarithm; NaN where the value is not above 0."""
    positive = np.isfinite(values) & (values > 0)
    result: Floats = np.where(positive, np.log(np.where(positive, values, 1.0)), np.nan)
    return result


def step(state: State, hops: Hops, rules: Rules) -> tuple[State, Rows]:
    """Walk the hops, minute by minute; give each one's exertion and the normal it is held to."""
    out = np.zeros(len(hops.ends_ns), FIELDS)
    minutes = -(-hops.ends_ns // MINUTE_NS)
    cuts = np.flatnonzero(np.diff(minutes)) + 1
    normal = _Normal(state.counts, rules)
    for part in np.split(np.arange(len(minutes)), cuts) if len(minutes) else ():
        here = slice(int(part[0]), int(part[-1]) + 1)
        state = _begin(state, hops, here.start, int(minutes[here.start]), rules)
        if state.counts is not normal.counts:
            normal = _Normal(state.counts, rules)
        state = _walk(state, hops, here, normal, out, rules)
    return state, out


class _Normal:
    """The normal of the minute before."""

    def __init__(self, counts: Counts, rules: Rules) -> None:
        self.rules = rules
        self.counts = counts
        self.hr = hr_range(counts, rules)
        self.by_source: dict[int, Range] = {}

    def rmssd(self, source: int) -> Range:
        if source not in self.by_source:
            self.by_source[source] = rmssd_range(self.counts, SOURCES[source], self.rules)
        return self.by_source[source]


def _begin(state: State, hops: Hops, first: int, minute: int, rules: Rules) -> State:
    """Return the state at a minute's first hop: the minute before entered, or the session over."""
    if minute == state.minute:  # it began in a chunk before; a cut ends no session
        return state
    end_ns = int(hops.ends_ns[first])
    counts, quiet = state.counts, state.quiet
    if quiet:
        for source in sorted({place for place, _, _ in quiet}):
            bins = np.array([cell for place, *cell in quiet if place == source])
            counts = enter(counts, SOURCES[source], bins[:, 0], bins[:, 1], state.last_hop_ns)
        quiet = []
    paused = end_ns - state.last_hop_ns > rules.normal_gap_h * HOUR_NS
    woke = state.asleep and not hops.asleep[first]
    unseen_ns = end_ns - max(counts.since_ns, state.motion_ns)
    aged = not hops.motion[first] and unseen_ns > rules.normal_without_motion_h * HOUR_NS
    if paused or woke or aged:
        counts, quiet = Counts(), []
    return msgspec.structs.replace(state, counts=counts, quiet=quiet, minute=minute)


def _walk(state: State, hops: Hops, here: slice, normal: _Normal, out: Rows, rules: Rules) -> State:
    """Tell exertion, its tail and quiet for the hops of one minute."""
    ends, ln_hr = hops.ends_ns[here], hops.ln_hr[here]
    above = ln_hr - normal.hr.centre
    known = state.counts.have >= rules.normal_need
    motion = hops.motion[here]
    raised = (above > log(rules.exertion_hr)) | (np.isnan(above) & (not known))
    by_motion = hops.rhythmic[here] | (hops.sustained[here] & raised)
    by_rate = above > log(rules.level_without_motion)
    by_rate |= hops.rise_2min[here] > log(rules.rise_without_motion)
    exertion = np.where(motion, by_motion, by_rate)
    worked_ns, back_ns = state.exertion_ns, state.recovered_ns
    if known:
        worked = _latest(ends, exertion, worked_ns)
        back = _latest(ends, above < log(rules.tail_hr), back_ns)
        worked_ns, back_ns = int(worked[-1]), int(back[-1])
        exertion |= (worked > back) & (ends - worked <= rules.tail_min * MINUTE_NS)
    places = np.flatnonzero(hops.may_be_quiet[here] & ~exertion) + here.start
    entered = np.stack([hops.source[places], hops.hr_bins[places], hops.rmssd_bins[places]], 1)
    _tell(out, hops, here, exertion, normal)
    return State(
        counts=state.counts,
        minute=state.minute,
        quiet=[*state.quiet, *map(tuple, entered.tolist())],
        last_hop_ns=int(ends[-1]),
        motion_ns=int(_latest(ends, motion, state.motion_ns)[-1]),
        exertion_ns=worked_ns,
        recovered_ns=back_ns,
        asleep=bool(hops.asleep[here.stop - 1]),
    )


def _latest(ends: Ints, holds: Bools, before_ns: int) -> Ints:
    """Return at each hop the end of the last one where it held."""
    latest: Ints = np.maximum(np.maximum.accumulate(np.where(holds, ends, LONG_AGO)), before_ns)
    return latest


def _tell(out: Rows, hops: Hops, here: slice, exertion: Bools, normal: _Normal) -> None:
    out["exertion"][here] = exertion
    out["have"][here] = normal.counts.have
    out["hr_centre"][here], out["hr_spread"][here] = normal.hr
    for place in np.unique(hops.source[here]).tolist():
        which = np.flatnonzero(hops.source[here] == place) + here.start
        centre, spread = normal.rmssd(place)
        out["rmssd_centre"][which], out["rmssd_spread"][which] = centre, spread
