"""A table of windows to a model file: who is in it, and what it says about itself."""

import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

import numpy as np

from diastole.edge.chunks import Floats
from diastole.edge.errors import InputError
from diastole.edge.pipeline.scoring import (
    MODEL_FORMAT,
    Golden,
    Limit,
    Metadata,
    NamedInput,
    Trained,
)
from diastole.edge.schema import FEATURE_SCHEMA, INPUT_SCHEMA, INPUTS
from diastole.models.datasets import HELD_OUT_FOR_DEMO
from diastole.models.export import export
from diastole.models.fit import Linear, extent, fit
from diastole.models.table import Table

CHOSEN: Final = ("hr_above_normal", "hr_rise_1h")
"""The inputs of the shipped model. On visits of under an hour the second alone is no worse; over a
day it alone has no word for a heart rate that stays high."""
PREVALENCE: Final = 0.5


def training_rows(table: Table, left_out: Sequence[str] = ()) -> Table:
    """Return the windows that a model may learn from.

    Labelled rest or stress, lacking nothing but a model, and of nobody left out; the person of the
    demo is always left out.
    """
    kept = table.task & ~np.isin(table.person, [HELD_OUT_FOR_DEMO, *left_out])
    rows = table.take(kept)
    return rows.take(rows.judgeable())


def train(table: Table, names: Sequence[str] = CHOSEN, left_out: Sequence[str] = ()) -> bytes:
    """Return the model file fitted to everybody in the table but those left out."""
    rows = training_rows(table, left_out)
    if rows.stress.all() or not rows.stress.any():
        what = "no windows of both rest and stress are left to learn from"
        raise InputError(what, "give recordings of several people with labels of both")
    linear = fit(rows, names)
    away = [person for person in (HELD_OUT_FOR_DEMO, *left_out) if person in table.person]
    return export(linear, describe(linear, rows, names, sorted(set(away))))


def describe(
    linear: Linear, rows: Table, names: Sequence[str], left_out: Sequence[str]
) -> Metadata:
    """Return what the model file says about itself."""
    inputs = rows.inputs(names)
    spread = extent(inputs)
    units = {item.name: item.unit for item in INPUTS}
    return Metadata(
        format=MODEL_FORMAT,
        version=version("diastole"),
        input_schema=INPUT_SCHEMA,
        feature_schema=FEATURE_SCHEMA,
        inputs=tuple(NamedInput(name, units[name]) for name in names),
        prevalence=PREVALENCE,
        trained=tuple(_trained(rows, name) for name in np.unique(rows.data_set).tolist()),
        left_out=tuple(left_out),
        rows_sha256=_digest(rows, inputs),
        centre=tuple(spread.centre.tolist()),
        covariance=tuple(tuple(row) for row in spread.covariance.tolist()),
        limits=tuple(
            Limit(tuple(names[column] for column in kept), distance)
            for kept, distance in spread.limits
        ),
        golden=_golden(linear),
    )


def _trained(rows: Table, data_set: str) -> Trained:
    own = rows.data_set == data_set
    return Trained(data_set, len(np.unique(rows.person[own])), int(own.sum()))


def _digest(rows: Table, inputs: Floats) -> str:
    found = hashlib.sha256()
    for column in (rows.data_set, rows.person, rows.label):
        found.update("\n".join(column.tolist()).encode())
    found.update(np.ascontiguousarray(inputs, "<f8").tobytes())
    return found.hexdigest()


def _golden(linear: Linear) -> tuple[Golden, ...]:
    """Take the middle, two spreads to either side of it, far out, and each input missing once."""
    steps = np.array([0.0, -2.0, 2.0, -50.0, 50.0])
    middle = linear.centre + linear.spread * steps[:, None]
    missing = np.where(np.eye(len(linear.centre), dtype=bool), np.nan, middle[2])
    rows = np.concatenate([middle, missing])
    return tuple(
        Golden(tuple(map(_or_none, row)), _or_none(p))
        for row, p in zip(rows.tolist(), linear.score(rows).tolist(), strict=True)
    )


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else value
