"""Beats and windows as no heart would send them."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from diastole.edge.chunks import Floats, Ints, rr_ns
from diastole.edge.records import SECOND_NS

MS = 1_000_000
GRIDS_MS = (None, 1000 / 1024, 1000 / 64, 1.0)
JITTERS_MS = (0.0, 1e-9, 1e-6, 1e-4, 1e-2, 0.4, 5.0, 40.0, 300.0)
SLOPES_MS = (-3.0, -0.02, 0.01, 0.1, 2.5)
STARTS_NS = (0, 1_700_000_000_123_456_789, -3_600_000_000_001)
DOUBLED_NS = (0, 1, 1000, MS, 50 * MS)
# To either side of where a rule turns: 10 ms for a pair, 3 s for a hole.
HOLES_NS = (-9 * MS, 10 * MS - 1, 10 * MS, 10 * MS + 1, 700 * MS, 3000 * MS, 3000 * MS + 1)
FEW = st.integers(0, 3)
MINUTE = st.integers(20, 110)
FIVE_MINUTES = st.integers(140, 400)


@dataclass(frozen=True, slots=True)
class Windows:
    """What an engine is called with, beside the features wanted."""

    rr_ms: Floats
    end_ns: Ints
    low: Ints
    high: Ints
    covered_ns: Ints

    def columns(self) -> tuple[Floats, Ints, Ints, Ints, Ints]:
        """Return the arguments in their order."""
        return self.rr_ms, self.end_ns, self.low, self.high, self.covered_ns

    def only(self, place: int) -> tuple[Floats, Ints, Ints, Ints, Ints]:
        """Return the arguments for one of the windows."""
        part = slice(place, place + 1)
        return self.rr_ms, self.end_ns, self.low[part], self.high[part], self.covered_ns[part]


def one_window(rr_ms: Floats, end_ns: Ints, covered_s: int) -> Windows:
    """Make one window of all the beats."""
    return Windows(
        rr_ms,
        end_ns,
        np.array([0]),
        np.array([len(rr_ms)]),
        np.array([covered_s * SECOND_NS]),
    )


@st.composite
def intervals(draw: st.DrawFn, beats: st.SearchStrategy[int]) -> Floats:
    """Draw intervals of 300 to 2000 ms: any, ties, near-constant ones and ramps, on any grid."""
    count = draw(beats)
    shape = draw(st.sampled_from(("any", "ties", "level", "ramp")))
    random = np.random.default_rng(draw(st.integers(0, 999)))
    if shape == "any":
        rr = np.resize(draw(st.lists(st.floats(300, 2000), min_size=1, max_size=40)), count)
    elif shape == "ties":
        few = draw(st.lists(st.integers(300, 2000), min_size=1, max_size=4))
        rr = random.choice(np.array(few, np.float64), count)
    else:
        slope = draw(st.sampled_from(SLOPES_MS)) if shape == "ramp" else 0.0
        rr = draw(st.floats(300, 2000)) + slope * np.arange(count)
        rr += draw(st.sampled_from(JITTERS_MS)) * random.standard_normal(count)
    grid = draw(st.sampled_from(GRIDS_MS))
    if grid is not None:
        rr = np.rint(rr / grid) * grid
    accepted: Floats = np.clip(rr, 300.0, 2000.0)
    return accepted


@st.composite
def ends(draw: st.DrawFn, rr_ms: Floats) -> Ints:
    """Draw ends of the intervals: with holes, doubled beats, or evenly spaced whatever they are."""
    steps = rr_ns(rr_ms)
    if draw(st.integers(0, 9)) == 0:
        steps[:] = draw(st.integers(300, 2000)) * MS
    elif len(steps):
        places = st.integers(0, len(steps) - 1)
        for place in draw(st.lists(places, max_size=4)):
            steps[place] += draw(st.sampled_from(HOLES_NS))
        if draw(st.integers(0, 3)) == 0:
            steps[draw(places)] = draw(st.sampled_from(DOUBLED_NS))
        if draw(st.integers(0, 9)) == 0:
            steps += draw(st.sampled_from(HOLES_NS))
    return np.cumsum(np.maximum(steps, 0))


@st.composite
def windows(draw: st.DrawFn, beats: st.SearchStrategy[int], span_s: int) -> Windows:
    """Draw up to three stretches of beats, each a window, most of them said to be covered."""
    rr, stamps, sizes = [np.empty(0)], [np.empty(0, np.int64)], []
    start = draw(st.sampled_from(STARTS_NS))
    for _ in range(draw(st.integers(0, 3))):
        part = draw(intervals(beats))
        stamps.append(start + draw(ends(part)))
        rr.append(part)
        sizes.append(len(part))
        start = int(stamps[-1][-1]) if len(part) else start
    covered = st.sampled_from((span_s, span_s, span_s, 50, 45, 30, 10, 0))
    high = np.cumsum(sizes, dtype=np.int64)
    return Windows(
        np.concatenate(rr),
        np.concatenate(stamps),
        high - np.array(sizes, np.int64),
        high,
        np.array([draw(covered) * SECOND_NS for _ in sizes], np.int64),
    )
