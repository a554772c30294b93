"""What is built: the tree whole, and a command that works where nothing else of ours is."""

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from diastole.edge import __version__
from tests.conftest import ROOT
from tests.house.tree import ROOMS, files


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the sdist and, from it, the wheel: the way of a release."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def empty(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into a new environment; return its Python.

    Dependencies are lent by a line in a .pth file: it puts this environment's libraries on the path
    without reading their own .pth files, so that the editable install stays out. Fetching them
    anew is done once, by .ci/run.
    """
    place = tmp_path_factory.mktemp("empty")
    venv.create(place, with_pip=False, symlinks=sys.platform != "win32")
    python = place / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    subprocess.run([*command, "--no-deps", "--no-index", str(wheel)], check=True)
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    home = subprocess.run([python, "-c", where], capture_output=True, text=True, check=True)
    lent = subprocess.run([sys.executable, "-c", where], capture_output=True, text=True, check=True)
    (Path(home.stdout.strip()) / "lent.pth").write_text(lent.stdout)
    return python


def run(*command: str | Path, cwd: Path) -> str:
    """Run away from the tree, so that only what is installed can be found."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_the_tree(wheel: Path) -> None:
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    grown = {path.split("/", 1)[1] for room in ROOMS for path in files(f"{room}/diastole")}
    assert packed == grown


def test_the_wheel_runs_in_an_empty_environment(empty: Path, tmp_path: Path) -> None:
    assert run(empty.with_name("diastole"), "--version", cwd=tmp_path) == (
        f"diastole {__version__}\n"
    )
    assert "replay" in run(empty, "-m", "diastole", "--help", cwd=tmp_path)


def test_the_wheel_brings_its_rooms_and_the_model(empty: Path, tmp_path: Path) -> None:
    code = (
        "from importlib.resources import files\n"
        "import diastole.edge, diastole.ingest, diastole.models\n"
        "print(diastole.edge.__file__)\n"
        "print(*[f.name for f in files('diastole.models').joinpath('artifacts').iterdir()])\n"
    )
    place, artifacts = run(empty, "-c", code, cwd=tmp_path).splitlines()
    assert Path(place).is_relative_to(empty.parents[1])
    assert ".onnx" in artifacts


def test_the_wheel_brings_the_demo_and_its_stories(empty: Path, tmp_path: Path) -> None:
    told = run(empty, "-m", "diastole", "demo", "--out", tmp_path / "out", cwd=tmp_path)
    assert "CHAPTER 1 (SIMULATED" in told
    assert "What was said, and what the study says" in told
