"""Judge: observations to a probability and a decision. It never sees a beat."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from diastole.edge.chunks import Bools, Floats, Rows
from diastole.edge.pipeline.observations import (
    DECISIONS,
    NO_REASON,
    REASONS,
    SOURCES,
    STATUSES,
    Observations,
    Readings,
    well_covered,
)
from diastole.edge.pipeline.rules import Rules
from diastole.edge.records import Decision, HeartRateKind, NormalStatus, Reason
from diastole.edge.schema import INPUT_NAMES

Codes = NDArray[np.uint8]


class Scorer(Protocol):
    """What judge needs of a model."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs, in order."""
        ...

    def score(self, inputs: Floats) -> Floats:
        """Return p(stress) at prevalence one half; NaN where it cannot be told."""
        ...

    def unlike_training(self, inputs: Floats) -> Bools:
        """Return which rows lie outside what the model has seen."""
        ...


def judge(
    observed: Observations, model: Scorer | None, rules: Rules, *, refused: bool = False
) -> Readings:
    """Decide each observation, or say why not: the first reason that holds, in their order."""
    rows = observed.rows
    n = len(rows)
    learning = rows["normal_status"] == STATUSES.index(NormalStatus.CALIBRATING)
    learning |= np.isnan(observed.input("hr_rise_1h"))
    p_stress, strange = np.full(n, np.nan), np.zeros(n, np.bool_)
    missing = Reason.MODEL_REFUSED if refused else Reason.NO_MODEL
    holds = {
        Reason.ASLEEP: rows["asleep"],
        Reason.EXERTION: rows["exertion"],
        Reason.POOR_SIGNAL: (rows["coverage"] > rules.max_coverage) | _blurred(rows, rules),
        Reason.TOO_FEW_BEATS: ~well_covered(rows["source"], rows["coverage"], rules),
        Reason.CALIBRATING: learning,
        missing: np.full(n, model is None),
    }
    reason = _first(holds, np.full(n, NO_REASON, np.uint8))
    if model is not None:
        ready = reason == NO_REASON
        given = observed.inputs[ready][:, [INPUT_NAMES.index(name) for name in model.inputs]]
        p_stress[ready], strange[ready] = model.score(given), model.unlike_training(given)
    between = (p_stress >= rules.uncertain_low) & (p_stress <= rules.uncertain_high)
    reason = _first(
        {Reason.UNLIKE_TRAINING: strange | np.isnan(p_stress), Reason.UNCERTAIN: between}, reason
    )
    decided = reason == NO_REASON
    decision = np.full(n, DECISIONS.index(Decision.UNDECIDED), np.uint8)
    decision[decided] = np.where(
        p_stress[decided] > rules.uncertain_high,
        DECISIONS.index(Decision.STRESS),
        DECISIONS.index(Decision.CALM),
    )
    # where motion is unknown, an episode is recorded all the same
    still = np.isnan(rows["activity_mg"]) | (rows["still_min"] >= rules.still_min)
    return Readings(observed, p_stress, decision, reason, decided & still)


def _blurred(rows: Rows, rules: Rules) -> Bools:
    """Return where the heart rate is the device's own average, and the wearer moves."""
    average = rows["source"] == SOURCES.index(HeartRateKind.DEVICE)
    blurred: Bools = average & (rows["activity_mg"] > rules.average_mg)
    return blurred


def _first(holds: dict[Reason, Bools], reason: Codes) -> Codes:
    """Return the reasons with the first of ``holds`` put where there is none yet."""
    for name, where in holds.items():
        reason = np.where((reason == NO_REASON) & where, REASONS.index(name), reason)
    return reason.astype(np.uint8)
