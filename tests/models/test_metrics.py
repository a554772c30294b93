"""Metrics against cases worked by hand."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diastole.models.metrics import (
    balanced_accuracy,
    calibration_error,
    drawn_people,
    median_auc,
    pairs,
    pooled_auc,
    share,
)

SCORE = np.array([0.1, 0.4, 0.4, 0.9, 0.2, 0.7])
STRESS = np.array([False, True, False, True, True, False])
PERSON = np.array(["a", "a", "a", "a", "b", "b"])


def test_auc_counts_pairs_and_halves_ties() -> None:
    # 0.4 beats 0.1, ties 0.4, loses to 0.7; 0.9 beats all; 0.2 beats 0.1 alone: 5.5 of 9
    assert pooled_auc(SCORE, STRESS, PERSON).value == pytest.approx(5.5 / 9)


def test_auc_within_people() -> None:
    # a: 3.5 of 4 pairs, b: 0 of 1
    assert pairs(SCORE, STRESS, PERSON).own().tolist() == [3.5 / 4, 0]
    assert median_auc(SCORE, STRESS, PERSON).value == pytest.approx(3.5 / 8)


def test_a_person_with_one_side_only_has_no_auc_of_their_own() -> None:
    own = pairs(SCORE, STRESS, np.array(["a", "a", "a", "a", "b", "c"])).own()
    assert np.isnan(own).tolist() == [False, True, True]


@given(
    st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.sampled_from("abc")), min_size=1),
    st.lists(st.integers(0, 3), min_size=3, max_size=3),
)
def test_drawing_people_is_repeating_their_windows(
    windows: list[tuple[int, bool, str]], times: list[int]
) -> None:
    score, stress, person = (np.array(column) for column in zip(*windows, strict=True))
    drawn = np.array(times[: len(np.unique(person))], float)
    repeat = drawn[np.unique(person, return_inverse=True)[1]].astype(int)
    high, low = (np.repeat(score, repeat)[np.repeat(side, repeat)] for side in (stress, ~stress))
    won = [(a > b) + (a == b) / 2 for a, b in product(high, low)]
    found = pairs(score, stress, person).auc(drawn)
    assert found == pytest.approx(np.mean(won)) if won else np.isnan(found)


def test_balanced_accuracy_is_the_mean_of_both_sides() -> None:
    says = np.array([True, True, False, True, False, False])
    # stress found 2 of 3, rest left alone 2 of 3
    assert balanced_accuracy(says, STRESS, PERSON).value == pytest.approx(2 / 3)
    assert balanced_accuracy(~says, STRESS, PERSON).value == pytest.approx(1 / 3)


def test_share_is_of_what_is_asked() -> None:
    which = np.array([True, False, True, True, False, False])
    assert share(which, STRESS, PERSON).value == pytest.approx(1 / 3)


def test_the_interval_is_over_people_and_not_over_windows() -> None:
    person = np.repeat([f"p{k}" for k in range(10)], 1000)
    which = np.repeat(np.arange(10) % 2 == 0, 1000)
    found = share(which, np.ones(10_000, bool), person)
    assert found.value == 0.5
    assert found.low == pytest.approx(0.2, abs=0.05)
    assert found.high == pytest.approx(0.8, abs=0.05)


def test_draws_hold_everybody_s_place_and_come_again() -> None:
    drawn = drawn_people(7)
    assert (drawn.sum(axis=1) == 7).all()
    assert (drawn == drawn_people(7)).all()
    assert drawn.mean(axis=0) == pytest.approx(np.ones(7), abs=0.1)


def test_calibration_is_asked_at_the_set_s_own_prevalence() -> None:
    stress = np.arange(1000) % 10 == 0
    assert calibration_error(np.full(1000, 0.5), stress) == pytest.approx(0, abs=1e-12)
    assert calibration_error(np.full(1000, 0.9), stress) == pytest.approx(0.4)
    certain = np.where(stress, 1.0, 0.0)
    assert calibration_error(certain, stress) == 0
    assert calibration_error(1 - certain, stress) == pytest.approx(1)
