"""Exertion told from strain, by its own flag: ``python -m tests.figures.exertion``.

Hongn: exercise windows caught, rest and stress windows lost to it; goal >= 0.95 caught and <= 0.05
lost with acceleration. Stress-Predict has no exercise; MMASH is told by the diary's classes.
"""

import numpy as np

from tests.figures.observed import Alter, pooled, seen, whole, without_motion

SETS = {
    "Hongn": ("exercise", "recovery", "rest", "stress", "other"),
    "Stress-Predict": ("rest", "stress", "other"),
    "MMASH": (
        *("exercise", "exercise_light", "light", "eating", "screen", "rest", "caffeine"),
        *("smoking", "other", "sleep"),
    ),
}
WAYS: dict[str, Alter] = {"with acceleration": whole, "without": without_motion}


def main() -> None:
    """Print the table."""
    print(f"{'set':15} {'':18} {'label':15} {'windows':>8} {'exertion':>9} {'asleep':>9}")
    for data_set, labels in SETS.items():
        for way, alter in WAYS.items():
            sessions = list(seen(data_set, alter))
            named = np.concatenate([s.label for s in sessions])
            flags = [pooled(sessions, flag) for flag in ("exertion", "asleep")]
            for label in labels:
                inside = named == label
                if inside.any():
                    shares = " ".join(f"{flag[inside].mean():9.3f}" for flag in flags)
                    print(f"{data_set:15} {way:18} {label:15} {inside.sum():8} {shares}")


if __name__ == "__main__":
    main()
