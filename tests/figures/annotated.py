"""How well verdicts and gate do on beats that people have annotated: ``make figures`` prints it.

Truth: an interval is sinus where both its beats are N, L or R, nothing else (an artefact, a blocked
P wave) was annotated between them and it lasts 300 to 2000 ms; the true RMSSD of a window is that
of its successive sinus intervals. Faults are put into sinus runs: 1 % of beats missed, 1 % extra,
0.5 % displaced by 100 to 200 ms; one is found where an interval that it spoilt is refused. Atrial
fibrillation and paced records stand apart: their beats are called normal, and have no sinus rhythm.
"""

import argparse
import sys
import tempfile
import time
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import wfdb
from numpy.typing import NDArray

from diastole.edge.chunks import BEAT, Bools, Floats, Ints, Rows, rows_of, rr_ns
from diastole.edge.pipeline.gate import variability_is_sound
from diastole.edge.pipeline.rule import TOUCH_NS
from diastole.edge.pipeline.verdicts import ACCEPTED, judge
from diastole.edge.records import MINUTE_NS, SECOND_NS

BEATS: Final = Path(__file__).parents[3] / "shared" / "data" / "beats"
SETS: Final = {
    "mitdb": ("atr", 360),
    "svdb": ("atr", 128),
    "nsr2db": ("ecg", 128),
    "nsrdb": ("atr", 128),
}
"""Suffix of the annotations and their rate; nsr2db has no header that would tell it."""
FIBRILLATING: Final = frozenset({"203", "219", "222", "804", "866", "867", "893"})
PACED: Final = frozenset({"102"})
SWINGING: Final = frozenset({"113", "nsr014", "nsr051", "16265", "16539"})
"""Records of strong sinus arrhythmia."""
BEAT_SYMBOLS: Final = frozenset("NLRBAaJSVrFejnE/fQ?")
SINUS_SYMBOLS: Final = frozenset("NLR")
SPOILING_SYMBOLS: Final = frozenset("|x!")
TICKS: Final = 1024  # a second: stamps lie where a strap would put them
LEAST_PAIRS: Final = 15
LEAST_COVERAGE: Final = 0.5
NO_BREAKS: Final = np.empty(0, np.int64)


FAULTS: Final = ("missed", "extra", "displaced")


class Beats(NamedTuple):
    """Beats in ticks, and what is known of the interval that ends at each but the first."""

    ticks: Ints
    sinus: Bools
    fault: Ints
    """0, or 4 * (number of the fault) + 1 + (its place in ``FAULTS``)."""

    def rows(self) -> Rows:
        """Give the intervals as a pipeline takes them."""
        ends = np.rint(self.ticks[1:] * (1e9 / TICKS)).astype(np.int64)
        return rows_of(BEAT, len(ends), time_ns=ends, rr_ms=np.diff(self.ticks) * (1000 / TICKS))


def annotated(archive: Path, names: frozenset[str] | None = None) -> Iterator[tuple[str, Beats]]:
    """Read the records of a set, or those of ``names`` in it, with their names."""
    suffix, rate = SETS[archive.stem]
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(archive) as packed:
        packed.extractall(folder)
        for path in sorted(Path(folder).rglob(f"*.{suffix}")):
            if names is not None and path.stem not in names:
                continue
            notes = wfdb.rdann(str(path.with_suffix("")), suffix)
            ticks = np.rint(np.asarray(notes.sample) * (TICKS / rate)).astype(np.int64)
            yield path.stem, _beats(ticks, np.asarray(notes.symbol))


def _beats(ticks: Ints, symbols: NDArray[np.str_]) -> Beats:
    order = np.argsort(ticks, kind="stable")
    ticks, symbols = ticks[order], symbols[order]
    spoilt = np.cumsum(np.isin(symbols, list(SPOILING_SYMBOLS)))
    at = np.flatnonzero(np.isin(symbols, list(BEAT_SYMBOLS)))
    at = at[np.diff(ticks[at], prepend=-1) > 0]
    normal = np.isin(symbols[at], list(SINUS_SYMBOLS))
    rr_ms = np.diff(ticks[at]) * (1000 / TICKS)
    sinus = normal[1:] & normal[:-1] & (np.diff(spoilt[at]) == 0) & (rr_ms >= 300) & (rr_ms <= 2000)
    return Beats(ticks[at], np.concatenate([[False], sinus]), np.zeros(len(at), np.int64))


def with_faults(beats: Beats, seed: int) -> Beats:
    """Miss, add and displace beats inside sinus runs, no two faults within three beats."""
    random = np.random.default_rng(seed)
    ticks, sinus, fault = (column.copy() for column in beats)
    draw = random.random(len(ticks))
    at = np.flatnonzero(sinus[:-1] & sinus[1:] & (draw[:-1] < 0.025))
    at = at[np.diff(at, prepend=-9) > 3]
    kinds = np.digitize(draw[at], [0.01, 0.02])
    missed, extra, displaced = (at[kinds == kind] for kind in range(3))
    for kind, ends in enumerate(((missed + 1,), (extra,), (displaced, displaced + 1))):
        for end in ends:
            fault[end] = 4 * ends[0] + 1 + kind
            sinus[end] = False
    rr = np.diff(ticks)
    between = ticks[extra] - np.rint(rr[extra - 1] * random.uniform(0.25, 0.75, len(extra)))
    by = np.rint(random.uniform(0.1, 0.2, len(displaced)) * TICKS)
    ticks[displaced] += (by * random.choice([-1, 1], len(displaced))).astype(np.int64)
    gone = missed + np.searchsorted(extra, missed, "right")
    return Beats(
        np.delete(np.insert(ticks, extra, between), gone),
        np.delete(np.insert(sinus, extra, values=False), gone),
        np.delete(np.insert(fault, extra, fault[extra]), gone),
    )


def tally(beats: Beats, step_s: int, hole_s: int = 0, breaks: Ints = NO_BREAKS) -> Counter[str]:
    """Count what verdicts and gate make of a record, less ``hole_s`` seconds of every 33.

    With ``breaks``, only of the ten intervals after each, and of no windows.
    """
    rows = beats.rows()
    stays = rows["time_ns"] % (33 * SECOND_NS) < (33 - hole_s) * SECOND_NS
    rows, sinus, fault = rows[stays], beats.sinus[1:][stays], beats.fault[1:][stays]
    judged = judge(rows, breaks)
    refused = judged["verdict"] != ACCEPTED
    if len(breaks):
        since = np.arange(len(rows)) - np.searchsorted(
            rows["time_ns"], breaks[np.searchsorted(breaks, rows["time_ns"]) - 1], "right"
        )
        first = (rows["time_ns"] > breaks[0]) & (since < 10)
        sinus, fault = sinus & first, np.where(first, fault, 0)
    count = Counter(sinus=int(sinus.sum()), refused=int((sinus & refused).sum()))
    for place, kind in enumerate(FAULTS):
        spoilt = (fault > 0) & (fault % 4 == place + 1)
        count[kind] = len(np.unique(fault[spoilt]))
        count[f"{kind} found"] = len(np.unique(fault[spoilt & refused]))
    if not len(breaks):
        count += windows(rows, judged, sinus, step_s)
    return count


def windows(rows: Rows, judged: Rows, sinus: Bools, step_s: int) -> Counter[str]:
    """Compare the RMSSD of each minute's accepted pairs with that of its sinus pairs.

    Usable are the windows that the rule can judge; ``off`` those wrong by over 20 %.
    """
    ends = rows["time_ns"]
    hop = step_s * SECOND_NS
    window_ends = np.arange(ends[0] // hop + 60 // step_s + 1, ends[-1] // hop + 1) * hop
    low = np.searchsorted(ends, window_ends - MINUTE_NS, "right")
    high = np.searchsorted(ends, window_ends, "right")
    accepted = judged["verdict"] == ACCEPTED
    true, true_pairs = _rmssd(rows, sinus, low, high)
    given, pairs = _rmssd(rows, accepted, low, high)
    covered = np.concatenate([[0.0], np.cumsum(np.where(accepted, rows["rr_ms"], 0.0))])
    coverage = (covered[high] - covered[low]) * 1e6 / MINUTE_NS
    known = true_pairs >= LEAST_PAIRS
    judgeable = (coverage >= LEAST_COVERAGE) & (pairs >= LEAST_PAIRS)
    usable = known & judgeable
    off = np.abs(given - true) > 0.2 * true
    kept = variability_is_sound(judged, low, high)
    masks = {
        "windows": known,
        "usable": usable,
        "off": usable & off,
        "kept": usable & kept,
        "kept off": usable & kept & off,
        "passed": judgeable & kept,
        "passed without truth": judgeable & kept & ~known,
    }
    return Counter({name: int(mask.sum()) for name, mask in masks.items()})


def _rmssd(rows: Rows, mask: Bools, low: Ints, high: Ints) -> tuple[Floats, Ints]:
    touch = np.abs(np.diff(rows["time_ns"]) - rr_ns(rows["rr_ms"][1:])) <= TOUCH_NS
    pairs = touch & mask[1:] & mask[:-1]
    squares = np.where(pairs, np.diff(rows["rr_ms"]) ** 2, 0.0)
    total = np.concatenate([[0.0], np.cumsum(squares), [0.0]])
    count = np.concatenate([[0], np.cumsum(pairs), [0]])
    last = np.maximum(high - 1, low)
    within: Ints = count[last] - count[low]
    return np.sqrt(np.maximum((total[last] - total[low]) / np.maximum(within, 1), 0)), within


def measure(quick: bool) -> dict[str, Counter[str]]:
    """Tally the sets; ``quick``: a window every 40 s for every 5, and a third of nsr2db."""
    step_s = 40 if quick else 5
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for name in ("mitdb", "svdb", "nsrdb"):
        for record, beats in annotated(
            BEATS / f"{name}.zip", SWINGING if name == "nsrdb" else None
        ):
            apart = record in FIBRILLATING or record in PACED
            counts = tally(beats, 5)
            if name != "nsrdb":
                found["fibrillating or paced" if apart else name] += counts
            if record in SWINGING:
                found["strong sinus arrhythmia"] += counts
    for place, (record, beats) in enumerate(annotated(BEATS / "nsr2db.zip")):
        if quick and place % 3 and record not in SWINGING:
            continue
        counts = tally(beats, step_s)
        found["nsr2db"] += counts
        if record in SWINGING:
            found["strong sinus arrhythmia"] += counts
        faulty = with_faults(beats, seed=place)
        found["nsr2db, faults"] += tally(faulty, step_s)
        found["nsr2db, holes"] += tally(beats, step_s, hole_s=8)
        found["nsr2db, faults, holes"] += tally(faulty, step_s, hole_s=8)
        breaks = np.arange(1, beats.rows()["time_ns"][-1] // MINUTE_NS + 1) * MINUTE_NS
        found["first ten after a break"] += tally(faulty, step_s, breaks=breaks)
    return found


class Goal(NamedTuple):
    """A share that must be reached."""

    figure: str
    of: str
    part: str
    whole: str
    at_least: float | None = None
    at_most: float | None = None


GOALS: Final = (
    Goal("missed beats found", "nsr2db, faults", "missed found", "missed", at_least=99),
    Goal("extra beats found", "nsr2db, faults", "extra found", "extra", at_least=99),
    Goal("displaced beats found", "nsr2db, faults", "displaced found", "displaced", at_least=85),
    Goal("sinus beats refused", "nsr2db", "refused", "sinus", at_most=0.4),
    Goal("sinus beats refused", "strong sinus arrhythmia", "refused", "sinus", at_most=1.5),
    Goal("windows given a wrong RMSSD", "nsr2db", "kept off", "kept", at_most=1),
    Goal("windows given a wrong RMSSD", "nsr2db, faults", "kept off", "kept", at_most=1),
    Goal("windows given a wrong RMSSD", "mitdb", "kept off", "kept", at_most=5),
    Goal("windows given a wrong RMSSD", "svdb", "kept off", "kept", at_most=5),
    Goal("usable windows kept", "nsr2db", "kept", "usable", at_least=85),
)


def cost_ms(beats: Beats) -> float:
    """CPU milliseconds that 100,000 beats take, the least of five runs."""
    rows = beats.rows()
    spent = []
    for _ in range(5):
        start = time.process_time()
        judge(rows, NO_BREAKS)
        spent.append(time.process_time() - start)
    return min(spent) * 1e3 * 1e5 / len(rows)


def main() -> int:
    """Print the figures beside their goals; 1 where one is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="a part of it, in half a minute")
    found = measure(parser.parse_args().quick)
    missed = 0
    print("| figure | beats of | measured | goal |\n|---|---|---|---|")
    for goal in GOALS:
        share = _share(found[goal.of], goal.part, goal.whole)
        low, high = goal.at_least, goal.at_most
        reached = (low is None or share >= low) and (high is None or share <= high)
        missed += not reached
        wanted = f">= {low} %" if low is not None else f"<= {high} %"
        wanted += "" if reached else " MISSED"
        print(f"| {goal.figure} | {goal.of} | {share:.2f} % | {wanted} |")
    print(f"\n| {' | '.join(['beats of', *COLUMNS])} |\n|{'---|' * (len(COLUMNS) + 1)}")
    for name, count in found.items():
        shares = (_share(count, part, whole) for part, whole in COLUMNS.values())
        print(f"| {name} | {' | '.join(f'{share:.2f}' for share in shares)} |")
    _, beats = next(annotated(BEATS / "nsr2db.zip"))
    print(f"\nVerdicts cost {cost_ms(beats):.0f} ms per 100,000 beats.")
    return int(missed > 0)


COLUMNS: Final = {
    "sinus refused %": ("refused", "sinus"),
    **{f"{kind} found %": (f"{kind} found", kind) for kind in FAULTS},
    "windows usable %": ("usable", "windows"),
    "of these off, no gate %": ("off", "usable"),
    "of these kept %": ("kept", "usable"),
    "of kept off %": ("kept off", "kept"),
    "passed without truth %": ("passed without truth", "passed"),
}


def _share(count: Counter[str], part: str, whole: str) -> float:
    return 100 * count[part] / count[whole] if count[whole] else float("nan")


if __name__ == "__main__":
    sys.exit(main())
