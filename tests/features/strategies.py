"""Beats and windows as no heart would send them."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from diastole.edge.chunks import Floats, Ints, rr_ns

MS = 1_000_000
GRIDS_MS = (None, 1000 / 1024, 1000 / 64, 1.0)
JITTERS_MS = (0.0, 1e-9, 1e-6, 1e-4, 1e-2, 0.4, 5.0, 40.0, 300.0)
STARTS_NS = (0, 1_700_000_000_123_456_789, -3_600_000_000_001)
# Beside the ends of each rule: 10 ms for a pair, 3 s for a hole.
DOUBLED_NS = (0, 1, 1000, MS, 50 * MS)
HOLES_NS = (-9 * MS, 10 * MS - 1, 10 * MS, 10 * MS + 1, 700 * MS, 3000 * MS, 3000 * MS + 1)


@dataclass(frozen=True, slots=True)
class Windows:
    """What an engine is called with, less the features."""

    rr_ms: Floats
    end_ns: Ints
    low: Ints
    high: Ints
    covered_ns: Ints

    def columns(self) -> tuple[Floats, Ints, Ints, Ints, Ints]:
        """Return the arguments in their order."""
        return self.rr_ms, self.end_ns, self.low, self.high, self.covered_ns


@st.composite
def intervals(draw: st.DrawFn, beats: st.SearchStrategy[int]) -> Floats:
    """Draw intervals of 300 to 2000 ms: any, ties, near-constant ones and ramps, on any grid."""
    count = draw(beats)
    shape = draw(st.sampled_from(("any", "ties", "jitter", "ramp")))
    if shape == "any":
        some = draw(st.lists(st.floats(300, 2000), min_size=1, max_size=40))
        rr = np.resize(some, count)
    elif shape == "ties":
        some = draw(st.lists(st.integers(300, 2000), min_size=1, max_size=4))
        rr = np.random.default_rng(draw(st.integers(0, 999))).choice(some, count)
    else:
        rr = np.full(count, draw(st.floats(300, 2000)))
        if shape == "ramp":
            rr += np.arange(count) * draw(st.sampled_from((-3.0, -0.02, 0.01, 0.1, 2.5)))
        noise = np.random.default_rng(draw(st.integers(0, 999))).standard_normal(count)
        rr += noise * draw(st.sampled_from(JITTERS_MS))
    grid = draw(st.sampled_from(GRIDS_MS))
    if grid is not None:
        rr = np.rint(rr / grid) * grid
    return np.clip(rr, 300.0, 2000.0)


@st.composite
def ends(draw: st.DrawFn, rr_ms: Floats) -> Ints:
    """Draw ends of the intervals: with holes, beats of equal time, or evenly spaced."""
    steps = rr_ns(rr_ms)
    if draw(st.integers(0, 9)) == 0:
        steps[:] = draw(st.integers(300, 2000)) * MS
    elif len(steps):
        places = st.integers(0, len(steps) - 1)
        for place in draw(st.lists(places, max_size=6)):
            steps[place] += draw(st.sampled_from(HOLES_NS))
        for place in draw(st.lists(places, max_size=3)):
            steps[place] = draw(st.sampled_from(DOUBLED_NS))
        if draw(st.integers(0, 9)) == 0:
            steps += draw(st.sampled_from(HOLES_NS))
    return draw(st.sampled_from(STARTS_NS)) + np.cumsum(np.maximum(steps, 0))


@st.composite
def windows(draw: st.DrawFn, beats: st.SearchStrategy[int], span_s: int) -> Windows:
    """Draw up to three stretches of beats, each a window said to be covered enough."""
    rr, times, sizes = [np.empty(0)], [np.empty(0, np.int64)], []
    last = draw(st.sampled_from(STARTS_NS))
    for _ in range(draw(st.integers(0, 3))):
        part = draw(intervals(beats))
        stamps = draw(ends(part))
        if len(stamps):
            stamps = stamps - stamps[0] + last + 400 * MS
            last = int(stamps[-1])
        rr.append(part)
        times.append(stamps)
        sizes.append(len(part))
    high = np.cumsum(sizes, dtype=np.int64)
    seconds = st.sampled_from((0, 10, 30, 45, 50, span_s))
    covered = [
        draw(seconds) * 1000 * MS if draw(st.integers(0, 4)) == 0 else span_s * 1000 * MS
        for _ in sizes
    ]
    return Windows(
        np.concatenate(rr),
        np.concatenate(times),
        high - np.array(sizes, np.int64),
        high,
        np.array(covered, np.int64),
    )
