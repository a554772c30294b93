"""The gate: which windows' RMSSD can be believed, and that no cut flips one."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diastole.edge.chunks import BEAT, VERDICTS, Ints, Rows, rows_of, rr_ns
from diastole.edge.pipeline.gate import variability_is_sound
from diastole.edge.pipeline.verdicts import JUDGED, judge
from diastole.edge.records import SECOND_NS, Verdict
from tests.figures.annotated import annotated

NO_BREAKS = np.empty(0, np.int64)
SWING = [800.0, 830, 850, 830, 800, 770, 750, 770]  # every pair differs by 20 or 30 ms


def judged(
    rr_ms: list[float],
    refused: dict[int, Verdict] | None = None,
    strict: list[int] | None = None,
    lenient: list[int] | None = None,
) -> Rows:
    """Intervals one after the other; ``strict`` refuses and ``lenient`` accepts these, too."""
    rr = np.array(rr_ms, float)
    rows = rows_of(JUDGED, len(rr), time_ns=np.cumsum(rr_ns(rr)), rr_ms=rr)
    for place, verdict in (refused or {}).items():
        rows["verdict"][place] = VERDICTS.index(verdict)
    rows["strict"] = rows["lenient"] = rows["verdict"] == 0
    rows["strict"][strict or []] = False
    rows["lenient"][lenient or []] = True
    return rows


def sound(rows: Rows, low: int = 0, high: int | None = None) -> bool:
    """Ask for one window, all of the rows unless told."""
    end = len(rows) if high is None else high
    [answer] = variability_is_sound(rows, np.array([low]), np.array([end]))
    return bool(answer)


def test_a_swinging_and_a_flat_heart_are_sound() -> None:
    """Nothing refused, no pair that stands out; equal intervals have an RMSSD of 0."""
    assert sound(judged(SWING * 5))
    assert sound(judged([800.0] * 40))


def test_one_pair_must_not_make_it() -> None:
    """Two jumps of 250 ms among ones of 25 hold nine tenths of the sum; three of 40 do not."""
    assert not sound(judged([*SWING * 3, 1000.0, *SWING * 3]))
    assert sound(judged([*SWING * 3, 760.0, *SWING * 3]))


def test_settings_must_agree() -> None:
    """A beat that only the usual setting refuses, or only it accepts, and that changes RMSSD."""
    rr = [*SWING * 3, 695.0, *SWING * 3]
    assert sound(judged(rr))
    assert not sound(judged(rr, strict=[24], lenient=[24]))
    refused = {24: Verdict.ARTEFACT}
    assert sound(judged(rr, refused))
    assert not sound(judged(rr, refused, lenient=[24]))
    even = [*SWING * 3, 800.0, *SWING * 3]
    assert sound(judged(even, refused, lenient=[24]))


def test_the_rule_must_not_refuse_over_a_fifth() -> None:
    """Refused in a row, so that the pairs left are many: a fifth passes, one more does not."""
    for verdict in (Verdict.ARTEFACT, Verdict.BESIDE_ARTEFACT, Verdict.OUT_OF_RANGE):
        assert sound(judged(SWING * 5, dict.fromkeys(range(8), verdict)))
        assert not sound(judged(SWING * 5, dict.fromkeys(range(9), verdict)))


def test_own_flags_count_neither_for_nor_against() -> None:
    """Half flagged is no reason; a fifth is one of what is left."""
    flagged = dict.fromkeys(range(20), Verdict.MOVING)
    assert sound(judged(SWING * 5, flagged))
    assert sound(judged(SWING * 5, flagged | dict.fromkeys(range(20, 24), Verdict.ARTEFACT)))
    assert not sound(judged(SWING * 5, flagged | dict.fromkeys(range(20, 25), Verdict.ARTEFACT)))


@pytest.mark.parametrize(("low", "high"), [(0, 0), (3, 3), (40, 40), (0, 1), (39, 40), (5, 8)])
def test_without_pairs_or_with_few_nothing_is_claimed(low: int, high: int) -> None:
    """No pair, no RMSSD; of two or three pairs one always holds over 0.30."""
    assert not sound(judged(SWING * 5), low, high)
    assert not sound(judged([]))


def test_law_5_neighbours_of_a_hole_are_never_subtracted() -> None:
    """Two levels a hole apart, or a refused beat apart: their step is in no pair."""
    rows = judged([*SWING * 3, *[rr + 300 for rr in SWING * 3]])
    assert not sound(rows)
    rows["time_ns"][24:] += 11_000_000
    assert sound(rows)
    stepped = [*SWING * 3, 950.0, *[rr + 300 for rr in SWING * 3]]
    assert not sound(judged(stepped))
    assert sound(judged(stepped, {24: Verdict.ARTEFACT}))


INTERVALS = st.lists(
    st.sampled_from([760, 780, 790, 800, 810, 820, 840] * 3 + [560, 700, 950, 1600]),
    min_size=1,
    max_size=80,
)


@given(INTERVALS, st.lists(st.integers(0, 9), min_size=80, max_size=80), st.integers(0, 60))
def test_law_1_a_window_is_the_same_alone_and_among_others(
    rr_ms: list[int], holes: list[int], size: int
) -> None:
    """Each window cut out by itself answers as all of them asked at once."""
    rr = np.array(rr_ms, float)
    ends = np.cumsum(rr_ns(rr) + 20_000_000 * (np.array(holes[: len(rr)]) == 0))
    rows = judge(rows_of(BEAT, len(rr), time_ns=ends, rr_ms=rr), NO_BREAKS)
    low = np.arange(len(rr) + 1)
    high = np.minimum(low + size, len(rr))
    together = variability_is_sound(rows, low, high)
    alone = [sound(rows[a:b]) for a, b in zip(low, high, strict=True)]
    assert together.tolist() == alone


def test_real_records_are_gated_as_measured(shared: Path) -> None:
    """A healthy record keeps its windows; of one full of ectopics hardly any is let pass."""
    share = {}
    for name, record in (("mitdb", "103"), ("mitdb", "233")):
        [(_, beats)] = annotated(shared / "beats" / f"{name}.zip", frozenset({record}))
        rows = judge(beats.rows(), NO_BREAKS)
        ends = np.arange(60, 1800, 5) * SECOND_NS
        low, high = (_places(rows, ends - width * SECOND_NS) for width in (60, 0))
        share[record] = float(variability_is_sound(rows, low, high).mean())
    assert share["103"] > 0.9
    assert share["233"] < 0.1


def _places(rows: Rows, times_ns: Ints) -> Ints:
    return np.searchsorted(rows["time_ns"], times_ns, "right")
