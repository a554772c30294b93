"""The evaluation that ships is of the model that ships."""

import hashlib
import json
from importlib.resources import files

ARTIFACTS = files("diastole.models") / "artifacts"


def test_the_evaluation_beside_the_model_is_of_that_model() -> None:
    told = json.loads((ARTIFACTS / "evaluation.json").read_text(encoding="utf-8"))
    shipped = hashlib.sha256((ARTIFACTS / "stress.onnx").read_bytes()).hexdigest()
    assert told["made"]["command"] == "diastole evaluate"
    assert told["made"]["model"] == shipped
    assert set(told["made"]["people"]) == set(told["by_set"])
    # a person whose sensor was covered has a recording and no window to be judged by
    assert sum(told["made"]["people"].values()) - len(told["people"]) in range(2)
