"""Whether the clock tells the time of day, by what a system says of it."""

from pathlib import Path

import pytest

from diastole.edge.agent import clocks
from diastole.edge.agent.clocks import kernel_synchronised, system_trust


def made(root: Path, *marks: str) -> Path:
    for mark in marks:
        place = root / mark
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    return root


@pytest.mark.parametrize(
    ("kernel", "marks", "trusted", "why"),
    [
        (True, [], True, "kernel"),
        (False, [], False, "kernel"),
        (None, [], True, "does not tell"),
        (False, ["run/systemd/timesync/synchronized"], True, "timesyncd has"),
        (False, ["run/systemd/timesync/state"], False, "timesyncd has not"),
        (None, ["run/systemd/timesync/state"], False, "timesyncd has not"),
        (True, ["run/systemd/timesync/state"], True, "kernel"),
        (False, ["run/chrony/chronyd.pid"], False, "chrony has not"),
    ],
)
def test_a_clock_is_trusted_by_what_the_system_says(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    kernel: bool | None,
    marks: list[str],
    trusted: bool,
    why: str,
) -> None:
    monkeypatch.setattr(clocks, "kernel_synchronised", lambda: kernel)
    said = system_trust(made(tmp_path, *marks))
    assert said.trusted is trusted
    assert why in said.why


def test_the_kernel_of_this_machine_is_asked_without_harm() -> None:
    assert kernel_synchronised() in (True, False, None)
