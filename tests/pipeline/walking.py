"""Walk chunks through observe, and tell whether two walks said the same."""

from collections.abc import Iterable

import numpy as np

from diastole.edge.chunks import Bools, Chunk, Floats, Rows
from diastole.edge.features import engine
from diastole.edge.pipeline import observe, verdicts, windows
from diastole.edge.pipeline.judge import judge
from diastole.edge.pipeline.measure import Measured, measure
from diastole.edge.pipeline.observations import Observations, Readings, join_observations
from diastole.edge.pipeline.rules import Rules
from diastole.edge.pipeline.state import State, pack, unpack

RULES = Rules()


def walk(
    chunks: Chunk | Iterable[Chunk],
    *,
    resumed: bool = False,
    engine_name: str = "vectorised",
    state: observe.State | None = None,
) -> tuple[Observations, Rows, observe.State]:
    """Observe the chunks; give what was said, the judged beats by device name, and the state."""
    computing = engine(engine_name)
    state = state or observe.State()
    said, beats = [], []
    for chunk in [chunks] if isinstance(chunks, Chunk) else chunks:
        state, observed, judged = observe.step(state, chunk, computing, RULES)
        if resumed:
            state = unpack(pack(State(observed=state), RULES), RULES).observed
        said.append(observed)
        beats.append(judged.rows)
    return join_observations(said), np.concatenate(beats), state


def by_device(observed: Observations) -> Observations:
    """Give the rows by time and device; devices that say something are numbered by name."""
    rows = observed.rows.copy()
    names = tuple(sorted(observed.devices[place] for place in np.unique(rows["device"])))
    places = np.array(
        [names.index(name) if name in names else 0 for name in observed.devices] or [0], np.uint16
    )
    rows["device"] = places[rows["device"]]
    order = np.lexsort((rows["device"], rows["time_ns"]))
    return Observations(names, rows[order], observed.features[order], observed.inputs[order])


def assert_same(one: Observations, other: Observations) -> None:
    """Hold that times, counts and verdicts are equal, and features to 1e-9."""
    one, other = by_device(one), by_device(other)
    assert one.devices == other.devices
    for name in one.rows.dtype.names or ():
        np.testing.assert_array_equal(one.rows[name], other.rows[name], err_msg=name)
    np.testing.assert_allclose(one.features, other.features, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(one.inputs, other.inputs, rtol=1e-9, atol=1e-9)


def windows_of(chunk: Chunk) -> list[windows.Windows]:
    """Give the windows that a whole recording closes, a batch a device."""
    _, judged = verdicts.step(verdicts.State(), chunk)
    return windows.step(windows.State(), chunk, judged)[1]


def measured(chunk: Chunk) -> Measured:
    """Measure the windows of a recording of one device."""
    (batch,) = windows_of(chunk)
    return measure(batch, engine("vectorised"), RULES)


class Slope:
    """A model of two inputs."""

    inputs = ("hr_above_normal", "hr_rise_1h")

    def score(self, inputs: Floats) -> Floats:
        """Return a logistic of both."""
        p: Floats = 1 / (1 + np.exp(1.0 - 0.4 * inputs[:, 0] - 5 * inputs[:, 1]))
        return p

    def unlike_training(self, inputs: Floats) -> Bools:
        """Return what is far from everything."""
        strange: Bools = np.abs(inputs[:, 0]) > 9
        return strange


def told(observed: Observations) -> Readings:
    """Judge by a model that is plain enough to stand in a test."""
    return judge(by_device(observed), Slope(), RULES)
