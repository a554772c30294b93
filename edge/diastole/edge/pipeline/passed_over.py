"""What observe cannot use, counted and named: nothing is dropped in silence."""

from collections import Counter

import numpy as np

from diastole.edge.chunks import Chunk
from diastole.edge.pipeline.measure import PLAUSIBLE_BPM
from diastole.edge.records import SampleKind
from diastole.edge.signal.pulse import SLOWEST_HZ


def passed_over(chunk: Chunk) -> Counter[str]:
    """Count a chunk's records that observe makes nothing of, by the sentence that says why."""
    counts: Counter[str] = Counter()
    for run in chunk.samples:
        if run.kind is SampleKind.ECG:
            counts["sample of a raw ECG, in which no beats are looked for yet"] += len(run.values)
        if run.kind is SampleKind.PPG and run.rate_hz < SLOWEST_HZ:
            what = f"sample of a pulse wave under {SLOWEST_HZ:g} Hz, too slow for beats"
            counts[what] += len(run.values)
        if not np.isfinite(run.values).all():
            counts["sample that is no number"] += int((~np.isfinite(run.values)).sum())
    low, high = PLAUSIBLE_BPM
    rates = chunk.heart_rates["hr_bpm"]
    odd = int(((rates < low) | (rates > high)).sum())
    if odd:
        counts[f"heart rate outside {low:g}-{high:g} bpm"] += odd
    if strange := int((~np.isfinite(chunk.motions["activity_mg"])).sum()):
        counts["activity that is no number"] += strange
    return counts
