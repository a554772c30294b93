"""Model inputs to the probability of stress, by an ONNX file that says what it is.

A model fits when its metadata names our format and input schema, when it asks only for inputs that
the schema has, and when it reproduces its own golden rows. The graph handles what is missing: NaN
where it has no p without an input, a neutral value elsewhere.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from diastole.edge.chunks import Bools, Floats, Ints
from diastole.edge.errors import ModelRefused
from diastole.edge.schema import INPUT_NAMES, INPUT_SCHEMA

MODEL_FORMAT: Final = "1"
"""Version of the metadata below."""
METADATA_KEY: Final = "diastole"
"""The ONNX metadata entry that holds :class:`Metadata` as JSON."""
TENSOR_IN: Final = "inputs"
TENSOR_OUT: Final = "p_stress"
GOLDEN_TOLERANCE: Final = 1e-9

_TRAIN: Final = "give a model that `diastole train` wrote"
_RETRAIN: Final = "train it again with this version (`diastole train`)"


class NamedInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One input, in the order of the graph's columns."""

    name: str
    unit: str


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far out the training rows lie, measured over the inputs that are present."""

    present: tuple[str, ...]
    distance: float
    """99.5th centile of the Mahalanobis distance of the training rows that have these inputs."""


class Trained(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A data set that the model has seen."""

    data_set: str
    people: int
    windows: int


class Golden(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row and the p that belongs to it; None stands for NaN."""

    inputs: tuple[float | None, ...]
    p_stress: float | None


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """What a model file says about itself."""

    format: str
    version: str
    """The diastole that trained it."""
    input_schema: str
    feature_schema: str
    inputs: tuple[NamedInput, ...]
    prevalence: float
    """Share of stress at which p is stated."""
    trained: tuple[Trained, ...]
    left_out: tuple[str, ...]
    """People of those sets whom the model has never seen."""
    rows_sha256: str
    """Of the training rows."""
    centre: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...]
    limits: tuple[Limit, ...]
    golden: tuple[Golden, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A model that fits: scores rows of ``inputs``, and tells which it has never seen the like of.

    There is no p (NaN) where an input is missing that the graph cannot do without.
    """

    inputs: tuple[str, ...]
    hash: str
    """sha256 of the file, 64 hex digits."""
    metadata: Metadata
    _session: Any

    def score(self, inputs: Floats) -> Floats:
        """Return p(stress) of each row (N, len(self.inputs)); it does not depend on the others."""
        if not len(inputs):
            return np.empty(0)
        (p,) = self._session.run([TENSOR_OUT], {TENSOR_IN: np.ascontiguousarray(inputs, float)})
        scores: Floats = p
        return scores

    def unlike_training(self, inputs: Floats) -> Bools:
        """Return which rows lie further out than the training rows' 99.5th centile.

        The distance is Mahalanobis' over the inputs present in a row; a combination of them that
        training never met is unlike it.
        """
        about = self.metadata
        distance = distances(inputs, np.array(about.centre), np.array(about.covariance))
        limits = {limit.present: limit.distance for limit in about.limits}
        limit = np.full(len(inputs), -np.inf)
        for present, rows in alike(inputs):
            names = tuple(self.inputs[column] for column in present)
            limit[rows] = limits.get(names, -np.inf)
        return distance > limit


def distances(inputs: Floats, centre: Floats, covariance: Floats) -> Floats:
    """Return the Mahalanobis distance of each row over the inputs present (0 without any)."""
    away = inputs - centre
    distance = np.zeros(len(inputs))
    for present, rows in alike(inputs):
        part = away[np.ix_(rows, present)]
        solved = np.linalg.solve(covariance[np.ix_(present, present)], part.T).T
        distance[rows] = np.sqrt((part * solved).sum(axis=1))
    return distance


def alike(inputs: Floats) -> Iterator[tuple[Ints, Ints]]:
    """Yield the columns present in some rows, and those rows, for each combination that occurs."""
    present = ~np.isnan(inputs)
    code = present @ (1 << np.arange(inputs.shape[1]))
    for value in np.unique(code):
        rows = np.flatnonzero(code == value)
        yield np.flatnonzero(present[rows[0]]), rows


def shipped() -> Path:
    """Return where the shipped model lies, without importing the room that made it."""
    spec = find_spec("diastole.models")
    if spec is None or not spec.submodule_search_locations:
        what = "carries no model"
        raise ModelRefused(Path("diastole"), what, "install it anew, or give --model FILE")
    return Path(spec.submodule_search_locations[0]) / "artifacts" / "stress.onnx"


def load_model(path: Path) -> Model:
    """Open a model file; raise ModelRefused, with what to do, unless it fits this version."""
    try:
        content = path.read_bytes()
    except OSError as error:
        what = f"cannot be read ({error.strerror or error})"
        raise ModelRefused(path, what, "give the path of a model file, or --model none") from error
    return read_model(content, path)


def read_model(content: bytes, path: Path) -> Model:
    """Return the model that the bytes of a file hold; raise ModelRefused unless it fits."""
    session = _session(content, path)
    metadata = _metadata(session, path)
    _check_schema(metadata, path)
    _check_tensors(session, len(metadata.inputs), path)
    names = tuple(item.name for item in metadata.inputs)
    model = Model(names, hashlib.sha256(content).hexdigest(), metadata, session)
    _check_golden(model, path)
    return model


def _session(content: bytes, path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what is wrong is said once, by us
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no base of their own
        raise ModelRefused(path, "is not an ONNX model that can be run", _TRAIN) from error


def _metadata(session: Any, path: Path) -> Metadata:
    entry = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    if entry is None:
        raise ModelRefused(path, "is an ONNX model without diastole's metadata", _TRAIN)
    try:
        found = json.loads(entry)
        if found["format"] != MODEL_FORMAT:
            what = f"has metadata of format {found['format']}, not {MODEL_FORMAT}"
            raise ModelRefused(path, what, _RETRAIN)
        return msgspec.convert(found, Metadata)
    except (msgspec.ValidationError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise ModelRefused(path, f"has damaged metadata ({error})", _TRAIN) from error


def _check_schema(metadata: Metadata, path: Path) -> None:
    if metadata.input_schema != INPUT_SCHEMA:
        what = f"takes inputs of schema {metadata.input_schema}, not {INPUT_SCHEMA}"
        raise ModelRefused(path, what, _RETRAIN)
    unknown = [item.name for item in metadata.inputs if item.name not in INPUT_NAMES]
    if unknown:
        what = f"asks for {', '.join(unknown)}, which schema {INPUT_SCHEMA} does not have"
        raise ModelRefused(path, what, _RETRAIN)
    size = len(metadata.inputs)
    shape = (len(metadata.centre), *map(len, metadata.covariance))
    if not size or shape != (size,) * (size + 1) or not _is_covariance(metadata.covariance):
        what = "has damaged metadata (centre and covariance do not fit its inputs)"
        raise ModelRefused(path, what, _TRAIN)


def _is_covariance(rows: tuple[tuple[float, ...], ...]) -> bool:
    try:
        np.linalg.cholesky(np.array(rows))
    except np.linalg.LinAlgError:
        return False
    return True


def _check_tensors(session: Any, size: int, path: Path) -> None:
    """Hold the graph to (N, size) doubles in, N doubles out."""
    for tensors, name, rest in (
        (session.get_inputs(), TENSOR_IN, [size]),
        (session.get_outputs(), TENSOR_OUT, []),
    ):
        found = [(item.name, item.type, item.shape[1:]) for item in tensors]
        if found != [(name, "tensor(double)", rest)]:
            wanted = " x ".join(map(str, ["N", *rest]))
            what = f"does not have the one tensor {name} of {wanted} doubles"
            raise ModelRefused(path, what, _TRAIN)


def _check_golden(model: Model, path: Path) -> None:
    golden = model.metadata.golden
    if not golden or any(len(row.inputs) != len(model.inputs) for row in golden):
        what = "has no golden rows that fit its inputs"
        raise ModelRefused(path, what, _TRAIN)
    rows = np.array([row.inputs for row in golden], float)
    wanted = np.array([row.p_stress for row in golden], float)
    try:
        scores = model.score(rows)
    except Exception as error:
        raise ModelRefused(path, "cannot be run on its own golden rows", _TRAIN) from error
    if scores.shape != wanted.shape or not np.allclose(
        scores, wanted, rtol=0, atol=GOLDEN_TOLERANCE, equal_nan=True
    ):
        what = "does not reproduce its golden rows on this machine"
        raise ModelRefused(path, what, _RETRAIN)
