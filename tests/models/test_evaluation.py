"""The evaluation that ships is of the model that ships."""

import hashlib
import json
from collections import Counter
from importlib.resources import files

ARTIFACTS = files("diastole.models") / "artifacts"


def test_the_evaluation_beside_the_model_is_of_that_model() -> None:
    told = json.loads((ARTIFACTS / "evaluation.json").read_text(encoding="utf-8"))
    shipped = hashlib.sha256((ARTIFACTS / "stress.onnx").read_bytes()).hexdigest()
    assert told["made"]["command"] == "diastole evaluate"
    assert told["made"]["model"] == shipped
    held = told["made"]["people"]
    rows = Counter(person["data_set"] for person in told["people"])
    assert set(held) == set(told["by_set"]) == set(rows)
    assert all(rows[name] <= held[name] for name in held)  # not who has neither label
