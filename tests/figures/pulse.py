"""Our pulses beside NeuroKit2's, and where movement is rhythmic: ``python -m tests.figures.pulse``.

Beats: intervals of the device (300 to 2000 ms; it lists only those it trusts) that have an interval
of ours ending within 150 ms, and equal to 30 ms; a method's own delay behind the device, which
marks a pulse's foot, is taken off first. The error of an interval and of a successive difference is
over the equal ones. Rhythm: labelled seconds that have a cadence.
"""

import warnings
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

import neurokit2
import numpy as np

from diastole.edge.chunks import BEAT_KINDS, Chunk, Floats, Rows, SampleRun, join
from diastole.edge.formats.finding import open_recording
from diastole.edge.labels import read_labels
from diastole.edge.records import SECOND_NS, BeatKind, SampleKind
from diastole.edge.signal import stage
from tests.figures.observed import DATA, LABELS, SETS

SESSIONS: Final = {
    "Stress-Predict": [f"stress-predict/{name}.zip" for name in ("S07", "S11", "S17", "S30")],
    "Hongn stress": [f"hongn/stress/{name}.zip" for name in ("S03", "S11", "f01", "f12")],
}
"""None of them has a part in how the method is set."""
NEAR_NS: Final = 150_000_000
EQUAL_MS: Final = 30.0
QUALITIES: Final = (0.0, 0.4, 0.6, 0.8)


class Found(NamedTuple):
    """Intervals in order: their end, length and quality."""

    end_ns: Floats
    rr_ms: Floats
    quality: Floats

    def over(self, quality: float) -> "Found":
        """Return those of at least this quality, of a length that counts."""
        good = (self.quality >= quality) & (self.rr_ms >= 300) & (self.rr_ms <= 2000)
        return Found(*(column[good] for column in self))


def session(path: Path) -> tuple[Chunk, Rows, Rows]:
    """Return a recording as one chunk, our beats and the motion."""
    state, seen, given = stage.State(), [], []
    for chunk in open_recording(path).chunks():
        state, after = stage.step(state, chunk)
        seen.append(chunk)
        given.append(after)
    all_given = join(given)
    ours = all_given.beats["kind"] == BEAT_KINDS.index(BeatKind.PPG)
    return join(seen), all_given.beats[ours], all_given.motions


def neurokit(runs: Iterable[SampleRun], method: str) -> Found:
    """Return the intervals between NeuroKit2's peaks, placed by a parabola as ours are."""
    ends, lengths = [], []
    for run in runs:
        rate = round(run.rate_hz)  # it takes whole rates only
        clean = np.asarray(neurokit2.ppg_clean(run.values, rate, method="elgendi"))
        peaks = neurokit2.ppg_findpeaks(clean, rate, method=method)["PPG_Peaks"]
        peaks = np.asarray(peaks)[(np.asarray(peaks) > 0) & (np.asarray(peaks) < len(clean) - 1)]
        before, top, after = (clean[peaks + k] for k in (-1, 0, 1))
        places = run.index + peaks + 0.5 * (before - after) / (before - 2 * top + after)
        time_ns = run.start_ns + places * 1e9 / run.rate_hz
        ends.append(time_ns[1:])
        lengths.append(np.diff(time_ns) / 1e6)
    return Found(np.concatenate(ends), np.concatenate(lengths), np.ones(sum(map(len, ends))))


def compare(found: Found, device: Found, seconds: float) -> tuple[float, ...]:
    """Return the shares near and equal, both errors in ms, and the share of time covered."""
    ends = found.end_ns
    delay = _delay_ns(ends, device.end_ns)
    at = _nearest(ends, device.end_ns + delay)
    near = np.abs(ends[at] - device.end_ns - delay) <= NEAR_NS
    off_ms = found.rr_ms[at] - device.rr_ms
    equal = near & (np.abs(off_ms) <= EQUAL_MS)
    touching = np.abs(np.diff(device.end_ns) / 1e6 - device.rr_ms[1:]) <= 20
    pair = equal[1:] & equal[:-1] & (np.diff(at) == 1) & touching
    return (
        near.mean(),
        equal.mean(),
        np.abs(off_ms[equal]).mean(),
        np.abs(np.diff(off_ms)[pair]).mean(),
        found.rr_ms.sum() / 1e3 / seconds,
    )


def _delay_ns(ends: Floats, device: Floats) -> float:
    off = ends[_nearest(ends, device)] - device
    return float(np.median(off[np.abs(off) < 350e6]))


def _nearest(sorted_ns: Floats, times_ns: Floats) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    right = np.clip(np.searchsorted(sorted_ns, times_ns), 1, len(sorted_ns) - 1)
    nearer_left = times_ns - sorted_ns[right - 1] < sorted_ns[right] - times_ns
    return np.where(nearer_left, right - 1, right)


def beats_table() -> None:
    """Print the comparison of methods."""
    print(
        f"{'set':15} {'method':14} {'near':>6} {'equal':>6} {'rr ms':>6} {'diff ms':>8} {'time':>6}"
    )
    for name, paths in SESSIONS.items():
        rows = defaultdict(list)
        for path in paths:
            chunk, ours, _ = session(DATA / path)
            runs = [run for run in chunk.samples if run.kind is SampleKind.PPG]
            seconds = sum(len(run.values) / run.rate_hz for run in runs)
            ones = np.ones(len(chunk.beats))
            device = Found(chunk.beats["time_ns"], chunk.beats["rr_ms"], ones).over(0)
            found = Found(ours["time_ns"], ours["rr_ms"], ours["quality"])
            for quality in QUALITIES:
                method = f"ours >= {quality:.1f}" if quality else "ours"
                rows[method].append(compare(found.over(quality), device, seconds))
            for method in ("elgendi", "charlton"):
                rows[method].append(compare(neurokit(runs, method).over(0), device, seconds))
        for method, values in rows.items():
            near, equal, rr, diff, time = np.mean(values, axis=0)
            print(
                f"{name:15} {method:14} {near:6.3f} {equal:6.3f} {rr:6.1f} {diff:8.1f} {time:6.2f}"
            )


def rhythm_table() -> None:
    """Print the share of labelled seconds that have a cadence."""
    print(f"\n{'set':15} {'label':10} {'seconds':>8} {'rhythmic':>9} {'median a minute':>16}")
    for name in ("Stress-Predict", "Hongn"):
        cadence: dict[str, list[Floats]] = defaultdict(list)
        labels = read_labels(LABELS[name])
        for path in SETS[name]:
            recording = open_recording(path)
            _, _, motions = session(path)
            t_s = (motions["time_ns"] - recording.start_ns) / SECOND_NS
            for segment in labels.of(path):
                inside = (t_s > segment.t_start_s) & (t_s <= segment.t_end_s)
                cadence[segment.label].append(motions["cadence_per_min"][inside])
        for label, parts in sorted(cadence.items()):
            values = np.concatenate(parts)
            known = values[np.isfinite(values)]
            middle = np.median(known) if len(known) else np.nan
            share = len(known) / len(values)
            print(f"{name:15} {label:10} {len(values):8} {share:9.4f} {middle:16.0f}")


def main() -> None:
    """Print both tables."""
    print(__doc__)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        beats_table()
    rhythm_table()


if __name__ == "__main__":
    main()
