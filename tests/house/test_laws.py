"""Each law of the house is a test that carries its number."""

import re

import pytest

from tests.conftest import ROOT
from tests.house.tree import files

LAWS = {
    1: "same walk",
    2: "no peeking",
    3: "no clock inside the model",
    4: "aligned",
    5: "mask, don't mend",
    6: "beat time is wall time",
    7: "say so",
    8: "their own normal",
    9: "held until stored",
    10: "one definition",
    11: "nothing outside",
    12: "bad input is a sentence",
}


@pytest.mark.parametrize("law", LAWS, ids=[f"{n}-{name}" for n, name in LAWS.items()])
def test_a_test_carries_the_number(law: int) -> None:
    named = re.compile(rf"def test_\w*law_{law}(?!\d)")
    tests = [path for path in files("tests") if path.endswith(".py")]
    assert any(named.search((ROOT / path).read_text(encoding="utf-8")) for path in tests)
