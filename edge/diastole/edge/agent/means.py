"""What all wearers' readings are made with."""

import logging
from dataclasses import dataclass
from pathlib import Path

from diastole.edge.agent.settings import Agent
from diastole.edge.errors import ModelRefused
from diastole.edge.features import Engine, engine
from diastole.edge.pipeline.rules import Rules
from diastole.edge.pipeline.scoring import Model, load_model, shipped

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Means:
    """Engine, rules and model."""

    engine: Engine
    rules: Rules
    model: Model | None
    refusal: str | None = None
    """Why the model file does not fit, where there is one."""


def means_of(agent: Agent) -> Means:
    """Return what the settings name; a model that does not fit is said, and done without."""
    model: Model | None = None
    refusal: str | None = None
    if agent.model != "none":
        try:
            model = load_model(
                shipped() if agent.model == "shipped" else Path(agent.model).expanduser()
            )
        except ModelRefused as error:
            refusal = str(error)
            log.error('model=refused why="%s"', error)
    return Means(engine=engine(agent.engine), rules=agent.detector, model=model, refusal=refusal)
