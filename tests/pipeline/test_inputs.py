"""Inputs are distances from the own normal and the own last hour, and no clock."""

import numpy as np
import pytest

from diastole.edge.pipeline.inputs import inputs
from diastole.edge.pipeline.observations import Observations
from diastole.edge.pipeline.recent import Recent
from diastole.edge.pipeline.strain import FIELDS
from diastole.edge.records import MINUTE_NS
from diastole.edge.schema import INPUT_NAMES
from tests.pipeline.walking import assert_same, walk
from tests.strategies import REST, STRESS, WALK, Stretch, recording, shifted


def test_each_is_what_its_name_says() -> None:
    recent = Recent(np.log([80.0]), np.log([70.0]), np.log([75.0]), np.array([0.1]))
    told = np.zeros(1, FIELDS)
    told["hr_centre"], told["hr_spread"] = np.log(64), 0.05
    told["rmssd_centre"], told["rmssd_spread"] = np.log(40), 0.2
    given = dict(zip(INPUT_NAMES, inputs(recent, told, np.array([20.0]))[0], strict=True))
    assert given == {
        "hr_above_normal": pytest.approx(np.log(80 / 64) / 0.05),
        "hr_above_normal_3min": pytest.approx(np.log(75 / 64) / 0.05),
        "hr_rise_1h": pytest.approx(np.log(80 / 70)),
        "rmssd_above_normal": pytest.approx(np.log(20 / 40) / 0.2),
    }


def test_what_the_signal_does_not_give_is_nan() -> None:
    nothing = np.full(1, np.nan)
    told = np.zeros(1, FIELDS)
    told["hr_spread"] = told["rmssd_spread"] = 0.1
    assert np.isnan(inputs(Recent(nothing, nothing, nothing, nothing), told, np.zeros(1))).all()


def moved_back(observed: Observations, by_ns: int) -> Observations:
    rows = observed.rows.copy()
    rows["time_ns"] -= by_ns
    return Observations(observed.devices, rows, observed.features, observed.inputs)


@pytest.mark.parametrize("minutes", [1, -61, 24 * 60 * 365 + 7])
def test_another_day_says_the_same(minutes: int) -> None:
    chunk = recording(REST, STRESS, WALK, REST)
    later, _, _ = walk(shifted(chunk, minutes * MINUTE_NS))
    assert_same(walk(chunk)[0], moved_back(later, minutes * MINUTE_NS))


def test_how_long_one_has_worn_it_is_not_told() -> None:
    """A wearer who never changes: late windows and early ones look the same to a model."""
    said, _, _ = walk(recording(Stretch(150, 64, 30, 4)))
    given = said.inputs[(said.rows["normal_have"] > 100) & ~said.rows["asleep"]]
    known = given[np.isfinite(given).all(1)]
    assert len(known) > 200
    early, late = np.split(known, 2)
    # a clock would part the halves; chance does not
    for name, one, other in zip(INPUT_NAMES, early.T, late.T, strict=True):
        assert abs(np.mean(one) - np.mean(other)) < 0.5 * np.std(known[:, INPUT_NAMES.index(name)])
