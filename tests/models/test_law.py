"""No clock inside the model: sessions in another order, observed anew."""

from pathlib import Path

import numpy as np
import pytest

from diastole.models.datasets import LabelledSession
from diastole.models.evaluate import folds, judged_apart, judged_by, labelled, linear
from diastole.models.figures import Figures
from diastole.models.judged import Judged
from diastole.models.law import ORDERS, after_first_task, keeps_law, losses, observe_in_order
from diastole.models.metrics import Figure
from diastole.models.table import Table, join_tables, observe_session
from diastole.models.train import CHOSEN
from tests.strategies import Stretch, intervals

PEOPLE = 6


def made_session(folder: Path, number: int) -> LabelledSession:
    """Write an invented laboratory visit, rest first, as intervals; tasks at fixed minutes."""
    bpm = 60.0 + 3 * number
    visit = [
        Stretch(10, bpm),
        Stretch(4, bpm * 1.12, 20),
        Stretch(5, bpm),
        Stretch(4, bpm * 1.12, 20),
        Stretch(5, bpm),
    ]
    rr_ms = intervals(visit, np.random.default_rng(number))
    path = folder / f"s{number}.csv"
    rows = zip(np.cumsum(rr_ms) / 1000, rr_ms, strict=True)
    path.write_text("t_s,rr_ms\n" + "".join(f"{t:.3f},{rr:.3f}\n" for t, rr in rows))
    return LabelledSession("made", path.stem, f"made-{path.stem}", path, folder / "labels.csv")


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> list[LabelledSession]:
    """Give a few people's visits."""
    folder = tmp_path_factory.mktemp("visits")
    edges = [0, 600, 840, 1140, 1380, 1680]
    lines = [
        f"s{number},{edges[k]},{edges[k + 1]},{('rest', 'stress')[k % 2]}\n"
        for number in range(PEOPLE)
        for k in range(5)
    ]
    (folder / "labels.csv").write_text("session,t_start_s,t_end_s,label\n" + "".join(lines))
    return [made_session(folder, number) for number in range(PEOPLE)]


@pytest.fixture(scope="module")
def plain(sessions: list[LabelledSession]) -> Table:
    """Give the visits as recorded."""
    return labelled(join_tables([observe_session(session) for session in sessions]))


@pytest.fixture(scope="module", params=list(ORDERS))
def other(request: pytest.FixtureRequest, sessions: list[LabelledSession]) -> Table:
    """Give the visits in another order."""
    name: str = request.param
    return labelled(join_tables([observe_in_order(name, session) for session in sessions]))


def value(found: Figures, name: str) -> float:
    """Return a figure's value."""
    figure = found[name]
    assert isinstance(figure, Figure)
    return figure.value


def by_the_clock(judged: Judged) -> Judged:
    """Give what somebody would say who reads the clock: stress in those minutes of a visit."""
    minute = judged.t_s / 60
    p = np.where(((minute > 10.5) & (minute < 14)) | ((minute > 19.5) & (minute < 23)), 0.9, 0.1)
    columns = (judged.data_set, judged.person, judged.session, judged.t_s, judged.label)
    return Judged(*columns, p, judged.decision)


def test_law_3_no_clock_inside(plain: Table, other: Table) -> None:
    models = folds(plain, linear(CHOSEN))
    found = losses(judged_apart(models, plain), judged_apart(models, other))
    assert value(found, "AUC as recorded") > 0.8
    assert value(found, "elapsed time alone: AUC lost") > 0.15
    assert keeps_law(found)
    assert value(found, "AUC lost") < 0.05


def test_who_reads_the_clock_breaks_the_law(plain: Table, other: Table) -> None:
    models = folds(plain, linear(CHOSEN))
    before, after = (by_the_clock(judged_apart(models, table)) for table in (plain, other))
    found = losses(before, after)
    assert value(found, "AUC as recorded") > 0.9
    assert value(found, "AUC lost") > 0.3
    assert not keeps_law(found)


def test_only_sessions_and_people_of_both_orders_are_compared(plain: Table, other: Table) -> None:
    models = folds(plain, linear(CHOSEN))
    judged, again = judged_apart(models, plain), judged_apart(models, other)
    fewer = losses(judged, again.take(again.session != "made/s0"))
    without = losses(judged.take(judged.person != "made-s0"), again)
    assert fewer == without
    assert fewer != losses(judged, again)


def test_a_late_start_leaves_the_windows_after_the_first_task(
    plain: Table, sessions: list[LabelledSession]
) -> None:
    judged = judged_by(linear(CHOSEN)(plain, []), plain)
    left = after_first_task(judged, sessions)
    assert left.t_s.min() >= 840 + 60
    assert len(left) == (judged.t_s >= 900).sum()
