"""One namespace in three folders, each class loaded once, and a pipeline that stays light."""

import subprocess
import sys
from importlib import import_module
from pkgutil import walk_packages

import pytest

import diastole
from tests.house.tree import ROOMS

HEAVY = (
    *("influxdb_client", "matplotlib", "neurokit2", "onnxruntime", "paho", "pandas", "pyarrow"),
    *("scipy", "sklearn"),
)


def modules(room: str) -> list[str]:
    """Every module of a room, loaded on the way."""
    package = import_module(room)
    inner = [found.name for found in walk_packages(package.__path__, f"{room}.")]
    return [room, *inner]


def test_the_namespace_belongs_to_no_file() -> None:
    assert getattr(diastole, "__file__", None) is None


def test_rooms_load_once_and_under_their_own_name() -> None:
    for room in ROOMS:
        for name in modules(f"diastole.{room}"):
            import_module(name)
    import_module("diastole.__main__")
    assert not {name for name in sys.modules if name.split(".")[0] in ROOMS}


def loaded_heavy(room: str) -> list[str]:
    """Heavy libraries that a fresh interpreter holds after every module of a room of edge."""
    code = (
        "import sys\n"
        "from importlib import import_module\n"
        "from pkgutil import walk_packages\n"
        f"package = import_module('diastole.edge.{room}')\n"
        "for found in walk_packages(getattr(package, '__path__', []), package.__name__ + '.'):\n"
        "    import_module(found.name)\n"
        f"print(*sorted(set({HEAVY!r}) & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.parametrize("room", ["pipeline", "signal", "features", "formats", "replay"])
def test_a_room_loads_no_heavy_library(room: str) -> None:
    assert loaded_heavy(room) == []
