"""Tables come back as they were written, with units and provenance, in every format."""

import csv
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diastole.edge import tables
from diastole.edge.errors import BadFile, InputError, MissingExtra, OutputError
from diastole.edge.schema import FEATURES, INPUTS
from diastole.edge.tables import (
    BEAT_UNITS,
    READING_UNITS,
    Columns,
    columns_of,
    default_suffix,
    read_columns,
    read_provenance,
    to_arrow,
    write,
)
from tests.views.wearer import lab_hour

SUFFIXES = (".parquet", ".csv", ".jsonl")
PROVENANCE = {"input": "ab" * 32, "engine": "vectorised", "settings": '{"a": "b,\\n\\"c\\""}'}


def same(first: Columns, second: Columns) -> None:
    assert list(first) == list(second)
    for name in first:
        assert first[name].dtype.kind == second[name].dtype.kind, name
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def few() -> Columns:
    return {
        "session": np.array(["a,b", 'c"d']),
        "time": np.array(["2024-05-03T07:30:05.250+00:00", ""]),
        "t_s": np.array([5.0, 0.1 + 0.2]),
        "beats": np.array([60, 0]),
        "p_stress": np.array([math.nan, 0.25]),
        "reason": np.array(["calibrating", ""]),
        "able": np.array([False, True]),
    }


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_hour_comes_back_as_it_was(tmp_path: Path, suffix: str) -> None:
    for number, columns in enumerate(lab_hour()):
        path = tmp_path / f"{number}{suffix}"
        write(columns, path, PROVENANCE)
        same(columns, read_columns(path))
        assert read_provenance(path) == PROVENANCE


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_table_without_rows_comes_back_with_its_columns(tmp_path: Path, suffix: str) -> None:
    columns = {name: column[:0] for name, column in few().items()}
    write(columns, tmp_path / f"t{suffix}", PROVENANCE)
    same(columns, read_columns(tmp_path / f"t{suffix}"))


@settings(max_examples=40)
@given(
    numbers=st.lists(st.floats(allow_infinity=False), min_size=1, max_size=20),
    text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=8),
)
def test_any_number_and_text_comes_back(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[float], text: str
) -> None:
    columns = {"t_s": np.array(numbers), "session": np.array([text] * len(numbers))}
    for suffix in SUFFIXES:
        path = tmp_path_factory.mktemp("any") / f"t{suffix}"
        write(columns, path, {})
        same(columns, read_columns(path))


def test_columns_of_readings_are_named_once_with_the_schemas_units() -> None:
    names = list(READING_UNITS)
    assert names[:6] == ["session", "subject", "device", "time", "t_s", "window_s"]
    assert names[6 : 6 + len(FEATURES)] == [feature.name for feature in FEATURES]
    assert names[-1] == "label"
    assert all(READING_UNITS[item.name] == item.unit for item in (*FEATURES, *INPUTS))
    assert set(lab_hour()[0]) == set(READING_UNITS)
    assert set(lab_hour()[1]) == set(BEAT_UNITS)


def test_arrow_says_units_and_where_it_came_from() -> None:
    table = to_arrow(few(), PROVENANCE)
    assert table.schema.field("t_s").metadata == {b"unit": b"s"}
    assert table.schema.field("session").metadata is None
    assert table.schema.metadata[b"engine"] == b"vectorised"
    assert str(table.schema.field("time").type) == "timestamp[ms, tz=UTC]"


def test_absent_is_null_in_arrow() -> None:
    table = to_arrow(few(), {})
    assert table["p_stress"].to_pylist() == [None, 0.25]
    assert table["reason"].to_pylist() == ["calibrating", None]
    assert table["time"].to_pylist()[1] is None


def test_csv_is_plain_and_its_metadata_stand_beside_it(tmp_path: Path) -> None:
    write(few(), tmp_path / "t.csv", PROVENANCE)
    with (tmp_path / "t.csv").open(newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows[0] == list(few())
    assert rows[1][2:] == ["5.0", "60", "", "calibrating", "false"]
    assert rows[2][2:] == ["0.30000000000000004", "0", "0.25", "", "true"]
    beside = json.loads((tmp_path / "t.csv-metadata.json").read_text())
    described = {column["name"]: column for column in beside["tableSchema"]["columns"]}
    assert described["t_s"] == {"name": "t_s", "datatype": "number", "schema:unitText": "s"}
    assert beside["url"] == "t.csv"
    assert beside["notes"]["provenance"] == PROVENANCE


def test_json_lines_begin_with_units_and_provenance(tmp_path: Path) -> None:
    write(few(), tmp_path / "t.jsonl", PROVENANCE)
    head, first, second = map(json.loads, (tmp_path / "t.jsonl").read_text().splitlines())
    assert head["provenance"] == PROVENANCE
    assert head["units"] == {"t_s": "s", "beats": "1", "p_stress": "1"}
    assert first["p_stress"] is None
    assert second["t_s"] == 0.1 + 0.2


def test_an_unknown_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"written as \.xlsx: end the name in \.parquet, \.csv"):
        write(few(), tmp_path / "t.xlsx", {})
    with pytest.raises(InputError, match="without a suffix"):
        write(few(), tmp_path / "t", {})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_table_that_exists_is_kept_unless_forced(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t{suffix}"
    write(few(), path, {"version": "1"})
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(OutputError, match="--force"):
        write(few(), path, {"version": "2"})
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
    write(few(), path, {"version": "2"}, force=True)
    assert read_provenance(path) == {"version": "2"}


def test_without_pyarrow_csv_and_json_lines_still_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setattr(tables, "find_spec", lambda _: None)
    assert default_suffix() == ".csv"
    for suffix in (".csv", ".jsonl"):
        write(few(), tmp_path / f"t{suffix}", {})
        same(few(), read_columns(tmp_path / f"t{suffix}"))
    with pytest.raises(MissingExtra, match=r"diastole\[tables\]"):
        write(few(), tmp_path / "t.parquet", {})
    assert not (tmp_path / "t.parquet").exists()


def test_parquet_is_the_default_where_it_can_be_written() -> None:
    assert default_suffix() == ".parquet"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_that_is_no_table_of_ours_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t{suffix}"
    path.write_text("nothing of the kind\n")
    with pytest.raises(BadFile, match="no whole table"):
        read_columns(path)


def test_rows_become_columns() -> None:
    columns = columns_of([{"session": "a", "worn_min": 1.5}, {"session": "bb", "worn_min": 0.0}])
    assert columns["session"].tolist() == ["a", "bb"]
    assert columns["worn_min"].tolist() == [1.5, 0.0]
    assert columns_of([]) == {}
