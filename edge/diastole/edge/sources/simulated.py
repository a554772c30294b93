"""A simulated wearer as a source: a scenario played as a recording is."""

from functools import partial
from hashlib import sha256

import msgspec

from diastole.edge.sources.replayed import NAMED, At, Played
from diastole.edge.sources.scenario import Scenario
from diastole.edge.sources.simulate import simulate


def simulated(scenario: Scenario, seed: int, *, speed: float, at: At = "now") -> Played:
    """Return the story as a source; the same scenario and seed have the same name."""
    told = sha256(msgspec.json.encode((scenario, seed), enc_hook=str)).hexdigest()
    return Played(
        name=f"simulate-{told[:NAMED]}",
        start_ns=scenario.start_ns,
        read=partial(simulate, scenario, seed),
        speed=speed,
        at=at,
        zone=str(scenario.zone),
        simulated=True,
    )
