"""What a simulated device hands in: a strap's or a wristband's beats, motion, and Breaks."""

from typing import Final, NamedTuple

import numpy as np

from diastole.edge.chunks import (
    BEAT,
    BEAT_KINDS,
    BREAK,
    BREAK_REASONS,
    MOTION,
    Bools,
    Floats,
    Ints,
    Rows,
    by_time,
    rows_of,
)
from diastole.edge.records import SECOND_NS, BeatKind, BreakReason
from diastole.edge.sources.heart import chosen
from diastole.edge.sources.noise import coarse_wander
from diastole.edge.sources.scenario import Device, DeviceKind, FaultKind, Scenario, Span
from diastole.edge.sources.states import STATES

TICKS_HZ: Final = 1024
"""A strap counts in these, as the Bluetooth heart rate service does."""
TRANSIT_S: Final = 0.22
"""From the heart's beat to its pulse at the wrist."""
TRANSIT_WANDER_S: Final = 0.006
PULSE_MS: Final = (3.0, 0.12)
"""Error of a pulse's time at the wrist: still, and for each mg of movement."""
ERROR_GUESS: Final = 1.5
"""What a wristband takes its intervals' error for, in terms of a pulse's: some of root two."""
BLOCKED_MG: Final = 60.0
"""A wristband says that movement spoils its intervals from here on."""
LOOSE_S: Final = 0.12
"""Spread of what a strap without contact takes for beats."""
STEPPING: Final = 0.8
"""Share of seconds in which rhythmic movement shows its cadence."""
FIDGET_MG: Final = 45.0
AWAY: Final = {
    FaultKind.OFF_WRIST: BreakReason.OFF_WRIST,
    FaultKind.LINK_LOST: BreakReason.LINK_LOST,
}


class Seconds(NamedTuple):
    """How the body moves, a row each second of the story."""

    activity_mg: Floats
    cadence_per_min: Floats
    """NaN where there is none."""


def movement(scenario: Scenario, rng: np.random.Generator) -> Seconds:
    """Return how the wearer moves through the story."""
    ends = np.arange(1, int(scenario.edges_s[-1]) + 1)
    states = [STATES[chapter.activity] for chapter in scenario.chapters]
    doing = np.searchsorted(scenario.edges_s[1:-1], ends, "left")
    level = np.array([state.activity_mg for state in states])[doing]
    fidgets = np.array([state.fidgets_per_min for state in states])[doing]
    steps = np.array([state.cadence_per_min for state in states])[doing]
    n = len(ends)
    activity = level * np.exp(0.25 * rng.standard_normal(n))
    fidget = rng.random(n) < fidgets / 60
    fidget[1:] |= fidget[:-1] & (rng.random(n - 1) < 0.5)
    activity += fidget * FIDGET_MG * np.exp(0.4 * rng.standard_normal(n))
    pace = steps * np.exp(0.03 * rng.standard_normal(n))
    rhythmic = (steps > 0) & (rng.random(n) < STEPPING)
    return Seconds(np.round(activity, 2), np.where(rhythmic, np.round(pace, 1), np.nan))


def beats_of(
    device: Device, scenario: Scenario, heart_s: Floats, moved: Seconds, rng: np.random.Generator
) -> Rows:
    """Return what the device makes of the heart's beats; it is the first of its chunk."""
    loose = scenario.spans(FaultKind.CONTACT_LOST, device=device.name)
    seen = _seen(heart_s, scenario, device, rng)
    seen = np.sort(
        seen + np.where(_within(seen, loose), LOOSE_S * rng.standard_normal(len(seen)), 0)
    )
    strap = device.kind is DeviceKind.RR
    rows = _strap(seen) if strap else _wristband(seen, moved, rng)
    ends_s = rows["time_ns"] / SECOND_NS
    rows["contact"] = ~_within(ends_s, loose)
    away = scenario.spans(*AWAY, device=device.name)
    kept = rows[~_touched(ends_s - rows["rr_ms"] / 1000, ends_s, away)]
    twice = _within(
        kept["time_ns"] / SECOND_NS, scenario.spans(FaultKind.DOUBLED, device=device.name)
    )
    kept = np.repeat(kept, 1 + twice)
    kept["time_ns"] += scenario.start_ns
    return kept[kept["time_ns"] <= end_ns(scenario)]


def motions_of(device: Device, scenario: Scenario, moved: Seconds) -> Rows:
    """Return the seconds of movement that the device hands in."""
    n = len(moved.activity_mg) if device.motion else 0
    ends_s = np.arange(1.0, n + 1)
    rows = rows_of(
        MOTION,
        n,
        time_ns=scenario.start_ns + SECOND_NS * np.arange(1, n + 1),
        activity_mg=moved.activity_mg[:n],
        cadence_per_min=moved.cadence_per_min[:n],
    )
    kept: Rows = rows[~_touched(ends_s - 1, ends_s, scenario.spans(*AWAY, device=device.name))]
    return kept


def breaks_of(device: Device, scenario: Scenario) -> Rows:
    """Return where the device was taken off, or fell silent, and its end."""
    away = scenario.spans(*AWAY, device=device.name)
    reasons = [AWAY[span.kind] for span in away] + [BreakReason.ENDED]
    rows = rows_of(
        BREAK,
        len(reasons),
        time_ns=[scenario.start_ns + _ns(span.begin_s) for span in away] + [end_ns(scenario)],
        reason=[BREAK_REASONS.index(reason) for reason in reasons],
    )
    return by_time(rows)


def end_ns(scenario: Scenario) -> int:
    """Time at which the story ends."""
    return scenario.start_ns + _ns(scenario.edges_s[-1])


def _ns(seconds: float) -> int:
    return round(seconds * SECOND_NS)


def _seen(heart_s: Floats, scenario: Scenario, device: Device, rng: np.random.Generator) -> Floats:
    """Return the beats that the device sees: some overlooked, some where none is."""
    missed = chosen(heart_s, scenario.spans(FaultKind.MISSED, device=device.name), rng)
    extra = chosen(heart_s, scenario.spans(FaultKind.EXTRA, device=device.name), rng)
    share = rng.uniform(0.35, 0.65, len(extra))
    between = heart_s[extra - 1] + share * (heart_s[extra] - heart_s[extra - 1])
    return np.sort(np.concatenate([np.delete(heart_s, missed), between]))


def _strap(seen_s: Floats) -> Rows:
    ticks = np.unique(np.rint(seen_s * TICKS_HZ).astype(np.int64))
    return _rows(BeatKind.RR, ticks[1:] * SECOND_NS // TICKS_HZ, np.diff(ticks) * 1000 / TICKS_HZ)


def _wristband(seen_s: Floats, moved: Seconds, rng: np.random.Generator) -> Rows:
    n = len(seen_s)
    slow = TRANSIT_WANDER_S * coarse_wander(rng, n, 1.0, (0.002, 0.1), 1.0)
    spread_s = _pulse_ms(_at(moved, seen_s)) / 1000
    pulses_s = seen_s + TRANSIT_S + slow + spread_s * rng.standard_normal(n)
    ms = np.unique(np.rint(pulses_s * 1000).astype(np.int64))
    rows = _rows(BeatKind.PPI, ms[1:] * 1_000_000, np.diff(ms).astype(float))
    activity_mg = _at(moved, ms[1:] / 1000)
    rows["error_ms"] = np.rint(ERROR_GUESS * _pulse_ms(activity_mg))
    rows["moving"] = activity_mg >= BLOCKED_MG
    return rows


def _at(moved: Seconds, times_s: Floats) -> Floats:
    """Return the activity of the second in which each moment lies."""
    last = len(moved.activity_mg) - 1
    activity_mg: Floats = moved.activity_mg[np.minimum(times_s.astype(int), last)]
    return activity_mg


def _pulse_ms(activity_mg: Floats) -> Floats:
    still, by_mg = PULSE_MS
    return still + by_mg * activity_mg


def _rows(kind: BeatKind, ends_ns: Ints, rr_ms: Floats) -> Rows:
    return rows_of(BEAT, len(rr_ms), time_ns=ends_ns, kind=BEAT_KINDS.index(kind), rr_ms=rr_ms)


def _within(times_s: Floats, spans: list[Span]) -> Bools:
    return _touched(times_s, times_s, spans)


def _touched(begin_s: Floats, end_s: Floats, spans: list[Span]) -> Bools:
    """Tell which stretches reach into one of the spans."""
    touched = np.zeros(len(end_s), np.bool_)
    for span in spans:
        touched |= (end_s > span.begin_s) & (begin_s < span.end_s)
    return touched
