"""Notebooks run afresh, from the package alone, and what their files show is still true.

``python -m tests.test_notebooks`` runs them and puts what they show into their files.
"""

import base64
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbformat import NotebookNode

from tests.conftest import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MOST_BYTES = 400_000
VARIES = "varies"
"""Tag of a cell whose words differ between machines: versions of libraries, rounding."""


def executed(path: Path) -> NotebookNode:
    """Run a notebook with this Python in an empty folder; raise where a cell fails."""
    notebook: NotebookNode = nbformat.read(path, as_version=4)
    this_python = KernelSpecManager(kernel_dirs=[])  # none installed: ipykernel gives its own
    with TemporaryDirectory() as elsewhere:
        NotebookClient(
            notebook,
            km=AsyncKernelManager(kernel_name="python3", kernel_spec_manager=this_python),
            resources={"metadata": {"path": elsewhere}},
            timeout=300,
            record_timing=False,
        ).execute(cleanup_kc=True)
    return notebook


def text_of(notebook: NotebookNode) -> str:
    """Return a notebook as its file has it: without what only says where it ran."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return str(nbformat.writes(notebook)) + "\n"


def words(notebook: NotebookNode) -> Iterator[tuple[str, str]]:
    """Give each cell's source with what it prints, where that is the same on every machine."""
    for cell in notebook.cells:
        lasting = VARIES not in cell.metadata.get("tags", ())
        printed = [out.text for out in cell.get("outputs", ()) if "text" in out]
        yield cell.source, "".join(printed) if lasting else ""


def pictures(notebook: NotebookNode) -> list[bytes]:
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", ())]
    drawn = [out.data["image/png"] for out in outputs if "image/png" in out.get("data", {})]
    return [base64.b64decode(picture) for picture in drawn]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_what_its_file_shows(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")  # else jupyter_core warns
    committed, fresh = nbformat.read(path, as_version=4), executed(path)
    outputs = [out for cell in fresh.cells for out in cell.get("outputs", ())]
    assert [out.text for out in outputs if out.get("name") == "stderr"] == []
    assert list(words(fresh)) == list(words(committed)), "renew it: python -m tests.test_notebooks"
    assert len(pictures(fresh)) == len(pictures(committed)) >= 4
    assert all(picture.startswith(b"\x89PNG") for picture in pictures(fresh))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_valid_small_and_says_nothing_of_where_it_ran(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert path.stat().st_size < MOST_BYTES
    assert path.read_text(encoding="utf-8") == text_of(notebook)


def test_the_door_plate_names_every_notebook() -> None:
    plate = (ROOT / "notebooks" / "README.md").read_text(encoding="utf-8")
    assert NOTEBOOKS
    assert [path.name for path in NOTEBOOKS if f"`{path.name}`" not in plate] == []


if __name__ == "__main__":
    for notebook_path in NOTEBOOKS:
        notebook_path.write_text(text_of(executed(notebook_path)), encoding="utf-8")
