"""A reading decides, or names the first reason why it does not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diastole.edge.chunks import Bools, Floats
from diastole.edge.pipeline.judge import judge
from diastole.edge.pipeline.observations import (
    DECISIONS,
    NO_REASON,
    OBSERVATION,
    REASONS,
    SOURCES,
    STATUSES,
    Observations,
    Readings,
)
from diastole.edge.records import BeatKind, Decision, HeartRateKind, NormalStatus, Reason
from diastole.edge.schema import FEATURE_NAMES, INPUT_NAMES
from tests.pipeline.walking import RULES

ORDER = [
    Reason.ASLEEP,
    Reason.EXERTION,
    Reason.POOR_SIGNAL,
    Reason.TOO_FEW_BEATS,
    Reason.CALIBRATING,
    Reason.NO_MODEL,
    Reason.MODEL_REFUSED,
    Reason.UNLIKE_TRAINING,
    Reason.UNCERTAIN,
]
OUTLIER = 9.0


class Echo:
    """A model whose probability is its one input; over 1 it has seen nothing like it."""

    inputs = ("hr_above_normal_3min",)

    def __init__(self) -> None:
        self.asked = 0

    def score(self, inputs: Floats) -> Floats:
        self.asked += len(inputs)
        return np.where(inputs[:, 0] > 1, 0.5, inputs[:, 0])

    def unlike_training(self, inputs: Floats) -> Bools:
        strange: Bools = inputs[:, 0] > 1
        return strange


def observed(n: int = 1, p: float = 0.9) -> Observations:
    """Give N observations that nothing speaks against."""
    rows = np.zeros(n, OBSERVATION)
    rows["coverage"] = 0.9
    rows["still_min"] = 6
    rows["normal_status"] = STATUSES.index(NormalStatus.PROVISIONAL)
    inputs = np.zeros((n, len(INPUT_NAMES)))
    inputs[:, INPUT_NAMES.index("hr_above_normal_3min")] = p
    return Observations(("strap",), rows, np.zeros((n, len(FEATURE_NAMES))), inputs)


def told(seen: Observations, model: Echo | None = None, *, refused: bool = False) -> Readings:
    return judge(seen, model, RULES, refused=refused)


def give(seen: Observations, reason: Reason) -> None:
    """Make the reason hold."""
    rows = seen.rows
    p = seen.inputs[:, INPUT_NAMES.index("hr_above_normal_3min")]
    match reason:
        case Reason.ASLEEP | Reason.EXERTION:
            rows[str(reason)] = True
        case Reason.POOR_SIGNAL:
            rows["coverage"] = 1.0201
        case Reason.TOO_FEW_BEATS:
            rows["coverage"] = 0.2999
        case Reason.CALIBRATING:
            rows["normal_status"] = STATUSES.index(NormalStatus.CALIBRATING)
        case Reason.UNLIKE_TRAINING:
            p[:] = OUTLIER
        case Reason.UNCERTAIN:
            p[:] = np.where(p == OUTLIER, p, 0.5)


def test_the_order_is_that_of_the_records() -> None:
    assert list(Reason) == ORDER


@given(st.sets(st.sampled_from(ORDER)))
def test_the_first_reason_that_holds_is_told(holding: set[Reason]) -> None:
    if {Reason.POOR_SIGNAL, Reason.TOO_FEW_BEATS} <= holding:
        holding -= {Reason.TOO_FEW_BEATS}
    if {Reason.NO_MODEL, Reason.MODEL_REFUSED} <= holding:
        holding -= {Reason.NO_MODEL}
    seen = observed()
    for reason in holding:
        give(seen, reason)
    without = bool(holding & {Reason.NO_MODEL, Reason.MODEL_REFUSED})
    model = None if without else Echo()
    (reason,) = told(seen, model, refused=Reason.MODEL_REFUSED in holding).reason
    first = min(holding, key=ORDER.index, default=None)
    assert reason == (NO_REASON if first is None else REASONS.index(first))


@pytest.mark.parametrize("reason", ORDER)
def test_each_reason_is_reached_and_decides_nothing(reason: Reason) -> None:
    seen = observed()
    give(seen, reason)
    without = reason in (Reason.NO_MODEL, Reason.MODEL_REFUSED)
    model = None if without else Echo()
    reading = told(seen, model, refused=reason == Reason.MODEL_REFUSED)
    assert REASONS[reading.reason[0]] == reason
    assert DECISIONS[reading.decision[0]] == Decision.UNDECIDED
    assert not reading.able[0]
    scored = reason in (Reason.UNLIKE_TRAINING, Reason.UNCERTAIN)
    assert np.isfinite(reading.p_stress[0]) == scored
    assert model is None or model.asked == scored


@pytest.mark.parametrize(
    ("p", "decision"),
    [
        (0.0, "calm"),
        (0.4699, "calm"),
        (0.47, "undecided"),
        (0.5, "undecided"),
        (0.53, "undecided"),
        (0.5301, "stress"),
        (1.0, "stress"),
    ],
)
def test_near_to_one_half_nothing_is_decided(p: float, decision: str) -> None:
    reading = told(observed(p=p), Echo())
    assert DECISIONS[reading.decision[0]] == decision
    assert (reading.reason[0] == NO_REASON) == (decision != "undecided")
    if decision == "undecided":
        assert REASONS[reading.reason[0]] == Reason.UNCERTAIN


def test_a_row_that_the_model_cannot_score_is_unlike_its_training() -> None:
    reading = told(observed(p=float("nan")), Echo())
    assert REASONS[reading.reason[0]] == Reason.UNLIKE_TRAINING


def test_an_episode_may_begin_where_motion_is_unknown() -> None:
    for activity_mg, still_min, able in ((np.nan, 0.0, True), (5.0, 4.9, False), (5.0, 5.0, True)):
        seen = observed(p=0.9)
        seen.rows["activity_mg"], seen.rows["still_min"] = activity_mg, still_min
        assert bool(told(seen, Echo()).able[0]) == able


def test_coverage_at_the_limits_is_enough() -> None:
    for coverage in (RULES.min_coverage, RULES.max_coverage):
        seen = observed()
        seen.rows["coverage"] = coverage
        assert told(seen, Echo()).reason[0] == NO_REASON


def test_a_track_must_cover_more() -> None:
    for kind, enough in ((HeartRateKind.SPECTRAL, False), (BeatKind.PPG, True)):
        seen = observed(2)
        seen.rows["source"] = SOURCES.index(kind)
        seen.rows["coverage"] = [RULES.track_coverage - 0.01, RULES.track_coverage]
        few = told(seen, Echo()).reason == REASONS.index(Reason.TOO_FEW_BEATS)
        assert few.tolist() == [not enough, False]


@pytest.mark.parametrize("kind", [HeartRateKind.DEVICE, HeartRateKind.SPECTRAL, BeatKind.PPI])
def test_the_device_s_average_of_a_moving_wearer_is_no_heart_rate(
    kind: HeartRateKind | BeatKind,
) -> None:
    seen = observed(4)
    seen.rows["source"] = SOURCES.index(kind)
    seen.rows["activity_mg"] = [0.0, RULES.average_mg, RULES.average_mg + 0.1, np.nan]
    reading = told(seen, Echo())
    blurred = [False, False, kind == HeartRateKind.DEVICE, False]
    assert (reading.reason == REASONS.index(Reason.POOR_SIGNAL)).tolist() == blurred
    assert np.isnan(reading.p_stress).tolist() == blurred


def test_without_an_own_hour_one_is_still_calibrating() -> None:
    seen = observed()
    seen.inputs[:, INPUT_NAMES.index("hr_rise_1h")] = np.nan
    assert REASONS[told(seen, Echo()).reason[0]] == Reason.CALIBRATING


def test_an_episode_may_begin_after_five_still_minutes() -> None:
    seen = observed(3)
    seen.rows["activity_mg"] = 4.0
    seen.rows["still_min"] = [4.9, 5.0, 60.0]
    assert told(seen, Echo()).able.tolist() == [False, True, True]


def test_rows_are_judged_each_by_itself() -> None:
    seen = observed(4)
    seen.rows["asleep"][1] = True
    seen.inputs[:, INPUT_NAMES.index("hr_above_normal_3min")] = [0.1, 0.9, OUTLIER, 0.9]
    reading = told(seen, Echo())
    assert [DECISIONS[d] for d in reading.decision] == ["calm", "undecided", "undecided", "stress"]
    assert reading.p_stress[[0, 3]].tolist() == [0.1, 0.9]
