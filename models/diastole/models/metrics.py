"""How well scores and decisions tell stress from rest, with intervals over people.

Everything is kept as counts a person, so that drawing people anew is a product of matrices:
an interval over windows would be several times too narrow.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np

from diastole.edge.chunks import Bools, Floats
from diastole.models.judged import Texts

DRAWS: Final = 2000
SEED: Final = 22
BINS: Final = 10


class Figure(NamedTuple):
    """A value and its 95 % interval over people."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.2f}, {self.high:.2f}]"


class Pairs(NamedTuple):
    """Who beats whom: everything that an AUC needs.

    ``won[i, j]``: pairs of a stress window of person i and a rest window of person j where stress
    scores higher; a tie counts one half.
    """

    won: Floats
    stress: Floats
    rest: Floats

    def auc(self, drawn: Floats) -> float:
        """Return the AUC pooled over people, each drawn so many times."""
        pairs = (drawn @ self.stress) * (drawn @ self.rest)
        return float(drawn @ self.won @ drawn / pairs) if pairs else np.nan

    def own(self) -> Floats:
        """Return the AUC within each person, NaN where one side is missing."""
        pairs = self.stress * self.rest
        own: Floats = np.where(pairs > 0, np.diag(self.won) / np.maximum(pairs, 1), np.nan)
        return own


def pairs(score: Floats, stress: Bools, person: Texts) -> Pairs:
    """Compare every stress window with every rest window, by person."""
    people, who = np.unique(person, return_inverse=True)
    scores, place = np.unique(score, return_inverse=True)
    counts = np.zeros((2, len(people), len(scores)))
    np.add.at(counts, (stress.astype(int), who, place), 1)
    rest, tasks = counts
    below = np.cumsum(rest, axis=1) - rest / 2
    return Pairs(tasks @ below.T, tasks.sum(axis=1), rest.sum(axis=1))


def drawn_people(number: int) -> Floats:
    """Return how often each person is drawn, (DRAWS, number); the same each time."""
    drawn: Floats = (
        np.random.default_rng(SEED)
        .multinomial(number, np.full(number, 1 / number), size=DRAWS)
        .astype(float)
    )
    return drawn


def figure(of: Callable[[Floats], float], people: int) -> Figure:
    """Return a statistic of all people, and the middle 95 % of its values for drawn ones."""
    if not people:
        return Figure(np.nan, np.nan, np.nan)
    values = np.array([of(drawn) for drawn in drawn_people(people)])
    known = values[~np.isnan(values)]
    low, high = np.percentile(known, [2.5, 97.5]) if len(known) else (np.nan, np.nan)
    return Figure(of(np.ones(people)), float(low), float(high))


def pooled_auc(score: Floats, stress: Bools, person: Texts) -> Figure:
    """Return the AUC over all windows."""
    found = pairs(score, stress, person)
    return figure(found.auc, len(found.stress))


def median_auc(score: Floats, stress: Bools, person: Texts) -> Figure:
    """Return the median of the people's own AUC, of those who have both rest and stress."""
    own = pairs(score, stress, person).own()
    known = own[~np.isnan(own)]

    def median(drawn: Floats) -> float:
        return float(np.median(np.repeat(known, drawn.astype(int))))

    return figure(median, len(known))


def balanced_accuracy(says_stress: Bools, stress: Bools, person: Texts) -> Figure:
    """Return the mean of the share of stress windows found and of rest windows left alone."""
    hits, tasks = _counts(says_stress, stress, person)
    spared, rests = _counts(~says_stress, ~stress, person)

    def accuracy(drawn: Floats) -> float:
        return (_ratio(drawn @ hits, drawn @ tasks) + _ratio(drawn @ spared, drawn @ rests)) / 2

    return figure(accuracy, len(tasks))


def share(which: Bools, among: Bools, person: Texts) -> Figure:
    """Return which windows are so, of those among which it is asked."""
    hits, all_of = _counts(which, among, person)
    return figure(lambda drawn: _ratio(drawn @ hits, drawn @ all_of), len(all_of))


def calibration_error(p: Floats, stress: Bools) -> float:
    """Return the expected calibration error after restating p to the share of stress here."""
    prior = stress.mean() if len(stress) else np.nan
    restated = p * prior / (p * prior + (1 - p) * (1 - prior))
    place = np.minimum((restated * BINS).astype(int), BINS - 1)
    gaps = np.bincount(place, restated - stress, minlength=BINS)
    return float(np.abs(gaps).sum() / len(p)) if len(p) else np.nan


def _counts(which: Bools, among: Bools, person: Texts) -> tuple[Floats, Floats]:
    _, who = np.unique(person, return_inverse=True)
    return (
        np.bincount(who, which & among).astype(float),
        np.bincount(who, among).astype(float),
    )


def _ratio(part: Floats, whole: Floats) -> float:
    return float(part / whole) if whole else np.nan
