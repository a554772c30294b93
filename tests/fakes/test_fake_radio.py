"""The fake radio under bleak's real backend: what an agent is tested on has the faults it names."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise

import pytest
from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.exc import BleakBluetoothNotAvailableError, BleakDBusError, BleakError
from bleak.exc import BleakBluetoothNotAvailableReason as Reason

from tests.conftest import ROOT
from tests.fakes.bluez import FakeBluez
from tests.fakes.clock import FastClock
from tests.fakes.colmi import Ring, ring_packet
from tests.fakes.devices import (
    BATTERY_LEVEL,
    HEART_RATE,
    LIES,
    MEASUREMENT,
    Liar,
    Strap,
    Watch,
    heart_rate_packet,
)
from tests.fakes.peripheral import BluezError, Char, Peripheral, uuid16
from tests.fakes.polar import MOTION, MotionStrap, PulseSensor
from tests.fakes.radio import another_subscriber, radio

SPEED = 50
Play = Callable[[FakeBluez], Awaitable[None]]


def play(story: Play, *devices: Peripheral) -> None:
    async def run() -> None:
        async with asyncio.timeout(20), radio(*devices, clock=FastClock(SPEED)) as bluez:
            await story(bluez)

    asyncio.run(run())


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110 - what bleak and the fake do has no event
        await asyncio.sleep(0.005)


async def found(device: Peripheral) -> BLEDevice:
    heard = await BleakScanner.find_device_by_filter(
        lambda each, _: each.address == device.address, timeout=5
    )
    assert heard is not None, f"{device.name} was not found"
    return heard


@asynccontextmanager
async def listening(
    device: Peripheral, char: Char, *, acquire: bool = False
) -> AsyncIterator[list[bytes]]:
    """Connect, subscribe and give the list that fills."""
    heard: list[bytes] = []
    async with BleakClient(await found(device)) as client:
        await client.start_notify(
            char.uuid,
            lambda _, data: heard.append(bytes(data)),
            bluez={"use_start_notify": not acquire},
        )
        yield heard


def test_a_scan_finds_what_is_on_air() -> None:
    strap, watch, sensor, ring, absent, taken = (
        Strap(),
        Watch(),
        PulseSensor(),
        Ring(),
        Strap("F0:13:C3:00:00:98", "Absent"),
        Strap("F0:13:C3:00:00:99", "Taken"),
    )
    absent.on_air = False
    taken.taken = True

    async def story(_: FakeBluez) -> None:
        heard = await BleakScanner.discover(timeout=0.2, return_adv=True)
        assert set(heard) == {each.address for each in (strap, watch, sensor, ring)}
        told = heard[strap.address][1]
        assert (told.local_name, told.rssi, told.service_uuids) == (strap.name, -60, [HEART_RATE])
        assert heard[sensor.address][1].manufacturer_data == {0x6B: b"\x72\x08"}
        assert heard[ring.address][1].service_uuids == []
        only = await BleakScanner.discover(timeout=0.2, service_uuids=[HEART_RATE])
        assert {each.address for each in only} == set(heard) - {ring.address}

    play(story, strap, watch, sensor, ring, absent, taken)


def test_a_device_tells_of_itself() -> None:
    strap = Strap(battery=87)

    async def story(_: FakeBluez) -> None:
        async with BleakClient(await found(strap)) as client:
            assert await client.read_gatt_char(BATTERY_LEVEL) == b"\x57"
            assert await client.read_gatt_char(uuid16(0x2A29)) == b"Polar Electro Oy"
            strap.chars[1].read_error = 5
            with pytest.raises(BleakError, match="Authentication"):
                await client.read_gatt_char(strap.chars[1].uuid)

    play(story, strap)


@pytest.mark.parametrize("acquire", [False, True])
def test_every_byte_of_three_devices_arrives_once(acquire: bool) -> None:
    strap, watch, liar = Strap(), Watch(), Liar()
    sources: list[tuple[Peripheral, Char]] = [
        (strap, strap.measurement),
        (watch, watch.measurement),
        (liar, liar.measurement),
    ]

    async def story(_: FakeBluez) -> None:
        async with AsyncExitStack() as stack:
            heard = [
                await stack.enter_async_context(listening(*each, acquire=acquire))
                for each in sources
            ]
            await until(lambda: min(map(len, heard)) > len(LIES))
            for device, _char in sources:
                device.mute = True
            await asyncio.sleep(0.05)
        assert heard == [device.payloads(char) for device, char in sources]
        assert heard[2][: len(LIES)] == list(LIES)
        assert all(packet[0] == 0 and len(packet) == 2 for packet in heard[1])

    play(story, strap, watch, liar)


def test_the_beats_of_a_strap_are_those_on_air_and_those_missed() -> None:
    strap = Strap(intervals=[800, 900, 1000] * 100)

    async def story(_: FakeBluez) -> None:
        async with listening(strap, strap.measurement) as heard:
            await until(lambda: len(heard) > 5)
            strap.mute = True
            await until(lambda: len(strap.missed) > 5)
            strap.mute = False
            await until(lambda: len(heard) > 10)
            strap.drop_link(away=10)
        kept = len(strap.beats)
        async with listening(strap, strap.measurement) as again:
            await until(lambda: len(again) > 2)
        beats = strap.beats
        assert [beat.n for beat in beats] == ([800, 900, 1000] * 100)[: len(beats)]
        assert sum(not beat.heard for beat in beats[kept:]) >= 9, "ten seconds away"
        ends = [beat.at for beat in beats]
        steps = [after - before for before, after in pairwise(ends)]
        assert steps == pytest.approx([beat.n / 1024 for beat in beats[1:]])
        given = b"".join(packet[2:] for packet in heard + again if packet[0] & 0x10)
        assert given == b"".join(n.to_bytes(2, "little") for n in strap.heard)

    play(story, strap)


@pytest.mark.parametrize(("close", "times"), [(False, 2), (True, 1)])
def test_beats_double_after_a_lost_link_unless_the_old_client_disconnects(
    close: bool, times: int
) -> None:
    strap = Strap()

    async def story(_: FakeBluez) -> None:
        gone = asyncio.Event()
        old = BleakClient(await found(strap), disconnected_callback=lambda _: gone.set())
        await old.connect()
        await old.start_notify(MEASUREMENT, lambda _, data: None)
        strap.drop_link()
        await gone.wait()
        if close:
            await old.disconnect()
        strap.sent.clear()
        async with listening(strap, strap.measurement) as heard:
            await until(lambda: len(heard) >= 10)
            strap.mute = True
            await asyncio.sleep(0.05)
        assert len(heard) == times * len(strap.sent)

    play(story, strap)


def test_another_subscriber_doubles_while_it_is_there() -> None:
    strap = Strap()

    async def story(bluez: FakeBluez) -> None:
        async with listening(strap, strap.measurement) as heard:
            async with another_subscriber(strap.measurement):
                before = len(heard), len(strap.sent)
                await until(lambda: len(strap.sent) > before[1] + 9)
                strap.mute = True
                await asyncio.sleep(0.05)
            assert len(heard) - before[0] == 2 * (len(strap.sent) - before[1])
            await bluez.settle()
            strap.mute = False
            before = len(heard), len(strap.sent)
            await until(lambda: len(strap.sent) > before[1] + 9)
            strap.mute = True
            await asyncio.sleep(0.05)
            assert len(heard) - before[0] == len(strap.sent) - before[1]
        async with another_subscriber(strap.measurement):
            with pytest.raises(BleakDBusError, match="In Progress"):
                async with listening(strap, strap.measurement, acquire=True):
                    pass

    play(story, strap)


def test_bleak_does_not_notice_that_bluetoothd_was_killed() -> None:
    strap = Strap()

    async def story(bluez: FakeBluez) -> None:
        gone, heard = asyncio.Event(), list[bytes]()
        client = BleakClient(await found(strap), disconnected_callback=lambda _: gone.set())
        await client.connect()
        await client.start_notify(MEASUREMENT, lambda _, data: heard.append(bytes(data)))
        await until(lambda: heard)
        await bluez.crash()
        await asyncio.sleep(0.1)
        assert client.is_connected
        await bluez.start()
        await bluez.settle()
        assert client.is_connected
        assert not gone.is_set()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.disconnect(), 0.2)
        strap.sent.clear()
        async with listening(strap, strap.measurement) as again:
            await until(lambda: len(again) > 5)
            strap.mute = True
            await asyncio.sleep(0.05)
        assert again == strap.payloads(strap.measurement)

    play(story, strap)


def test_bleak_goes_on_after_the_bus_came_back() -> None:
    strap = Strap()

    async def story(bluez: FakeBluez) -> None:
        gone = asyncio.Event()
        client = BleakClient(await found(strap), disconnected_callback=lambda _: gone.set())
        await client.connect()
        await bluez.lose_bus()
        await gone.wait()
        await client.disconnect()
        with pytest.raises((OSError, BleakError)):
            await BleakScanner.discover(timeout=0.1)
        await bluez.regain_bus()
        async with listening(strap, strap.measurement) as heard:
            await until(lambda: len(heard) > 2)

    play(story, strap)


def test_a_second_scanner_is_refused_and_one_of_a_dead_bluetoothd_hears_nothing() -> None:
    strap = Strap()

    async def story(bluez: FakeBluez) -> None:
        heard: list[str] = []
        async with BleakScanner(lambda device, _: heard.append(device.address)) as scanner:
            with pytest.raises(BleakDBusError, match="InProgress"):
                await BleakScanner().start()
            await until(lambda: heard)
            await bluez.crash()
            await bluez.start()
            heard.clear()
            await asyncio.sleep(0.2)
            assert not heard
            with pytest.raises(BleakDBusError, match="No discovery started"):
                await scanner.stop()
        await found(strap)

    play(story, strap)


def test_an_adapter_off_or_pulled_out_says_so() -> None:
    strap = Strap()

    async def story(bluez: FakeBluez) -> None:
        gone = asyncio.Event()
        device = await found(strap)
        async with BleakClient(device, disconnected_callback=lambda _: gone.set()):
            bluez.set_powered(False)
            await gone.wait()
        with pytest.raises(BleakDBusError, match="Input/output"):
            await BleakClient(device).connect()
        with pytest.raises(BleakBluetoothNotAvailableError) as off:
            await BleakScanner.discover(timeout=0.1)
        bluez.remove_adapter()
        await bluez.settle()
        with pytest.raises(BleakBluetoothNotAvailableError) as out:
            await BleakScanner.discover(timeout=0.1)
        assert (off.value.reason, out.value.reason) == (Reason.POWERED_OFF, Reason.NO_BLUETOOTH)
        bluez.powered = True
        bluez.add_adapter()
        await bluez.settle()
        async with BleakClient(await found(strap)) as client:
            assert client.is_connected

    play(story, strap)


def test_a_connect_fails_as_told_and_where_the_device_is_taken() -> None:
    strap = Strap()
    strap.patience_s = 0.1

    async def story(bluez: FakeBluez) -> None:
        device = await found(strap)
        strap.fail_connect.append(BluezError("Failed", "Operation already in progress"))
        with pytest.raises(BleakDBusError, match="already in progress"):
            await BleakClient(device).connect()
        strap.taken = True
        with pytest.raises((TimeoutError, BleakError)):
            await BleakClient(device, timeout=0.3).connect()
        strap.taken = False
        async with BleakClient(device) as client:
            bluez.fail_next["StartNotify"].append(BluezError("Failed", "once"))
            with pytest.raises(BleakDBusError, match="once"):
                await client.start_notify(MEASUREMENT, lambda *_: None)
            await client.start_notify(MEASUREMENT, lambda *_: None)
        assert strap.links == 1

    play(story, strap)


def test_a_wedged_bluetoothd_answers_later() -> None:
    strap = Strap()

    async def story(bluez: FakeBluez) -> None:
        async with BleakClient(await found(strap)) as client:
            bluez.wedged = True
            reading = asyncio.create_task(client.read_gatt_char(BATTERY_LEVEL))
            assert not (await asyncio.wait([reading], timeout=0.2))[0]
            bluez.wedged = False
            assert await reading == b"\x57"

    play(story, strap)


def test_a_device_that_never_linked_is_forgotten() -> None:
    strap, liked = Strap(), Watch()

    async def story(bluez: FakeBluez) -> None:
        linked = await found(liked)
        async with BleakClient(linked):
            pass
        bluez.forget_s = 0.05
        device = await found(strap)
        await asyncio.sleep(0.1)
        await bluez.settle()
        with pytest.raises(BleakError, match="not found"):
            await BleakClient(device).connect()
        async with BleakClient(linked):
            pass

    play(story, strap, liked)


def test_pulses_come_in_batches_after_a_while() -> None:
    sensor = PulseSensor()

    async def story(bluez: FakeBluez) -> None:
        answers: list[bytes] = []
        async with BleakClient(await found(sensor)) as client:
            frames: list[bytes] = []
            assert await client.read_gatt_char(sensor.control.uuid) == b"\x0f\x0c\x00"
            await client.start_notify(
                sensor.control.uuid, lambda _, data: answers.append(bytes(data))
            )
            await client.start_notify(sensor.data.uuid, lambda _, data: frames.append(bytes(data)))
            asked = bluez.clock.monotonic()
            await client.write_gatt_char(sensor.control.uuid, b"\x02\x03", response=True)
            await client.write_gatt_char(sensor.control.uuid, b"\x02\x03", response=True)
            await until(lambda: frames)
            assert bluez.clock.monotonic() - asked >= sensor.first_s
            sensor.moving, sensor.worn = True, False
            await until(lambda: len(frames) > 2)
            await client.write_gatt_char(sensor.control.uuid, b"\x03\x03", response=True)
            await until(lambda: len(answers) > 2)
        assert [each.hex() for each in answers] == ["f002030000", "f0020306", "f003030000"]
        body = b"".join(frame[10:] for frame in frames)
        assert len(body) == 6 * len(sensor.pulses)
        assert [body[at + 1] | body[at + 2] << 8 for at in range(0, len(body), 6)] == [
            round(1000 * beat.n / 1024)
            for beat in sensor.beats
            if sensor.pulses[0].at <= beat.at <= sensor.pulses[-1].at
        ]
        assert {body[5], body[-1]} == {0b110, 0b101}
        assert not sensor.running

    play(story, sensor)


@pytest.mark.parametrize(
    ("device", "start"),
    [
        (MotionStrap(), "0202 00013200 01011000 02010800"),
        (PulseSensor(), "0202 00013400 01011000 02010800 040103"),
    ],
    ids=["plain", "differences"],
)
def test_motion_comes_until_it_is_stopped_or_the_link_goes(
    device: MotionStrap | PulseSensor, start: str
) -> None:
    async def story(_: FakeBluez) -> None:
        async with BleakClient(await found(device)) as client:
            frames: list[bytes] = []
            await client.start_notify(device.data.uuid, lambda _, data: frames.append(bytes(data)))
            await client.write_gatt_char(device.control.uuid, bytes.fromhex(start), response=True)
            await until(lambda: len(frames) > 3)
            device.mute = True
            await asyncio.sleep(0.05)
            device.drop_link()
        assert list(device.running) == [MOTION], "left running"
        assert [_motion(frame) for frame in frames] == [
            device.samples[at : at + 36] for at in range(0, len(device.samples), 36)
        ]
        stamps = [int.from_bytes(frame[1:9], "little") for frame in frames]
        assert stamps == sorted(stamps)

    play(story, device)


def _motion(frame: bytes) -> list[tuple[int, ...]]:
    def value(at: int, size: int) -> int:
        return int.from_bytes(frame[at : at + size], "little", signed=True)

    if frame[9] == 1:
        return [tuple(value(at + axis, 2) for axis in (0, 2, 4)) for at in range(10, len(frame), 6)]
    assert frame[9] == 0x81
    assert frame[16:18] == bytes([8, 35])
    samples = [tuple(value(at, 2) for at in (10, 12, 14))]
    for at in range(18, len(frame), 3):
        samples.append(tuple(old + value(at + axis, 1) for axis, old in enumerate(samples[-1])))
    return samples


def test_a_ring_measures_when_it_is_asked_and_tires() -> None:
    ring = Ring(battery=64, tires_after=7)

    async def story(_: FakeBluez) -> None:
        heard: list[bytes] = []
        async with BleakClient(await found(ring)) as client:
            await client.start_notify(ring.answers.uuid, lambda _, data: heard.append(bytes(data)))

            async def ask(packet: bytes) -> None:
                await client.write_gatt_char(ring.write.uuid, packet, response=False)

            await ask(ring_packet(3))
            await ask(ring_packet(0x69, b"\x01\x01"))
            await until(lambda: ring.measuring)
            await until(lambda: not ring.measuring)
            await ask(b"\x03" * 16)
            await ask(ring_packet(0x69, b"\x01\x01"))
            await until(lambda: len(heard) > 10)
            await ask(ring_packet(0x6A, b"\x01"))
            await until(lambda: heard[-1][0] == 0x6A)
            ring.tell_battery()
            await until(lambda: heard[-1][0] == 0x73)
        assert all(len(each) == 16 and each[15] == sum(each[:15]) & 0xFF for each in heard)
        assert heard[0][:3] == b"\x03\x40\x00"
        rates = [each[3] for each in heard if each[0] == 0x69]
        assert rates[:7] == [0, 0, 0, 0, 70, 66, 67]
        assert [rate for rate in rates if rate] == ring.values
        assert ring.refused == [b"\x03" * 16]

    play(story, ring)


def test_a_packet_has_the_layout_of_the_service() -> None:
    assert heart_rate_packet(67, [882, 906]).hex() == "104372038a03"
    assert heart_rate_packet(300, [850, 840], contact=True, energy=4660).hex() == (
        "1f2c01341252034803"
    )
    assert heart_rate_packet(0, contact=False).hex() == "0400"


def test_a_command_finds_the_devices() -> None:
    code = (
        "import asyncio, bleak\n"
        "found = asyncio.run(bleak.BleakScanner.discover(timeout=0.2))\n"
        "print(sorted(each.name for each in found))\n"
        "raise SystemExit(7)\n"
    )
    command = [sys.executable, "-m", "tests.fakes.radio", "--devices", "watch,ring", "--"]
    command += [sys.executable, "-c", code]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.returncode) == ("['Forerunner 255', 'R02_A1B2']\n", 7), ran.stderr


def test_a_command_without_a_bus_gets_the_line_that_installs_one() -> None:
    command = [sys.executable, "-m", "tests.fakes.radio", "--", sys.executable]
    ran = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PATH": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2
    assert "apt-get install -y --no-install-recommends dbus" in ran.stderr
