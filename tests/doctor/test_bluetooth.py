"""What the doctor finds between an agent and its devices, beside a bluetoothd as it is."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from diastole.edge.agent.devices import Bluetooth
from diastole.edge.agent.record import Recorder, is_recording
from diastole.edge.agent.settings import Agent, Subject
from diastole.edge.doctor import bluetooth as room
from diastole.edge.doctor.bluetooth import blocked, of_bluetooth
from diastole.edge.doctor.finding import Finding
from diastole.edge.sources.ble.radio import Radio
from tests.fakes.bluez import FakeBluez
from tests.fakes.bus import PrivateBus
from tests.fakes.devices import Strap, Watch
from tests.fakes.peripheral import Peripheral
from tests.fakes.radio import another_subscriber, radio
from tests.radio.listening import play, until


@contextmanager
def beside(
    *devices: Peripheral, spoilt: Callable[[FakeBluez], object] = lambda _: None
) -> Iterator[None]:
    """Run a bluetoothd in another thread."""
    loop, ready, ended = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def run() -> None:
        async with radio(*devices) as bluez:
            spoilt(bluez)
            await asyncio.sleep(0)
            ready.set()
            await ended.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    try:
        assert ready.wait(10)
        yield
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()


def found(folder: Path, *devices: Bluetooth) -> dict[str, Finding]:
    agent = Agent(state=str(folder), subjects=[Subject(name="p-1")], bluetooth=list(devices))
    return {one.name: one for one in of_bluetooth(agent)}


def wanted(address: str | None = None, name: str | None = None, **more: str) -> Bluetooth:
    return Bluetooth(subject="p-1", device="strap", address=address, name=name, **more)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "SCAN_S", 2.0)
    monkeypatch.setattr(room, "RFKILL", Path("/nowhere"))


def test_all_is_well_with_a_device_in_reach(tmp_path: Path) -> None:
    strap = Strap()
    with beside(strap, Watch()):
        told = found(tmp_path, wanted(strap.address.lower()))
    assert {one.state for one in told.values()} == {"ok"}
    assert told.keys() == {"bluez", "adapter", "device strap"}
    assert "-60 dBm" in told["device strap"].what


def test_an_agent_without_devices_needs_no_bluetooth(tmp_path: Path) -> None:
    assert found(tmp_path) == {}


def test_a_device_out_of_reach_is_looked_at_and_no_failure(tmp_path: Path) -> None:
    with beside(Watch()):
        one = found(tmp_path, wanted("F0:00:00:00:00:01"))["device strap"]
    assert (one.state, "phone" in one.remedy) == ("warn", True)


def test_two_devices_of_one_name_need_an_address(tmp_path: Path) -> None:
    with beside(Strap("F0:00:00:00:00:01", "H6"), Strap("F0:00:00:00:00:02", "H6")):
        one = found(tmp_path, wanted(name="H6"))["device strap"]
    assert one.state == "fail"
    assert "F0:00:00:00:00:01, F0:00:00:00:00:02" in one.remedy


@pytest.mark.parametrize(
    ("spoilt", "says", "remedy"),
    [
        (lambda bluez: bluez.set_powered(False), "not powered", "power on"),
        (lambda bluez: bluez.remove_adapter(), "no adapter is here", "plug"),
    ],
)
def test_an_adapter_that_is_off_or_away_fails(
    tmp_path: Path, spoilt: Callable[[FakeBluez], object], says: str, remedy: str
) -> None:
    with beside(Strap(), spoilt=spoilt):
        told = found(tmp_path, wanted("F0:13:C3:00:00:10"))
    assert told["adapter"].state == "fail"
    assert says in told["adapter"].what
    assert remedy in told["adapter"].remedy
    assert "device strap" not in told


def test_an_adapter_of_another_number_is_named(tmp_path: Path) -> None:
    with beside(Strap()):
        one = found(tmp_path, wanted("F0:13:C3:00:00:10", adapter="hci7"))["adapter"]
    assert (one.state, one.what) == ("fail", "no adapter hci7 is here (hci0)")


def test_a_device_that_another_program_has_is_told(tmp_path: Path) -> None:
    from bleak import BleakClient, BleakScanner

    strap = Strap()

    async def story() -> dict[str, Finding]:
        async with radio(strap):
            device = await BleakScanner.find_device_by_address(strap.address)
            assert device is not None
            async with BleakClient(device), another_subscriber(strap.measurement):
                return await asyncio.to_thread(found, tmp_path, wanted(strap.address))

    one = asyncio.run(story())["device strap"]
    assert (one.state, "is subscribed to" in one.what) == ("warn", True)
    assert "--state DIR" in one.remedy
    assert f"bluetoothctl disconnect {strap.address}" in one.remedy


def test_a_device_that_is_recorded_is_where_it_should_be(tmp_path: Path) -> None:
    strap = Strap()
    item = wanted(strap.address)
    agent = Agent(state=str(tmp_path / "state"), subjects=[Subject(name="p-1")], bluetooth=[item])
    found_by_then: list[Finding] = []

    async def story(bluez: FakeBluez) -> None:
        recorder = Recorder(agent, [("p-1", item.source(Radio()))], tmp_path / "out", bluez.clock)
        stop = asyncio.Event()
        recording = asyncio.create_task(recorder.until(stop))
        await until(lambda: strap.heard or recording.done())
        found_by_then.extend(await asyncio.to_thread(lambda: list(of_bluetooth(agent))))
        stop.set()
        await recording

    play(story, strap)
    one = found_by_then[-1]
    assert (one.state, one.what) == (
        "ok",
        f"{strap.address} is linked, and diastole record is running",
    )
    assert not is_recording(agent)


def test_a_machine_without_bluetoothd_or_without_a_bus_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with PrivateBus():
        one = found(tmp_path, wanted("F0:13:C3:00:00:10"))["bluetooth"]
    assert (one.state, one.what) == ("fail", "no bluetoothd is running")
    assert "apt install bluez" in one.remedy
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    one = found(tmp_path, wanted("F0:13:C3:00:00:10"))["bluetooth"]
    assert one.what.startswith("the D-Bus system bus cannot be reached (")


def test_what_rfkill_blocks_is_read_of_its_files(tmp_path: Path) -> None:
    for name, kind, soft, hard in (
        ("rfkill0", "wlan", "1", "1"),
        ("rfkill1", "bluetooth", "1", "0"),
        ("rfkill2", "bluetooth", "0", "1"),
        ("rfkill3", "bluetooth", "0", "0"),
    ):
        (tmp_path / name).mkdir()
        for file, text in (("type", kind), ("soft", soft), ("hard", hard)):
            (tmp_path / name / file).write_text(f"{text}\n")
    one, two = blocked(tmp_path)
    assert (one.what, one.remedy) == (
        "rfkill1 is blocked by rfkill",
        "sudo rfkill unblock bluetooth",
    )
    assert two.what == "rfkill2 is switched off"
