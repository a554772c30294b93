"""``diastole scan`` beside a bluetoothd: what is in reach, and what it can never give."""

import asyncio
import io
import json
from argparse import ArgumentParser
from collections.abc import Callable

import pytest
from rich.console import Console

from diastole.edge.errors import InputError
from diastole.edge.sources.ble.protocol import Gives
from diastole.edge.sources.ble.scan import Found, drawn, scan
from tests.fakes.bluez import FakeBluez
from tests.fakes.bus import PrivateBus
from tests.fakes.colmi import Ring
from tests.fakes.devices import Liar, Strap, Watch
from tests.fakes.peripheral import Peripheral
from tests.fakes.radio import radio


def asked(
    *devices: Peripheral,
    words: tuple[str, ...] = (),
    spoilt: Callable[[FakeBluez], object] = lambda _: None,
) -> tuple[int, str]:
    from diastole.edge.commands import scan as declare

    parser, text = ArgumentParser(), io.StringIO()
    declare(parser)
    given = parser.parse_args(["--seconds", "1.5", *words])
    console = Console(file=text, width=160, color_system=None)

    async def run() -> int:
        async with radio(*devices) as bluez:
            spoilt(bluez)
            return await asyncio.to_thread(scan, given, console)

    return asyncio.run(run()), text.getvalue()


def test_each_device_says_what_it_gives_and_what_it_never_will() -> None:
    code, text = asked(Strap(), Watch(), Ring(), Liar())
    lines = {line.split("  ")[0]: line for line in text.splitlines()[1:]}
    assert code == 0
    assert "yes" in lines["Polar H10 0A1B2C3D"]
    assert "variability" not in lines["Polar H10 0A1B2C3D"]
    for name in ("Forerunner 255", "R02_A1B2"):
        assert "no, heart rate only" in lines[name]
        assert "no RMSSD, ever" in lines[name]
    assert "told 30 s after it is put on" in lines["CooSpo 0001"]


def test_for_a_program_it_is_a_line_of_json_a_device(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = asked(Strap(), words=("--json",))
    (one,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (code, text) == (0, "")
    assert one == {
        "address": "F0:13:C3:00:00:10",
        "name": "Polar H10 0A1B2C3D",
        "rssi_dbm": -60,
        "services": ["heart rate"],
        "kind": "heart_rate_service",
        "intervals": "beats",
        "never": "",
    }


def test_nothing_in_reach_is_a_failure_and_no_radio_a_mistake() -> None:
    code, text = asked()
    assert (code, "nothing of use is in reach" in text) == (1, True)
    with pytest.raises(InputError, match=r"Bluetooth cannot be used \(.*: diastole doctor"):
        asked(spoilt=lambda bluez: bluez.set_powered(False))
    with PrivateBus(), pytest.raises(InputError, match="Bluetooth cannot be used"):
        asked(spoilt=lambda bluez: bluez.remove_adapter())


def test_what_is_of_no_use_is_counted_and_what_is_linked_has_no_signal() -> None:
    def one(kind: str | None, rssi_dbm: int | None) -> Found:
        gives = None if kind is None else Gives.BEATS
        return Found(
            address="00",
            name="a\x1b[2J",
            rssi_dbm=rssi_dbm,
            services=[],
            kind=kind,
            intervals=gives,
            never="",
        )

    text = io.StringIO()
    Console(file=text, width=120).print(drawn([one("polar", None), one(None, -50)]))
    assert "linked here" in text.getvalue()
    assert "and 1 that this version can take nothing from" in text.getvalue()


def test_an_address_can_be_copied_from_a_narrow_terminal() -> None:
    one = Found(
        address="F0:13:C3:00:00:10",
        name="a name that is long enough to need two lines",
        rssi_dbm=-60,
        services=["heart rate"],
        kind="heart_rate_service",
        intervals=Gives.HEART_RATE,
        never="variability: no RMSSD, ever",
    )
    text = io.StringIO()
    Console(file=text, width=80, color_system=None).print(drawn([one]))
    assert one.address in text.getvalue()
