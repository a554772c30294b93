"""How the wearer's own normal comes and goes: ``python -m tests.figures.normal``.

Minutes worn until it is provisional; on MMASH's days its drift (last normal heart rate of the
evening less that of an hour after the start) and how often it ends in a night.
"""

import numpy as np

from diastole.edge.pipeline.observations import STATUSES
from diastole.edge.records import MINUTE_NS, NormalStatus
from tests.figures.observed import Seen, seen

CALIBRATING = STATUSES.index(NormalStatus.CALIBRATING)


def until_known(session: Seen) -> float:
    """Return the minutes worn until there is a normal, NaN where there never is."""
    known = session.observations.rows["normal_status"] != CALIBRATING
    return float(known.argmax() * 5 / 60) if known.any() else np.nan


def endings(session: Seen) -> list[int]:
    """Return the places where a known normal ended."""
    calibrating = session.observations.rows["normal_status"] == CALIBRATING
    return np.flatnonzero(calibrating[1:] & ~calibrating[:-1]).tolist()


def main() -> None:
    """Print the tables."""
    for data_set in ("Stress-Predict", "Hongn", "MMASH"):
        sessions = list(seen(data_set))
        minutes = np.array([until_known(session) for session in sessions])
        never = int(np.isnan(minutes).sum())
        low, middle, high = np.nanquantile(minutes, (0.1, 0.5, 0.9))
        print(
            f"{data_set:15} {len(sessions):3} sessions: provisional after {middle:.1f} min worn "
            f"(10th to 90th centile {low:.1f}-{high:.1f}), never in {never}"
        )
        if data_set == "MMASH":
            day(sessions)


def day(sessions: list[Seen]) -> None:
    """Print a row a person of MMASH."""
    print(
        f"{'':14} {'normal bpm after 1 h':>21} {'before sleep':>13} {'drift %':>8} "
        f"{'ends: day':>10} {'night':>6}"
    )
    drifts, nights = [], []
    for session in sessions:
        rows = session.observations.rows
        middle = np.sqrt(rows["normal_hr_low_bpm"] * rows["normal_hr_high_bpm"])
        sleep = session.label == "sleep"
        evening = int(sleep.argmax()) if sleep.any() else len(rows)
        after = rows["time_ns"] >= rows["time_ns"][0] + 60 * MINUTE_NS
        known = np.isfinite(middle) & after
        first = middle[known][0] if known.any() else np.nan
        before = known & (np.arange(len(rows)) < evening)
        last = middle[before][-1] if before.any() else np.nan
        ends = endings(session)
        # a night is the diary's sleep and the hour after it
        near = [k for k in ends if sleep[max(k - 720, 0) : k + 2].any()]
        drifts.append(100 * (last / first - 1))
        nights.append(len(near))
        print(
            f"{'':4}{session.name:10} {first:21.1f} {last:13.1f} {drifts[-1]:8.1f} "
            f"{len(ends) - len(near):10} {len(near):6}"
        )
    print(
        f"{'':4}median drift {np.nanmedian(drifts):.1f} %, of absolute drift "
        f"{np.nanmedian(np.abs(drifts)):.1f} %; ends a night: median {np.median(nights):.0f}, "
        f"most {max(nights)}"
    )


if __name__ == "__main__":
    main()
