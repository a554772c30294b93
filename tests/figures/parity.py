"""How far the two feature engines differ: ``make parity`` prints it.

``python -m tests.figures.parity [--windows N | --all]``

Real sessions: of each and of each length, N windows spread evenly over those that hold beats (their
CPU time is compared) and N over those that hold all that the features ask for. Odd windows are
those of the tests (holes, ties, doubled beats, ramps, near-constant intervals), the same each time.
A difference is relative or in the feature's unit, whichever is less.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from diastole.edge.chunks import BEAT_KINDS, Bools, Floats, Ints, Rows, join
from diastole.edge.features import Engine, engine
from diastole.edge.features.validity import evidence, supported
from diastole.edge.formats.finding import open_recording
from diastole.edge.pipeline.windows import covered_ns, spans
from diastole.edge.records import SECOND_NS, BeatKind
from diastole.edge.schema import (
    FEATURES_60S,
    FEATURES_300S,
    HOP_S,
    LONG_HOP_S,
    LONG_WINDOW_S,
    WINDOW_S,
    Feature,
)
from tests.features.agreement import TOLERANCE, absolute, missed, relative
from tests.features.strategies import FEW, FIVE_MINUTES, MINUTE, Windows, windows

DATA: Final = Path(__file__).parents[3] / "shared" / "data"
SETS: Final = ("stress-predict", "hongn", "mmash")
DEVICE_KINDS: Final = tuple(BEAT_KINDS.index(kind) for kind in (BeatKind.RR, BeatKind.PPI))
ODD: Final = 300
"""Draws of up to three odd windows, for each length."""


@dataclass(frozen=True, slots=True)
class Length:
    """Windows of one length, and what is computed of them."""

    spec: tuple[Feature, ...]
    window_s: int
    hop_s: int
    odd: st.SearchStrategy[int]


LENGTHS: Final = (
    Length(FEATURES_60S, WINDOW_S, HOP_S, FEW | MINUTE),
    Length(FEATURES_300S, LONG_WINDOW_S, LONG_HOP_S, FIVE_MINUTES),
)


@dataclass(slots=True)
class Tally:
    """What was compared for one feature."""

    windows: int = 0
    values: int = 0
    missed: int = 0
    differ: int = 0
    relative: float = 0.0
    absolute: float = 0.0
    lesser: float = 0.0

    def add(self, ours: Floats, defining: Floats) -> None:
        """Take in the values of some windows."""
        in_unit, share = absolute(ours, defining), relative(ours, defining)
        self.windows += len(ours)
        self.values += int(np.isfinite(defining).sum())
        self.missed += int(missed(ours, defining).sum())
        lesser = np.minimum(in_unit, share)
        self.differ += int((lesser > TOLERANCE).sum())
        self.lesser = max(self.lesser, lesser.max(initial=0.0))
        self.relative = max(self.relative, share.max(initial=0.0))
        self.absolute = max(self.absolute, in_unit.max(initial=0.0))


@dataclass(slots=True)
class Parity:
    """Both engines, and how they compare."""

    ours: Engine = field(default_factory=lambda: engine("vectorised"))
    defining: Engine = field(default_factory=lambda: engine("neurokit"))
    tallies: dict[str, Tally] = field(default_factory=dict)

    def compare(self, spec: tuple[Feature, ...], batch: Windows) -> float:
        """Take in windows; return the defining engine's CPU seconds."""
        mine = self.ours.compute(spec, *batch.columns())
        start = time.process_time()
        theirs = self.defining.compute(spec, *batch.columns())
        taken = time.process_time() - start
        for column, feature in enumerate(spec):
            tally = self.tallies.setdefault(feature.name, Tally())
            tally.add(mine[:, column], theirs[:, column])
        return taken


@dataclass(slots=True)
class Speed:
    """CPU seconds of each engine for all windows, the defining one's judged from a sample."""

    windows: int = 0
    sampled: int = 0
    ours_s: float = 0.0
    defining_s: float = 0.0


def recordings() -> Iterator[Path]:
    """All real sessions beside the project."""
    for name in SETS:
        yield from sorted((DATA / name).rglob("*.zip"))


def beats_of(path: Path) -> Iterator[Rows]:
    """Device beats of 300 to 2000 ms in a session, those of one kind and device apart."""
    rows = join(list(open_recording(path).chunks())).beats
    rows = rows[(rows["rr_ms"] >= 300) & (rows["rr_ms"] <= 2000)]
    for device in np.unique(rows["device"]):
        for kind in DEVICE_KINDS:
            alike = rows[(rows["device"] == device) & (rows["kind"] == kind)]
            if len(alike):
                yield alike


def windows_of(rows: Rows, length: Length) -> Windows:
    """All windows at UTC multiples of the hop that hold a beat."""
    hop_ns, span_ns = length.hop_s * SECOND_NS, length.window_s * SECOND_NS
    first, last = int(rows["time_ns"][0]) // hop_ns, int(rows["time_ns"][-1] + span_ns) // hop_ns
    ends = np.arange(first, last + 1) * hop_ns
    low, high = spans(rows["time_ns"], ends, span_ns)
    low, high, ends = low[high > low], high[high > low], ends[high > low]
    covered = covered_ns(rows, low, high, ends - span_ns)
    return Windows(
        np.ascontiguousarray(rows["rr_ms"]),
        np.ascontiguousarray(rows["time_ns"]),
        low,
        high,
        covered,
    )


def spread(among: Bools, count: int | None) -> Ints:
    """Places of ``count`` true flags, evenly spread; of all where it is None."""
    places = np.flatnonzero(among)
    if count is None or len(places) <= count:
        return places
    return places[np.linspace(0, len(places) - 1, count).astype(np.int64)]


def chosen(every: Windows, places: Ints) -> Windows:
    """Take the windows at those places."""
    return Windows(
        every.rr_ms,
        every.end_ns,
        every.low[places],
        every.high[places],
        every.covered_ns[places],
    )


def compare_real(parity: Parity, speed: Speed, length: Length, rows: Rows, n: int | None) -> None:
    """Compare windows of one session; time ours on all of them, the other on the even spread."""
    every = windows_of(rows, length)
    start = time.process_time()
    parity.ours.compute(length.spec, *every.columns())
    speed.ours_s += time.process_time() - start
    even = spread(np.ones(len(every.low), np.bool_), n)
    taken = parity.compare(length.spec, chosen(every, even))
    speed.defining_s += taken * len(every.low) / len(even)
    speed.windows += len(every.low)
    speed.sampled += len(even)
    if n is not None:
        whole: Bools = np.logical_and.reduce(
            supported(length.spec, evidence(*every.columns())), axis=1
        )
        parity.compare(length.spec, chosen(every, spread(whole, n)))


def compare_odd(parity: Parity, length: Length) -> None:
    """Compare windows as no heart would send them."""

    @seed(1)
    @settings(
        max_examples=ODD,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(windows(length.odd, length.window_s))
    def draws(odd: Windows) -> None:
        parity.compare(length.spec, odd)

    draws()


def printed(title: str, parity: Parity) -> bool:
    """Print a table; return whether nothing differs."""
    print(f"\n{title}")
    print(f"{'feature':16}{'windows':>9}{'values':>9}{'relative':>10}{'in unit':>9}", end="")
    print(f"{'lesser':>9}{'over 1e-9':>11}{'NaN missed':>12}")
    for name, tally in parity.tallies.items():
        print(
            f"{name:16}{tally.windows:9}{tally.values:9}{tally.relative:10.1e}"
            f"{tally.absolute:9.1e}{tally.lesser:9.1e}{tally.differ:11}{tally.missed:12}"
        )
    return not any(tally.missed or tally.differ for tally in parity.tallies.values())


def printed_speed(length: Length, speed: Speed) -> None:
    """Print the CPU time of each engine, a window."""
    ours, theirs = speed.ours_s / speed.windows, speed.defining_s / speed.windows
    print(
        f"{length.window_s} s: vectorised {ours * 1e6:.1f} us a window ({speed.windows}), "
        f"NeuroKit2 {theirs * 1e3:.2f} ms (of {speed.sampled}): x{theirs / ours:.0f}"
    )


def main() -> int:
    """Print parity and speed; return 1 where the engines differ."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    how_many = parser.add_mutually_exclusive_group()
    how_many.add_argument("--windows", type=int, default=4, help="of a session, length and choice")
    how_many.add_argument("--all", action="store_true", help="some 11 CPU minutes")
    options = parser.parse_args()
    count = None if options.all else options.windows
    real, odd = Parity(), Parity()
    speeds = [Speed() for _ in LENGTHS]
    sessions = list(recordings())
    for length in LENGTHS:
        compare_odd(odd, length)
    for path in sessions:
        for rows in beats_of(path):
            for length, speed in zip(LENGTHS, speeds, strict=True):
                compare_real(real, speed, length, rows, count)
    same = printed(f"Real windows of {len(sessions)} sessions", real)
    same = printed("Odd windows", odd) and same
    print("\nCPU time on real windows; both engines skip what the rules make NaN")
    for length, speed in zip(LENGTHS, speeds, strict=True):
        printed_speed(length, speed)
    print("\nThe engines agree" if same else "\nTHE ENGINES DIFFER")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
