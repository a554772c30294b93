"""A model leaves only when its file says what the model says, reckoned by another way."""

from pathlib import Path
from typing import Final

import numpy as np
from sklearn.linear_model import LogisticRegression

from diastole.edge.chunks import Floats
from diastole.edge.errors import ModelRefused
from diastole.edge.pipeline.scoring import Metadata, read_model
from diastole.models.fit import Linear
from diastole.models.graph import onnx_bytes

ROWS: Final = 1000
MISSING: Final = 0.2
"""Share of the values that are NaN."""
TOLERANCE: Final = 1e-5
SEED: Final = 23
EXPORT: Final = Path("export")


def export(linear: Linear, metadata: Metadata) -> bytes:
    """Return the model file; raise ModelRefused where it and scikit-learn differ."""
    content = onnx_bytes(linear, metadata)
    check_export(content, linear)
    return content


def check_export(content: bytes, linear: Linear) -> None:
    """Raise ModelRefused where p of 1,000 rows, NaN among them, differs by more than 1e-5."""
    rows = check_rows(linear)
    told, wanted = read_model(content, EXPORT).score(rows), by_scikit_learn(linear, rows)
    same = np.isclose(told, wanted, rtol=0, atol=TOLERANCE, equal_nan=True)
    if not same.all():
        what = f"does not say what scikit-learn says in {int((~same).sum())} of {ROWS} rows"
        raise ModelRefused(EXPORT, what, "nothing is written; the graph must be mended")


def check_rows(linear: Linear) -> Floats:
    """Return rows around the training's middle and far out, a fifth of the values missing."""
    random = np.random.default_rng(SEED)
    size = len(linear.weights)
    rows = linear.centre + linear.spread * random.standard_t(2, (ROWS, size))
    holes: Floats = np.where(random.random((ROWS, size)) < MISSING, np.nan, rows)
    return holes


def by_scikit_learn(linear: Linear, rows: Floats) -> Floats:
    """Return p of each row by a scikit-learn regression of the same coefficients."""
    other = LogisticRegression()
    other.classes_ = np.array([False, True])
    other.coef_ = (linear.weights / linear.spread)[None, :]
    other.intercept_ = np.array([linear.bias - other.coef_[0] @ linear.centre])
    missing = np.isnan(rows)
    needed = (missing & np.isnan(linear.fill)).any(axis=1)
    p = other.predict_proba(np.where(missing, np.nan_to_num(linear.fill), rows))[:, 1]
    p[needed] = np.nan
    told: Floats = p
    return told
