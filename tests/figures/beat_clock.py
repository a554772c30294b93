"""How far the beat clock's times lie from the truth, over 12 h of a strap: ``python -m …``."""

import numpy as np

from diastole.edge.records import SECOND_NS
from diastole.edge.sources.ble.beatclock import BeatClock
from tests.sources.ble.arrivals import TICKS, Arrived, arrivals

HOURS = 12
RUNS = 5
SETTLED_NS = 300 * SECOND_NS


def run(seed: int, drift: float) -> tuple[float, float, float, int, bool]:
    """Give p95 error before and after five minutes, the largest step (ms), beats, and exactness."""
    clock: BeatClock[Arrived] = BeatClock(TICKS, 1_800_000_000 * SECOND_NS)
    times, truth, ticks, sent = [], [], [], []
    for packet in arrivals(HOURS * 3600, seed, drift=drift):
        sent += packet.ticks
        for placed in clock.packet(packet.at_ns, packet.ticks, packet):
            times += placed.times_ns
            truth += placed.what.truth_ns
            ticks += placed.what.ticks
    at, true, n = np.array(times), np.array(truth), np.array(ticks)
    late = true - true[0] > SETTLED_NS
    error_ms = np.abs(at - true - np.median((at - true)[late])) / 1e6  # less what is constant
    steps_ms = np.abs(np.diff(at) - n[1:] * SECOND_NS // TICKS)[late[1:]] / 1e6
    before, after = np.percentile(error_ms[~late], 95), np.percentile(error_ms[late], 95)
    return float(before), float(after), float(steps_ms.max()), len(at), ticks == sent


def main() -> None:
    print(
        f"{HOURS} h of a strap: a packet a second, exponential jitter of 20 ms, 0.2 % stalls to 3 s"
    )
    print("drift ppm  p95 error ms: first 5 min  after   largest step ms   beats   all exact")
    for seed in range(RUNS):
        drift = (40, -40, 20, 50, 0)[seed] * 1e-6
        before, after, step, beats, exact = run(seed, drift)
        print(
            f"{drift * 1e6:9.0f}  {before:25.1f}  {after:5.1f}  {step:16.2f}  {beats:6}   "
            f"{'yes' if exact else 'NO'}"
        )


if __name__ == "__main__":
    main()
