"""A model file that fits is scored; one that does not is refused with what to do."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from msgspec.structs import replace
from onnx import TensorProto, helper

from diastole.edge.errors import ModelRefused
from diastole.edge.pipeline.scoring import (
    METADATA_KEY,
    Metadata,
    Model,
    load_model,
    read_model,
    shipped,
)
from diastole.models.fit import sigmoid
from diastole.models.graph import onnx_bytes
from diastole.models.train import describe
from tests.models import made

PLACE = Path("some.onnx")


@pytest.fixture(scope="module")
def model() -> Model:
    return read_model(onnx_bytes(made.linear(), made.metadata()), PLACE)


@pytest.fixture(scope="module")
def rows() -> Any:
    rows = np.random.default_rng(3).normal(scale=3, size=(1000, 2))
    rows[::7, 1] = np.nan
    rows[::11, 0] = np.nan
    return rows


def test_the_graph_equals_the_formula_with_missing_inputs(model: Model, rows: Any) -> None:
    filled = np.where(np.isnan(rows[:, 1]), 0.25, rows[:, 1])
    logit = 1.25 * (rows[:, 0] - 0.5) / 1.5 - 0.5 * (filled + 0.25) / 0.75 - 0.125
    np.testing.assert_allclose(model.score(rows), sigmoid(logit), rtol=0, atol=1e-12)
    assert np.isnan(model.score(rows)).tolist() == np.isnan(rows[:, 0]).tolist()


def test_a_row_does_not_depend_on_its_batch(model: Model, rows: Any) -> None:
    alone = np.concatenate([model.score(row[None]) for row in rows])
    np.testing.assert_allclose(alone, model.score(rows), rtol=0, atol=1e-12)
    assert model.score(rows[:0]).shape == (0,)


def test_extremes_neither_overflow_nor_leave_the_unit_interval(model: Model) -> None:
    far = np.array([[1e300, 0.0], [-1e300, 0.0], [np.inf, 0.0], [-np.inf, 0.0]])
    assert model.score(far).tolist() == [1, 0, 1, 0]


def test_unlike_training_is_the_outer_half_percent_for_each_set_of_inputs_present() -> None:
    table = made.person("hongn", "f01", seed=1, n=3000)
    about = describe(made.linear(), table, made.NAMES, ())
    model = read_model(onnx_bytes(made.linear(), about), PLACE)
    inputs = table.inputs(made.NAMES)
    whole = inputs[~np.isnan(inputs).any(axis=1)]
    assert model.unlike_training(whole).mean() == pytest.approx(0.005, abs=0.0006)
    alone = np.where([True, False], inputs, np.nan)
    assert model.unlike_training(alone).mean() == pytest.approx(0.005, abs=0.0006)
    assert model.unlike_training(np.array([[40.0, 0], [40, np.nan], [0, 0]])).tolist() == [
        True,
        True,
        False,
    ]


def test_unlike_training_weighs_what_goes_together() -> None:
    random = np.random.default_rng(5)
    first = random.normal(size=2000)
    table = made.person("hongn", "f01", seed=1, n=6000)
    table.observations.inputs[:2000, 0] = first
    table.observations.inputs[:2000, 3] = first + random.normal(scale=0.1, size=2000)
    about = describe(made.linear(), table.take(np.arange(2000)), made.NAMES, ())
    model = read_model(onnx_bytes(made.linear(), about), PLACE)
    assert model.unlike_training(np.array([[1.5, 1.5], [1.5, -1.5]])).tolist() == [False, True]


def test_nothing_present_is_unlike_training(model: Model) -> None:
    assert model.unlike_training(np.full((2, 2), np.nan)).all()
    assert model.unlike_training(np.empty((0, 2))).shape == (0,)


def _without_metadata(content: bytes) -> bytes:
    found = onnx.load_from_string(content)
    del found.metadata_props[:]
    return bytes(found.SerializeToString())


def _with_text(text: str) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        found = onnx.load_from_string(content)
        helper.set_model_props(found, {METADATA_KEY: text})
        return bytes(found.SerializeToString())

    return change


def _saying(change: Callable[[Metadata], Metadata]) -> Callable[[bytes], bytes]:
    return lambda _: onnx_bytes(made.linear(), change(made.metadata()))


def _named(about: Metadata, name: str) -> Metadata:
    return replace(about, inputs=(replace(about.inputs[0], name=name), *about.inputs[1:]))


def _off_by(about: Metadata, much: float) -> Metadata:
    first = about.golden[0]
    assert first.p_stress is not None
    return replace(about, golden=(replace(first, p_stress=first.p_stress + much),))


def _retyped(content: bytes) -> bytes:
    """Return a graph whose input is single precision, cast inside."""
    found = onnx.load_from_string(content)
    found.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT
    for node in found.graph.node:
        node.input[:] = ["wide" if name == "inputs" else name for name in node.input]
    cast = helper.make_node("Cast", ["inputs"], ["wide"], to=TensorProto.DOUBLE)
    nodes = [cast, *found.graph.node]
    del found.graph.node[:]
    found.graph.node.extend(nodes)
    return bytes(found.SerializeToString())


UNFIT: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "text": (lambda _: b"t_s,rr_ms\n0,800\n", "is not an ONNX model"),
    "empty": (lambda _: b"", "is not an ONNX model"),
    "cut off": (lambda content: content[: len(content) // 2], "is not an ONNX model"),
    "no metadata": (_without_metadata, "without diastole's metadata"),
    "metadata that is no JSON": (_with_text("{"), "damaged metadata"),
    "metadata that is a list": (_with_text("[]"), "damaged metadata"),
    "metadata that lacks most": (_with_text('{"format": "1"}'), "damaged metadata"),
    "another format": (_saying(lambda about: replace(about, format="2")), "format 2, not 1"),
    "another schema": (
        _saying(lambda about: replace(about, input_schema="inputs-0")),
        "schema inputs-0, not inputs-1",
    ),
    "unknown input": (_saying(lambda about: _named(about, "eda")), "asks for eda"),
    "fewer inputs named": (
        _saying(lambda about: replace(about, inputs=about.inputs[:1])),
        "centre and covariance do not fit",
    ),
    "a covariance of nothing": (
        _saying(lambda about: replace(about, covariance=((0.0, 0.0), (0.0, 0.0)))),
        "centre and covariance do not fit",
    ),
    "wrong shape": (
        _saying(
            lambda about: replace(
                about, inputs=about.inputs[:1], centre=(0.0,), covariance=((1.0,),)
            )
        ),
        "one tensor inputs of N x 1 doubles",
    ),
    "single precision": (_retyped, "one tensor inputs of N x 2 doubles"),
    "no golden rows": (_saying(lambda about: replace(about, golden=())), "no golden rows"),
    "golden rows off": (_saying(lambda about: _off_by(about, 2e-9)), "does not reproduce"),
    "golden p where there is none": (
        _saying(lambda about: replace(about, golden=(replace(about.golden[0], p_stress=None),))),
        "does not reproduce",
    ),
}


@pytest.mark.parametrize(("change", "what"), UNFIT.values(), ids=UNFIT.keys())
def test_an_unfit_file_is_refused_in_one_sentence(
    tmp_path: Path, change: Callable[[bytes], bytes], what: str
) -> None:
    path = tmp_path / "unfit.onnx"
    path.write_bytes(change(onnx_bytes(made.linear(), made.metadata())))
    with pytest.raises(ModelRefused, match=what) as told:
        load_model(path)
    assert str(told.value).startswith(f"{path}: ")
    assert "diastole train" in told.value.remedy
    assert "\n" not in str(told.value)


def test_golden_rows_may_be_off_by_less_than_a_billionth() -> None:
    read_model(onnx_bytes(made.linear(), _off_by(made.metadata(), 5e-10)), PLACE)


@pytest.mark.parametrize("name", ["absent.onnx", "."])
def test_what_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelRefused, match="cannot be read"):
        load_model(tmp_path / name)


def test_the_hash_is_the_file_s(tmp_path: Path) -> None:
    content = onnx_bytes(made.linear(), made.metadata())
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    again = load_model(path)
    assert again.hash == read_model(content, PLACE).hash
    assert (
        again.hash
        != read_model(onnx_bytes(made.linear(), _off_by(made.metadata(), 1e-10)), PLACE).hash
    )
    assert again.inputs == made.NAMES


def test_the_shipped_model_is_found_without_importing_the_room_that_made_it() -> None:
    code = (
        "import sys; from diastole.edge.pipeline.scoring import shipped; shipped();"
        "print([name for name in sys.modules if name.startswith('diastole.models')"
        " or name == 'onnxruntime'])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_the_shipped_model_fits() -> None:
    assert load_model(shipped()).metadata.trained
