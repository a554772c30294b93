"""A settings file is right as a whole, or every mistake in it is told at once, with its line."""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diastole.edge.errors import BadFile, InputError, Mistakes
from diastole.edge.settings import Mistake, Zone, read, read_table


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    colour: Colour
    size: Annotated[float, msgspec.Meta(gt=0, le=10)] = 1.0
    of: Annotated[int, msgspec.Meta(ge=1)] | None = None


class Shelf(msgspec.Struct, frozen=True, kw_only=True):
    parts: list[Part] = []
    room: float = 3.0

    def mistakes(self) -> Iterator[Mistake]:
        for k, part in enumerate(self.parts):
            if part.size > self.room:
                yield Mistake(("parts", k, "size"), "it does not fit", "take a larger shelf")


class House(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    shelves: list[Shelf] = []
    loft: Shelf | None = None
    zone: Zone = Zone("UTC")
    since: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    way: Literal["up", "down"] = "up"
    big: bool = False


GOOD = """
name = "h"  # a remark = 3
zone = "Europe/Berlin"
since = 2024-05-06T09:00:00+02:00
[loft]
room = 4
[[shelves]]
[[shelves]]
room = 9
[[shelves.parts]]
colour = "red"
[[shelves.parts]]
colour = "green"
size = 8
of = 2
"""


def settings(tmp_path: Path, text: str) -> House:
    path = tmp_path / "house.toml"
    path.write_text(text, encoding="utf-8")
    return read(path, House)


def told(tmp_path: Path, text: str) -> list[str]:
    """Give the sentences of all mistakes, without the file's name."""
    with pytest.raises(Mistakes) as caught:
        settings(tmp_path, text)
    return str(caught.value).replace(f"{tmp_path / 'house.toml'}", "").splitlines()


def test_a_file_that_is_right_is_read_with_its_defaults(tmp_path: Path) -> None:
    house = settings(tmp_path, GOOD)
    assert (house.name, house.zone, house.way) == ("h", "Europe/Berlin", "up")
    assert house.loft == Shelf(room=4)
    assert [len(shelf.parts) for shelf in house.shelves] == [0, 2]
    assert house.shelves[1].parts[1] == Part(colour=Colour.GREEN, size=8, of=2)


def test_every_mistake_is_told_at_once_in_the_order_of_lines(tmp_path: Path) -> None:
    text = """name = 3
zone = "Mars/Olympus"
since = 2024-05-06T09:00:00
wey = "up"
way = "dow"
big = 1
[loft]
room = nan
[[shelves]]
[[shelves.parts]]
colour = "gren"
size = -2
[[shelves.parts]]
size = "big"
[[shelves]]
[[shelves.parts]]
colour = "blue"
of = 0
"""
    assert told(tmp_path, text) == [
        ", line 1: name is 3: give text in quotes",
        ", line 2: zone is 'Mars/Olympus': give a time zone, as in Europe/Berlin",
        ", line 3: since is 2024-05-06 09:00:00: "
        "give a date and time with its zone, as in 2024-05-06T09:00:00Z",
        ", line 4: unknown setting 'wey': did you mean 'way'?",
        ", line 5: way is 'dow': did you mean 'down'?",
        ", line 6: big is 1: give true or false",
        ", line 8: room is nan: give a number",
        ", line 11: colour is 'gren': did you mean 'green'?",
        ", line 12: size is -2: give a number over 0 up to 10",
        ", line 13: colour is missing: give one of red, green",
        ", line 14: size is 'big': give a number over 0 up to 10",
        ", line 17: colour is 'blue': give one of red, green",
        ", line 18: of is 0: give a whole number from 1",
    ]


def test_what_fields_are_to_each_other_is_told_beside_other_mistakes(tmp_path: Path) -> None:
    text = """name = 3
[[shelves]]
parts = [{ colour = "red" },
  { colour = "red", size = 5 }]
"""
    assert told(tmp_path, text) == [
        ", line 1: name is 3: give text in quotes",
        ", line 3: it does not fit: take a larger shelf",
    ]


def test_a_setting_that_is_like_no_other_is_told_what_there_is(tmp_path: Path) -> None:
    assert told(tmp_path, "name = 'x'\n[loft]\nqqq = 1\n") == [
        ", line 3: unknown setting 'qqq': known are parts, room"
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", ": name is missing: give text in quotes"),
        ("name = 'x'\nloft = 3\n", ", line 2: loft is 3: give a table"),
        ("name = 'x'\nshelves = 3\n", ", line 2: shelves is 3: give a list"),
        ("name = 'x'\nshelves = [3, {}]\n", ", line 2: shelves[0] is 3: give a table"),
        ("name = ['x']\n", ", line 1: name is a list of 1: give text in quotes"),
        ("name = {a = 1}\n", ", line 1: name is a table: give text in quotes"),
        (
            "name = 'x'\nway = 'sideways, and then some way further on than that'\n",
            ", line 2: way is 'sideways, and then some way further ...: give one of up, down",
        ),
    ],
)
def test_a_value_of_another_shape_is_told(tmp_path: Path, text: str, sentence: str) -> None:
    assert told(tmp_path, text) == [sentence]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"a = 1\nname = \n", "house.toml, line 2: is no TOML (Invalid value): correct the line"),
        (b"[a]\n[a]\n", "is no TOML"),
        (b"\xff\xfe\x00", "house.toml: is no text: give a TOML file in UTF-8"),
        (b"a = " + b"[" * 5000, "is no TOML"),
    ],
)
def test_what_is_no_toml_is_told(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "house.toml"
    path.write_bytes(content)
    with pytest.raises(BadFile) as caught:
        read(path, House)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("name", "sentence"), [("none.toml", "no such file: check the path"), (".", "cannot be read")]
)
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str, sentence: str) -> None:
    with pytest.raises(BadFile, match=sentence):
        read(tmp_path / name, House)


values = st.recursive(
    st.sampled_from(["1", "-1", "nan", "true", '"red"', "''", "2024-05-06", "inf", "1e400"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(st.sampled_from(["colour", "room", "parts", "x"]), inner, max_size=2).map(
            lambda items: "{" + ", ".join(f"{k} = {v}" for k, v in items.items()) + "}"
        ),
    ),
    max_leaves=6,
)
keys = st.sampled_from(["name", "shelves", "loft", "zone", "since", "way", "big", "bog", "a.b"])


@given(st.dictionaries(keys, values, max_size=6))
def test_law_12_whatever_is_written_it_is_read_or_told(
    tmp_path_factory: pytest.TempPathFactory, written: dict[str, str]
) -> None:
    text = "".join(f"{key} = {value}\n" for key, value in written.items())
    path = tmp_path_factory.getbasetemp() / "drawn.toml"
    path.write_text(text, encoding="utf-8")
    problem, house = "", None
    try:
        house = read(path, House)
    except InputError as error:
        problem = str(error)
    assert problem.startswith(str(path)) or (house and house.name == written["name"].strip("\"'"))


def test_one_table_is_read_whatever_else_there_is(tmp_path: Path) -> None:
    path = tmp_path / "house.toml"
    path.write_text("else = 3\n[loft]\nroom = 4\n[other]\nx = 1\n")
    assert read_table(path, "loft", Shelf) == Shelf(room=4)
    assert read_table(path, "cellar", Shelf) is None
    path.write_text('else = 3\n[loft]\nroom = "x"\nrooms = 1\n')
    with pytest.raises(Mistakes) as caught:
        read_table(path, "loft", Shelf)
    assert [error.line for error in caught.value.found] == [3, 4]
