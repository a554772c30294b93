"""What every test may ask for."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("diastole", deadline=None, print_blob=True)
settings.load_profile("diastole")

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """Give the folder of real recordings beside the project."""
    place = ROOT.parent / "shared" / "data"
    if not place.is_dir():
        reason = "no recordings beside the project: put the shared folder next to the clone"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return place
