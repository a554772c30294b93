"""A logistic regression on a few model inputs, and how far out its training rows lie."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from diastole.edge.chunks import Bools, Floats
from diastole.edge.pipeline.scoring import distances
from diastole.models.judged import Texts
from diastole.models.table import Table

RIDGE: Final = 1e-4
"""Penalty on squared weights of standardised inputs, beside a mean log loss."""
INNER_CENTILE: Final = 99.5
REQUIRED: Final = frozenset({"hr_above_normal", "hr_above_normal_3min", "hr_rise_1h"})
"""Without these there is no p: a heart rate that is not known says nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """p = sigmoid(bias + weights · (x - centre) / spread), with ``fill`` in place of NaN."""

    fill: Floats
    """NaN for an input without which there is no p."""
    centre: Floats
    spread: Floats
    weights: Floats
    bias: float

    def score(self, inputs: Floats) -> Floats:
        """Return p(stress) of each row."""
        filled = np.where(np.isnan(inputs), self.fill, inputs)
        scores: Floats = sigmoid((filled - self.centre) / self.spread @ self.weights + self.bias)
        return scores


@dataclass(frozen=True, slots=True, eq=False)
class Extent:
    """Where the training rows lie: their middle, their covariance, their limits."""

    centre: Floats
    covariance: Floats
    limits: tuple[tuple[tuple[int, ...], float], ...]
    """Columns present, and the 99.5th centile of the distance over them."""


def sigmoid(logit: Floats) -> Floats:
    """Return 1 / (1 + exp(-x)) without overflow."""
    p: Floats = 0.5 * (1 + np.tanh(0.5 * logit))
    return p


def balanced_weights(data_set: Texts, person: Texts, stress: Bools) -> Floats:
    """Weigh windows so that rest and stress are equal within a set, and people within each.

    Sets are equal too; the weights sum to 1. So p is stated at a prevalence of one half.
    """
    sets, people = (np.unique(column, return_inverse=True)[1] for column in (data_set, person))
    weights = _evened(np.ones(len(stress)), sets, stress, people)
    weights = _evened(weights, sets, stress)
    whole: Floats = weights / weights.sum()
    return whole


def _evened(weights: Floats, *columns: NDArray[np.generic]) -> Floats:
    """Return the weights, each group of equal columns brought to a sum of 1."""
    _, group = np.unique(np.column_stack(columns), axis=0, return_inverse=True)
    evened: Floats = weights / np.bincount(group, weights)[group]
    return evened


def fit(table: Table, names: Sequence[str]) -> Linear:
    """Fit the regression to windows labelled rest or stress; the same table gives the same bits."""
    weights = balanced_weights(table.data_set, table.person, table.stress)
    inputs = table.inputs(names)
    seen = ~np.isnan(inputs)
    masses = weights[:, None] * seen
    whole = np.where(seen, inputs, 0)
    centre = (masses * whole).sum(axis=0) / masses.sum(axis=0)
    spread = np.sqrt((masses * (whole - centre) ** 2).sum(axis=0) / masses.sum(axis=0))
    standard = (np.where(seen, inputs, centre) - centre) / spread
    *slopes, bias = _newton(standard, table.stress, weights)
    fill = np.where([name in REQUIRED for name in names], np.nan, centre)
    return Linear(fill, centre, spread, np.array(slopes), float(bias))


def _newton(inputs: Floats, stress: Bools, weights: Floats) -> Floats:
    """Return slopes and bias at the least penalised log loss, by Newton's method."""
    design = np.column_stack([inputs, np.ones(len(inputs))])
    penalty = RIDGE * np.diag([*np.ones(inputs.shape[1]), 0.0])
    found = np.zeros(design.shape[1])
    for _ in range(25):
        p = sigmoid(design @ found)
        slope = design.T @ (weights * (p - stress)) + penalty @ found
        curve = (design.T * (weights * p * (1 - p))) @ design + penalty
        step = np.linalg.solve(curve, slope)
        found = found - step
        if np.abs(step).max() < 1e-12:
            break
    return found


def extent(inputs: Floats) -> Extent:
    """Measure where the rows lie; limits for every combination of inputs that rows hold."""
    whole = inputs[~np.isnan(inputs).any(axis=1)]
    centre, covariance = whole.mean(axis=0), np.atleast_2d(np.cov(whole, rowvar=False))
    limits = []
    for size in range(1, inputs.shape[1] + 1):
        for kept in combinations(range(inputs.shape[1]), size):
            rows = inputs[~np.isnan(inputs[:, kept]).any(axis=1)]
            masked = np.full_like(rows, np.nan)
            masked[:, kept] = rows[:, kept]
            away = distances(masked, centre, covariance)
            limits.append((kept, float(np.percentile(away, INNER_CENTILE))))
    return Extent(centre, covariance, tuple(limits))
