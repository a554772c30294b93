"""What every store does alike: rows in, rows out, and the same row twice is one row."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diastole.edge.wire.topics import Stream, Topic
from diastole.ingest.layout import rows_of
from diastole.ingest.stores import Row, RowsRefused, Store, influx
from tests.ingest.made import TAGS, event, reading, row
from tests.ingest.stores import KINDS, a_store

NOW_MS = int(time.time()) * 1000 - 86_400_000
EVER = (0, 2**60)


@dataclass
class Case:
    """A store, and wearers that no other test has written."""

    store: Store
    names: Iterator[str]

    def fresh(self) -> str:
        return next(self.names)


@pytest.fixture(scope="module", params=KINDS)
def case(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Case]:
    folder = tmp_path_factory.mktemp("store")
    with a_store(request.param, folder) as store:
        yield Case(store, (f"s{k}" for k in count()))


def test_rows_come_back_as_they_were(case: Case) -> None:
    who = case.fresh()
    at_ns = NOW_MS * 1_000_000
    rows = [
        *rows_of(Topic("home", "pi", who, Stream.READING), reading(at_ns)),
        *rows_of(
            Topic("home", "pi", who, Stream.READING), reading(at_ns + 5 * 10**9, p_stress=None)
        ),
    ]
    episode = rows_of(Topic("home", "pi", who, Stream.EVENT), event(at_ns))
    case.store.write([rows[1], *episode, rows[0]])
    assert list(case.store.read("reading", {"subject": who}, (), *EVER)) == rows
    assert list(case.store.read("event", {"subject": who, "device": "strap"}, (), *EVER)) == episode


def test_the_same_row_twice_is_one(case: Case) -> None:
    who = case.fresh()
    given = [row(NOW_MS + k, {"online": 1.0}, "status", subject=who) for k in range(3)]
    for _ in range(2):
        case.store.write(given)
    case.store.write(given[:1] * 2)
    assert list(case.store.read("status", {"subject": who}, (), *EVER)) == given


def test_a_field_given_again_replaces_and_the_others_stay(case: Case) -> None:
    who = case.fresh()
    case.store.write(
        [row(NOW_MS, {"rev": 1.0, "text": "running", "peak_p": 0.8}, "event", subject=who)]
    )
    case.store.write([row(NOW_MS, {"rev": 2.0, "text": "", "end_ms": 5.0}, "event", subject=who)])
    (back,) = case.store.read("event", {"subject": who}, (), *EVER)
    assert back.fields == {"rev": 2.0, "text": "", "peak_p": 0.8, "end_ms": 5.0}


def test_reading_chooses_tags_fields_and_a_span(case: Case) -> None:
    who = case.fresh()
    rows = [
        row(NOW_MS + k, {"a": float(k), "b": 1.0}, "status", subject=who, device=device)
        for k in range(4)
        for device in ("ring", "strap")
    ]
    case.store.write([*rows, row(NOW_MS, {"b": 1.0}, "status", subject=who, device="watch")])
    some = list(case.store.read("status", {"subject": who}, ("a",), NOW_MS + 1, NOW_MS + 3))
    assert sorted((r.time_ms - NOW_MS, r.tags["device"]) for r in some) == [
        (1, "ring"),
        (1, "strap"),
        (2, "ring"),
        (2, "strap"),
    ]
    assert [r.time_ms for r in some] == sorted(r.time_ms for r in some)
    assert all(set(r.fields) == {"a"} for r in some)
    one = list(case.store.read("status", TAGS | {"subject": who, "device": "ring"}, ("a",), *EVER))
    assert [r.fields["a"] for r in one] == [0.0, 1.0, 2.0, 3.0]
    assert not list(case.store.read("status", {"subject": who}, ("never",), *EVER))
    assert not list(case.store.read("mark", {"subject": who}, (), *EVER))


def test_more_than_fits_an_answer_is_read_whole(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(influx, "MOST_ROWS", 3)
    who = case.fresh()
    dense = [row(NOW_MS + k, {"rr_ms": 800.0}, "beat", subject=who) for k in range(11)]
    thin = [
        row(NOW_MS + 4 * k, {"rr_ms": 900.0}, "beat", subject=who, device="ring") for k in range(4)
    ]
    case.store.write(dense + thin)
    back = list(case.store.read("beat", {"subject": who}, ("rr_ms",), *EVER))
    assert sorted(back, key=repr) == sorted(dense + thin, key=repr)
    assert [r.time_ms for r in back] == sorted(r.time_ms for r in back)


FLOATS = st.floats(allow_nan=False, allow_infinity=False)
NASTY = st.sampled_from(
    ['"', "\\", '\\"', "a\nb", "a\r\nb", " ", "a,b=c", "\N{BROKEN HEART}", "\\\\", "#"]
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@given(
    st.lists(
        st.tuples(FLOATS, st.lists(TEXTS | NASTY, max_size=3).map("".join)),
        min_size=1,
        max_size=20,
    )
)
@settings(max_examples=30)
def test_every_number_and_every_text_comes_back(
    case: Case, values: list[tuple[float, str]]
) -> None:
    who = case.fresh()
    given = [
        row(NOW_MS + k, {"number": number, "text": text}, "mark", subject=who)
        for k, (number, text) in enumerate(values)
    ]
    case.store.write(given)
    assert list(case.store.read("mark", {"subject": who}, (), *EVER)) == given


BAD = {
    "no finite number": {"a": float("nan")},
    "no field": {},
    "no field's name": {"a b": 1.0},
    "a tag's name": {"subject": 1.0},
}


@pytest.mark.parametrize("fields", BAD.values(), ids=BAD)
def test_what_no_store_keeps_is_refused(case: Case, fields: dict[str, float]) -> None:
    with pytest.raises(RowsRefused) as refused:
        case.store.write([row(NOW_MS, fields, "status", subject=case.fresh())])
    assert not refused.value.expired


def test_tags_of_another_kind_are_refused(case: Case) -> None:
    at = row(NOW_MS, {"a": 1.0}, "status")
    for tags in ({"site": "home"}, TAGS | {"subject": "Mia M."}, TAGS | {"hour": "07"}):
        with pytest.raises(RowsRefused, match="tags"):
            case.store.write([at._replace(tags=tags)])


def test_a_field_keeps_its_type_and_halving_finds_the_row(case: Case) -> None:
    who = case.fresh()
    kept = [row(NOW_MS + k, {"level": 1.0}, "status", subject=who) for k in range(3)]
    case.store.write(kept[:1])
    with pytest.raises(RowsRefused, match="level"):
        case.store.write([*kept, row(NOW_MS + 9, {"level": "high"}, "status", subject=who)])
    case.store.write(kept)
    assert list(case.store.read("status", {"subject": who}, ("level",), *EVER)) == kept


def test_rows_are_counted(case: Case) -> None:
    before = case.store.count()
    who = case.fresh()
    new: list[Row] = [
        *rows_of(Topic("home", "pi", who, Stream.READING), reading(NOW_MS * 1_000_000)),
        *rows_of(Topic("home", "pi", who, Stream.EVENT), event(NOW_MS * 1_000_000)),
        *(row(NOW_MS + k, {"rr_ms": 1.0, "kind": "rr"}, "beat", subject=who) for k in range(4)),
        row(NOW_MS, {"text": "", "by": who}, "mark", subject=who),
        row(NOW_MS, {"online": 1.0, "text_version": "1"}, "status", subject=who),
    ]
    case.store.write(new)
    after = case.store.count()
    grown = {name: n - before.get(name, 0) for name, n in after.items()}
    assert grown == {"reading": 1, "event": 1, "beat": 4, "mark": 1, "status": 1}


def test_init_leaves_what_is_there(case: Case) -> None:
    who = case.fresh()
    case.store.write([row(NOW_MS, {"online": 1.0}, "status", subject=who)])
    case.store.init()
    assert len(list(case.store.read("status", {"subject": who}, (), *EVER))) == 1
