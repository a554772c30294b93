"""A simulated heart: when it beats through a story.

Beats come by integral pulse frequency modulation with a mean rate that changes: a beat falls where
the integral of the instantaneous rate passes a whole number (Bailón 2011, IEEE Trans Biomed Eng
58:642, doi:10.1109/TBME.2010.2095011). The rate is a mean that follows the activity by first-order
kinetics (compared with others in doi:10.1186/s12938-021-00875-7), modulated by

- breathing, whose swing is set so that a settled minute has the state's RMSSD,
- the Mayer wave near 0.1 Hz (Julien 2006, Cardiovasc Res 70:12-21), and
- a drift with a spectrum of 1/f (Kobayashi and Musha 1982, IEEE Trans Biomed Eng 29:456-457).
"""

from typing import Final, NamedTuple

import numpy as np

from diastole.edge.chunks import Bools, Floats, Ints
from diastole.edge.sources.noise import coarse_wander, oscillation
from diastole.edge.sources.scenario import FaultKind, Scenario, Span
from diastole.edge.sources.states import STATES

GRID_HZ: Final = 10.0
MAYER_HZ: Final = 0.095
DRIFT: Final = 0.025
"""Spread of the mean rate, ln: no minute is like the one before."""
SLOW_HZ: Final = (1 / 3600, 0.03)
"""Band of what drifts, below the Mayer wave."""
LEAST_SWING: Final = 0.1
"""Share of the RMSSD that breathing makes at least, whatever the Mayer wave does."""
MOST_SWING: Final = 0.4
"""Share of its rate by which breathing moves a heart at most."""
EARLY: Final = (0.28, 0.42)
"""Share of its interval by which an ectopic beat is early."""


class Beats(NamedTuple):
    """Beats, in seconds from the story's beginning."""

    times_s: Floats
    ectopic: Bools


class Course(NamedTuple):
    """How the settled numbers follow one another, on the grid."""

    hr_bpm: Floats
    rmssd_ms: Floats
    breath_hz: Floats
    unsteady: Floats
    mayer_ms: Floats


def beats(scenario: Scenario, rng: np.random.Generator) -> Beats:
    """Return the heart's beats through the story."""
    rate_hz = _rate_hz(course(scenario), rng)
    passed = np.concatenate(([0.0], np.cumsum((rate_hz[1:] + rate_hz[:-1]) / (2 * GRID_HZ))))
    times = np.interp(np.arange(1, int(passed[-1]) + 1), passed, np.arange(len(passed)) / GRID_HZ)
    return _with_ectopics(times, scenario.spans(FaultKind.ECTOPIC), rng)


def course(scenario: Scenario) -> Course:
    """Return what the story asks of heart and breath, each change with its kinetics."""
    edges = np.rint(np.array(scenario.edges_s) * GRID_HZ).astype(int)
    edges[-1] += 1
    values = np.empty((len(Course._fields), int(edges[-1])))
    now: Floats | None = None
    leaving_s = 0.0
    for chapter, first, last in zip(scenario.chapters, edges[:-1], edges[1:], strict=True):
        state = STATES[chapter.activity]
        target = np.array(
            [
                state.hr_bpm(scenario.wearer),
                state.rmssd_ms(scenario.wearer),
                state.breaths_per_min / 60,
                state.unsteady,
                state.mayer_ms,
            ]
        )
        now = target if now is None else now
        tau_s = state.rise_s if target[0] >= now[0] else leaving_s
        left = np.exp(-np.arange(last - first + 1) / (GRID_HZ * tau_s or 1.0))
        part = target[:, None] + (now - target)[:, None] * left
        values[:, first:last] = part[:, :-1]
        now, leaving_s = part[:, -1], state.recovery_s
    return Course(*values)


def _rate_hz(course: Course, rng: np.random.Generator) -> Floats:
    n = len(course.hr_bpm)
    drift = DRIFT * coarse_wander(rng, n, GRID_HZ, SLOW_HZ, 1.0)
    mean_hz = course.hr_bpm / 60 * np.exp(np.clip(drift, -3 * DRIFT, 3 * DRIFT))
    astray = np.clip(coarse_wander(rng, n, GRID_HZ, (0.002, 0.1), 0.5), -2, 2)
    breath_hz = course.breath_hz * np.exp(course.unsteady * astray)
    mayer_hz = MAYER_HZ * np.exp(0.06 * coarse_wander(rng, n, GRID_HZ, (0.002, 0.05), 0.5))
    beat_s = 1 / mean_hz
    mayer = course.mayer_ms / 1000 / _seen(mayer_hz, beat_s)
    by_mayer = course.mayer_ms * np.sqrt(2) * np.sin(np.pi * mayer_hz * beat_s)
    of_breath = np.sqrt(
        np.maximum(course.rmssd_ms**2 - by_mayer**2, (LEAST_SWING * course.rmssd_ms) ** 2)
    )
    turn = np.sqrt(2) * np.sin(np.pi * np.minimum(breath_hz * beat_s, 0.5))
    breath = np.minimum(of_breath / 1000 / turn / _seen(breath_hz, beat_s), MOST_SWING)
    modulation = mayer * oscillation(rng, mayer_hz, GRID_HZ)
    modulation += breath * oscillation(rng, breath_hz, GRID_HZ)
    rate: Floats = mean_hz * np.exp(modulation)
    return rate


def _seen(cycles_hz: Floats, beat_s: Floats) -> Floats:
    """Seconds of an interval's swing for a swing of 1 in the rate: a beat averages over itself."""
    seen: Floats = beat_s * np.sinc(cycles_hz * beat_s)
    return seen


def _with_ectopics(times: Floats, spans: list[Span], rng: np.random.Generator) -> Beats:
    """Let some beats fall early; the next falls where it would have, so the pause makes up."""
    moved = times.copy()
    at = chosen(times, spans, rng)
    moved[at] -= rng.uniform(*EARLY, len(at)) * (times[at] - times[at - 1])
    ectopic = np.zeros(len(times), np.bool_)
    ectopic[at] = True
    return Beats(moved, ectopic)


def chosen(times_s: Floats, spans: list[Span], rng: np.random.Generator) -> Ints:
    """Return beats, as many a minute as the spans ask for, spread over them; never the first."""
    wanted = [np.empty(0)]
    for span in spans:
        n = max(1, round(span.per_min * (span.end_s - span.begin_s) / 60))
        steps = np.arange(n) + rng.uniform(0.2, 0.8, n)
        wanted.append(span.begin_s + steps * (span.end_s - span.begin_s) / n)
    at = np.unique(np.searchsorted(times_s, np.concatenate(wanted)))
    beats: Ints = at[(at > 0) & (at < len(times_s) - 1)]
    return beats
