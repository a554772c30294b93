"""The gate of the export: a file that is silently wrong does not leave."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from diastole.edge.errors import ModelRefused
from diastole.edge.pipeline.scoring import read_model
from diastole.models.export import ROWS, by_scikit_learn, check_export, check_rows, export
from diastole.models.fit import Linear
from diastole.models.graph import onnx_bytes
from diastole.models.train import describe
from tests.models import made


def silently(wrong: Linear) -> bytes:
    """Give a file that is wrong, and whose own golden rows agree with it."""
    return onnx_bytes(wrong, describe(wrong, made.table(), made.NAMES, ()))


def test_what_agrees_leaves_as_it_is() -> None:
    content = export(made.linear(), made.metadata())
    assert content == onnx_bytes(made.linear(), made.metadata())


@pytest.mark.parametrize(
    "wrong",
    [
        replace(made.linear(), fill=np.array([np.nan, 0.0])),
        replace(made.linear(), fill=np.array([0.5, 0.25])),
        replace(made.linear(), weights=made.linear().weights[::-1]),
        replace(made.linear(), spread=made.linear().spread * 1.001),
        replace(made.linear(), bias=made.linear().bias + 1e-4),
    ],
    ids=["neutral value", "p without heart rate", "inputs exchanged", "scale", "bias"],
)
def test_a_silently_wrong_graph_is_refused(wrong: Linear) -> None:
    content = silently(wrong)
    read_model(content, Path("wrong"))  # nothing else sees it
    with pytest.raises(ModelRefused, match="scikit-learn"):
        check_export(content, made.linear())


def test_the_rows_hold_missing_values_and_lie_far_out() -> None:
    rows = check_rows(made.linear())
    assert rows.shape == (ROWS, 2)
    assert 0.15 < np.isnan(rows).mean() < 0.25
    standard = (rows - made.linear().centre) / made.linear().spread
    assert np.nanmax(np.abs(standard)) > 10


def test_the_other_way_knows_where_there_is_no_p() -> None:
    rows = np.array([[np.nan, 1.0], [1.0, np.nan], [1.0, 0.25]])
    p = by_scikit_learn(made.linear(), rows)
    assert np.isnan(p).tolist() == [True, False, False]
    assert p[1] == p[2]
    assert p == pytest.approx(made.linear().score(rows), nan_ok=True)
