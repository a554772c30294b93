"""The ONNX file, node by node, in double: what is missing is handled inside.

No converter has kernels in double for what a linear model needs, and single precision moves p.
The same model gives the same bytes.
"""

from typing import Final

import msgspec
import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

from diastole.edge.pipeline.scoring import METADATA_KEY, TENSOR_IN, TENSOR_OUT, Metadata
from diastole.models.fit import Linear

OPSET: Final = 17
IR_VERSION: Final = 8
"""What a runtime of 2022 opens."""


def onnx_bytes(linear: Linear, metadata: Metadata) -> bytes:
    """Return the model file: (N, inputs) doubles in, N doubles of p(stress) out."""
    size = len(linear.weights)
    double = TensorProto.DOUBLE
    steps = (
        ("IsNaN", [TENSOR_IN], "missing"),
        ("Where", ["missing", "fill", TENSOR_IN], "filled"),
        ("Sub", ["filled", "centre"], "centred"),
        ("Div", ["centred", "spread"], "scaled"),
        ("MatMul", ["scaled", "weights"], "weighed"),
        ("Add", ["weighed", "bias"], "logit"),
        ("Sigmoid", ["logit"], TENSOR_OUT),
    )
    graph = helper.make_graph(
        [helper.make_node(kind, given, [made]) for kind, given, made in steps],
        "stress",
        [helper.make_tensor_value_info(TENSOR_IN, double, ["N", size])],
        [helper.make_tensor_value_info(TENSOR_OUT, double, ["N"])],
        _constants(linear),
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="diastole",
        producer_version=metadata.version,
    )
    helper.set_model_props(model, {METADATA_KEY: msgspec.json.encode(metadata).decode()})
    checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _constants(linear: Linear) -> list[TensorProto]:
    columns = {
        "fill": linear.fill,
        "centre": linear.centre,
        "spread": linear.spread,
        "weights": linear.weights,
        "bias": np.array([linear.bias]),
    }
    return [numpy_helper.from_array(values, name) for name, values in columns.items()]
