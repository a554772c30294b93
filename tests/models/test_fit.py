"""The regression, its weights and its limits."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from diastole.models.fit import RIDGE, balanced_weights, extent, fit, sigmoid
from diastole.models.train import training_rows
from tests.models import made


def test_rest_and_stress_are_equal_in_each_set_and_people_in_each_side() -> None:
    table = made.table()
    rows = training_rows(table)
    uneven = rows.take(np.arange(len(rows)) % 7 > 0)
    weights = balanced_weights(uneven.data_set, uneven.person, uneven.stress)
    assert weights.sum() == pytest.approx(1)
    for data_set in np.unique(uneven.data_set):
        for stress in (False, True):
            side = (uneven.data_set == data_set) & (uneven.stress == stress)
            assert weights[side].sum() == pytest.approx(1 / 4)
            people = np.unique(uneven.person[side])
            shares = [weights[side & (uneven.person == person)].sum() for person in people]
            assert shares == pytest.approx([1 / 4 / len(people)] * len(people))


def test_the_fit_is_the_penalised_likelihood_s_optimum() -> None:
    rows = training_rows(made.table())
    names = ("hr_above_normal", "hr_rise_1h")
    found = fit(rows, names)
    weights = balanced_weights(rows.data_set, rows.person, rows.stress)
    standard = (rows.inputs(names) - found.centre) / found.spread
    other = LogisticRegression(C=1 / RIDGE, tol=1e-10, max_iter=1000)
    other.fit(standard, rows.stress, sample_weight=weights)
    np.testing.assert_allclose(found.weights, other.coef_[0], atol=1e-4)
    assert found.bias == pytest.approx(other.intercept_[0], abs=1e-4)


def test_balanced_weights_put_p_at_one_half() -> None:
    rows = training_rows(made.table())
    weights = balanced_weights(rows.data_set, rows.person, rows.stress)
    p = fit(rows, made.NAMES[:1]).score(rows.inputs(made.NAMES[:1]))
    assert float(weights @ p) == pytest.approx(0.5, abs=1e-9)


def test_a_missing_heart_rate_leaves_no_p_and_a_missing_rmssd_counts_as_average() -> None:
    rows = training_rows(made.table())
    found = fit(rows, made.NAMES)
    p = found.score(np.array([[np.nan, 1.0], [1.0, np.nan], [1.0, found.centre[1]]]))
    assert np.isnan(p).tolist() == [True, False, False]
    assert p[1] == p[2]


def test_limits_are_told_for_every_combination_of_inputs() -> None:
    inputs = training_rows(made.table()).inputs(made.NAMES)
    limits = dict(extent(inputs).limits)
    assert set(limits) == {(0,), (1,), (0, 1)}
    one = inputs[:, 0]
    whole = inputs[~np.isnan(inputs).any(axis=1)]
    away = np.abs(one - whole[:, 0].mean()) / whole[:, 0].std(ddof=1)
    assert limits[0,] == pytest.approx(np.percentile(away, 99.5))


def test_sigmoid_does_not_overflow() -> None:
    assert sigmoid(np.array([-1e300, 0.0, 1e300])).tolist() == [0, 0.5, 1]
