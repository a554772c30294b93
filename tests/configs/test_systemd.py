"""The units as they stand: systemd reads them, they run without root, their doors are shut."""

import configparser
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.servers import needed

UNITS = sorted((ROOT / "configs" / "systemd").glob("*.service"))
INSTALLED = "/opt/diastole/venv/bin/diastole"


def service(unit: Path) -> configparser.SectionProxy:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(unit)
    return parser["Service"]


def test_there_is_a_unit_for_the_agent_and_one_for_ingest() -> None:
    assert [unit.stem for unit in UNITS] == ["diastole-agent", "diastole-ingest"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_has_nothing_to_say_against_it(unit: Path, tmp_path: Path) -> None:
    copy = tmp_path / unit.name  # what it starts is not installed here
    copy.write_text(unit.read_text().replace(INSTALLED, sys.executable))
    verify = [needed("systemd-analyze"), "verify", "--man=no", str(copy)]
    done = subprocess.run(verify, capture_output=True, text=True, check=False)
    told = [line for line in done.stderr.splitlines() if unit.name in line]
    assert (done.returncode, told) == (0, []), done.stderr


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_it_runs_without_root_is_watched_and_comes_back(unit: Path) -> None:
    told = service(unit)
    assert told["ExecStart"].startswith(f"{INSTALLED} ")
    assert told["User"] == "diastole"
    assert (told["Type"], told["WatchdogSec"], told["Restart"]) == ("notify", "60", "always")
    assert (told["CapabilityBoundingSet"], told["NoNewPrivileges"]) == ("", "yes")
    assert (told["ProtectSystem"], told["ProtectHome"]) == ("strict", "yes")


def test_the_agent_may_ask_whether_the_clock_is_synchronised_and_knows_its_user_on_d_bus() -> None:
    told = service(UNITS[0])
    assert told["SystemCallFilter"].split() == ["@system-service", "adjtimex", "clock_adjtime"]
    assert "ProtectClock" not in told
    assert "PrivateUsers" not in told
