"""What holds for every tracked file, and what must agree between them."""

import re
import tomllib
from collections.abc import Iterator
from itertools import chain

import pytest

from diastole.edge import __version__
from diastole.edge.records import Reason
from tests.conftest import ROOT
from tests.house.tree import ROOMS, files

MOST_LINES = 400
# In pieces, or this file would be the first to offend.
REGISTRY = re.compile(
    r"(?:"
    + "|".join(["pypi", "pythonhosted", "npmjs", "crates", "debian"])
    + r")\.(?:org|io|com|net)",
    re.IGNORECASE,
)
MACHINE = re.compile(
    r"(?<![\w.<~$}])/(?:" + "|".join(["home", "root", "Users", "work", "mnt"]) + r")/\w"
)


def lines() -> Iterator[tuple[str, str]]:
    """Every line of every text file, with where it stands."""
    for path in files():
        try:
            text = (ROOT / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            yield f"{path}:{number}", line


@pytest.mark.parametrize("pattern", [REGISTRY, MACHINE], ids=["registry host", "machine's path"])
def test_no_file_names(pattern: re.Pattern[str]) -> None:
    assert [f"{place}: {line[:120]}" for place, line in lines() if pattern.search(line)] == []


def test_a_module_can_be_read_in_one_sitting() -> None:
    modules = [path for path in files(*ROOMS) if path.endswith(".py")]
    sizes = {path: len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in modules}
    assert {path: lines for path, lines in sizes.items() if lines > MOST_LINES} == {}


def test_the_version_is_one() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## \[(\d[^\]]*)\]", changes, re.MULTILINE)
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    cited = re.search(r"^version: (\S+)$", citation, re.MULTILINE)
    assert newest is not None
    assert cited is not None
    assert newest[1] == cited[1] == __version__


def test_every_direct_requirement_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = chain.from_iterable(project["optional-dependencies"].values())
    wanted = {name_of(line) for line in chain(project["dependencies"], extras)} - {"diastole"}
    pins = (ROOT / "configs" / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {name_of(line) for line in pins if "==" in line}
    assert wanted <= pinned


def name_of(requirement: str) -> str:
    """Distribution name at the beginning of a requirement, as indexes spell it."""
    found = re.match(r"[A-Za-z0-9._-]*", requirement)
    assert found is not None
    return re.sub(r"[-_.]+", "-", found[0]).lower()


@pytest.mark.parametrize("room", ROOMS)
def test_a_door_plate_names_what_is_there_and_no_more(room: str) -> None:
    plate = (ROOT / room / "README.md").read_text(encoding="utf-8")
    named = {part.rstrip("/") for part in re.findall(r"^\| `([a-z_]+(?:\.py|/))`", plate, re.M)}
    inside = f"{room}/diastole/{room}/"
    there = {path.removeprefix(inside).split("/")[0] for path in files(inside)}
    assert named == there - {"__init__.py", "py.typed"}


def test_the_front_page_explains_every_reason() -> None:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [reason for reason in Reason if f"`{reason}`" not in page] == []
