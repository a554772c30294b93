"""A device of another package: installed, found by its entry point, held to its contract, used."""

import asyncio
import importlib
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from diastole.edge.agent.devices import Bluetooth
from diastole.edge.chunks import BEAT_KINDS, join
from diastole.edge.errors import InputError
from diastole.edge.records import BeatKind
from diastole.edge.sources.ble.capture import capture
from diastole.edge.sources.ble.captured import read
from diastole.edge.sources.ble.check import check_source
from diastole.edge.sources.ble.kinds import KINDS, kinds
from diastole.edge.sources.ble.radio import Radio
from tests.fakes.clock import FastClock
from tests.fakes.peripheral import Char, Peripheral, Service
from tests.fakes.radio import radio

EXAMPLE = Path(__file__).parent / "example"
UUID = "ac3e000{}-7b1d-4c5e-9d2a-0123456789ab"
PULSES_MS = (981, 1012, 1023, 984)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the package and install it, without the network, into a folder of its own."""
    source = tmp_path_factory.mktemp("source") / "band"
    shutil.copytree(EXAMPLE, source)
    target = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--target", str(target), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture
def installed(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(place)
    importlib.invalidate_caches()
    yield
    sys.modules.pop("acme_band", None)


class Band(Peripheral):
    """Sends a packet a second once it was told to, one interval each."""

    def __init__(self) -> None:
        self.told: list[bytes] = []
        self.command = Char(UUID.format(2), ("write",), on_write=self.told.append)
        self.pulse = Char(UUID.format(3), ("notify",))
        service = Service(UUID.format(1), [self.command, self.pulse])
        super().__init__("AC:3E:00:00:00:01", "Acme Band", [service], advertised=[service.uuid])

    async def run(self) -> None:
        n = 0
        while True:
            await self.clock.sleep(1)
            if self.told[-1:] == [b"\x01"]:
                self.notify(self.pulse, struct.pack("<BBH", 1, 60, PULSES_MS[n % len(PULSES_MS)]))
                n += 1


@pytest.mark.usefixtures("installed")
def test_it_is_asked_before_what_many_devices_have() -> None:
    assert [kind.name for kind in kinds()] == ["polar", "colmi", "acme_band", "heart_rate_service"]


@pytest.mark.usefixtures("installed")
def test_it_keeps_its_contract() -> None:
    (band,) = [kind for kind in kinds() if kind not in KINDS]
    check_source(band, EXAMPLE / "session.jsonl")


@pytest.mark.usefixtures("installed")
def test_an_agent_uses_it() -> None:
    named = Bluetooth(subject="anna", device="band", name="Acme Band", kind="acme_band")
    assert not list(named.mistakes())
    band = Band()

    async def run() -> None:
        async with radio(band, clock=FastClock(20)) as bluez, asyncio.timeout(20):
            chunks = []
            told = named.source(Radio()).chunks(bluez.clock, None)
            async for chunk, _ in told:
                chunks.append(chunk)
                if len(beats := join(chunks).beats) >= 9:
                    break
            await told.aclose()  # type: ignore[attr-defined]
            assert chunks[-1].devices == ("band",)
            assert beats["rr_ms"][1:9].tolist() == [*PULSES_MS[1:], *PULSES_MS, PULSES_MS[0]]
            assert set(beats["kind"]) == {BEAT_KINDS.index(BeatKind.PPI)}
        assert band.told == [b"\x01", b"\x00"]

    asyncio.run(run())


@pytest.mark.usefixtures("installed")
def test_a_session_of_it_is_captured_and_keeps_its_contract(tmp_path: Path) -> None:
    (kind,) = [kind for kind in kinds() if kind not in KINDS]
    band, path = Band(), tmp_path / "session.jsonl"

    async def run() -> bytes:
        async with radio(band, clock=FastClock(20)) as bluez, asyncio.timeout(20):
            return await capture(kind, band.address.lower(), 30, bluez.clock)

    path.write_bytes(asyncio.run(run()))
    device, packets = read(path)
    assert device.name == "Acme Band"
    assert [packet.data for packet in packets] == band.payloads(band.pulse)
    assert band.told == [b"\x01", b"\x00"]
    check_source(kind, path)


def test_without_it_the_settings_name_the_kinds_there_are() -> None:
    named = Bluetooth(subject="anna", device="band", name="Acme Band", kind="acme_band")
    (mistake,) = named.mistakes()
    assert "acme_band" in mistake.what


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("no_such_module:KIND", "device x of no_such_module:KIND cannot be loaded"),
        ("struct:pack", "it is no Kind"),
        ("diastole.edge.sources.ble.hrs:KIND", "two kinds of device are called"),
    ],
)
def test_a_package_that_is_broken_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, sentence: str
) -> None:
    told = tmp_path / "broken-1.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (told / "entry_points.txt").write_text(f"[diastole.devices]\nx = {value}\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=sentence):
        kinds()
