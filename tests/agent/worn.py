"""Wearers of invented recordings, stepped as the agent steps them."""

from collections.abc import Iterable, Sequence
from typing import Final, cast

import msgspec
import numpy as np

from diastole.edge.agent.means import Means
from diastole.edge.agent.settings import Subject
from diastole.edge.agent.wearer import Wearer
from diastole.edge.chunks import Bools, Chunk, Floats
from diastole.edge.delivery import Item
from diastole.edge.features import engine
from diastole.edge.pipeline.rules import Rules
from diastole.edge.pipeline.scoring import Model, load_model, shipped
from diastole.edge.records import Event, Reading
from diastole.edge.wire import Noun, encode

ANNA = Subject(name="anna")


def means(
    *, model: Model | None = None, refusal: str | None = None, rules: Rules | None = None
) -> Means:
    return Means(engine=engine("vectorised"), rules=rules or Rules(), model=model, refusal=refusal)


def shipped_model() -> Model:
    return load_model(shipped())


def wearer(
    saved: bytes | None = None, *, subject: Subject = ANNA, using: Means | None = None
) -> Wearer:
    return Wearer(subject, "UTC", using or means(), saved, simulated=False)


def stepped(one: Wearer, chunks: Iterable[Chunk]) -> list[Item]:
    return [item for chunk in chunks for item in one.step([chunk], chunk.until_ns)]


def records(items: Sequence[Item], kind: type[Noun]) -> list[Noun]:
    return [item.record for item in items if isinstance(item.record, kind)]


def readings(items: Sequence[Item]) -> list[Reading]:
    return [item.record for item in items if isinstance(item.record, Reading)]


def events(items: Sequence[Item]) -> list[Event]:
    return [item.record for item in items if isinstance(item.record, Event)]


def assert_alike(one: Sequence[Reading], other: Sequence[Reading]) -> None:
    """Hold that the readings say the same: exactly, and to 1e-9 in their features."""
    assert len(one) == len(other)
    for here, there in zip(one, other, strict=True):
        plain, again = msgspec.to_builtins(here), msgspec.to_builtins(there)
        assert plain.keys() == again.keys()
        for name, value in plain.items():
            if name in ("features", "inputs"):
                one_by_one = np.array(list(value.values()), float)
                others = np.array(list(again[name].values()), float)
                np.testing.assert_allclose(one_by_one, others, rtol=1e-9, atol=1e-9)
            elif isinstance(value, float):
                np.testing.assert_allclose(value, again[name], rtol=1e-6, atol=1e-6)
            else:
                assert value == again[name], name


def encoded(items: Sequence[Item]) -> list[bytes]:
    return [encode(item.record) for item in items]


class Sure:
    """A model that takes every minute with a heart rate over its normal for stress."""

    inputs = ("hr_above_normal",)
    hash = "0" * 64

    def score(self, inputs: Floats) -> Floats:
        p: Floats = np.where(inputs[:, 0] > 1, 0.9, 0.1)
        return p

    def unlike_training(self, inputs: Floats) -> Bools:
        nowhere: Bools = np.zeros(len(inputs), np.bool_)
        return nowhere


SURE: Final = cast("Model", Sure())
