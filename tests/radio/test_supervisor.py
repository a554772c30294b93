"""A strap on the real bleak, beside a bluetoothd that fails in every way it has."""

import asyncio
import logging
import math
from itertools import pairwise

import numpy as np
import pytest
from bleak import BleakScanner
from dbus_fast import BusType, Message
from dbus_fast.aio import MessageBus

from diastole.edge.records import BreakReason
from diastole.edge.sources.ble.hearing import COPIED
from diastole.edge.sources.ble.supervisor import OVERFULL, UNSEEN, Wanted
from tests.fakes.bluez import FakeBluez
from tests.fakes.clock import FastClock
from tests.fakes.devices import Liar, Strap, Watch, heart_rate_packet
from tests.fakes.peripheral import BluezError, Peripheral, Service
from tests.fakes.polar import PulseSensor
from tests.fakes.radio import another_subscriber
from tests.radio.causes import CAUSES, back_s
from tests.radio.listening import all_told, in_order, listening, play, until, wanted

BACK_S = 5.0


def test_ten_forced_reconnects_double_nothing_and_lose_nothing() -> None:
    strap = Strap()

    async def story(bluez: FakeBluez) -> None:
        async with listening(bluez, wanted(strap)) as (listener,):
            for n in range(10):
                await until(lambda n=n: strap.links == n + 1)  # type: ignore[misc]
                await listener.beats(5)
                strap.drop_link(away=n % 3)
            await listener.beats(3)
            await all_told(listener, strap)
            assert listener.intervals.count(0) == 11
            assert listener.breaks == [BreakReason.LINK_LOST] * 10
            assert in_order(listener.all)

    play(story, strap)


@pytest.mark.parametrize("cause", CAUSES)
def test_data_is_back_within_five_seconds_of_the_causes_end(cause: str) -> None:
    strap = Strap()

    async def story(bluez: FakeBluez) -> None:
        async with listening(bluez, wanted(strap)) as (listener,):
            await listener.beats(3)
            took_s = await back_s(bluez, strap, cause)
            await listener.beats(2)
            await all_told(listener, strap)
            assert listener.breaks == [BreakReason.LINK_LOST]
            assert took_s < BACK_S

    play(story, strap, speed=3)


def test_a_device_that_falls_silent_is_let_go_and_linked_anew() -> None:
    strap = Strap()

    async def story(bluez: FakeBluez) -> None:
        async with listening(bluez, wanted(strap)) as (listener,):
            await listener.beats(5)
            strap.mute = True
            until_ns = listener.all.until_ns
            await until(lambda: strap.links == 2)
            strap.mute = False
            await listener.beats(5)
            await all_told(listener, strap)
            assert listener.breaks == [BreakReason.LINK_LOST]
            assert listener.all.breaks["time_ns"][0] - until_ns < 2e9

    play(story, strap)


def test_beats_that_come_while_it_is_let_go_are_not_lost() -> None:
    strap = Strap()

    async def story(bluez: FakeBluez) -> None:
        bluez.disconnect_s = 1.0
        async with listening(bluez, wanted(strap)) as (listener,):
            await listener.beats(5)
            strap.mute = True
            await until(lambda: bluez.calls[-1].member == "Disconnect")
            strap.mute = False
            before = len(strap.heard)
            await until(lambda: strap.links == 2)
            assert len(strap.heard) > before + 5
            await listener.beats(5)
            await all_told(listener, strap)

    play(story, strap)


def test_a_standstill_of_this_machine_is_no_silence_of_the_device() -> None:
    strap = Strap()

    async def story(bluez: FakeBluez) -> None:
        async with listening(bluez, wanted(strap)) as (listener,):
            assert isinstance(bluez.clock, FastClock)
            for _ in range(10):
                await listener.beats(2)
                bluez.clock.skip(30)
                await listener.beats(30)
            await all_told(listener, strap)
            assert (strap.links, listener.breaks) == (1, [])

    play(story, strap)


def test_three_devices_at_once_come_whole() -> None:
    straps = [Strap(f"F0:13:C3:00:00:0{n}", f"Strap {n}") for n in range(3)]

    async def story(bluez: FakeBluez) -> None:
        wants = [wanted(strap, f"strap-{n}") for n, strap in enumerate(straps)]
        async with listening(bluez, *wants) as listeners:
            await asyncio.gather(*(each.beats(5) for each in listeners))
            straps[1].drop_link(away=4)
            await asyncio.gather(*(each.beats(10) for each in listeners))
            for listener, strap in zip(listeners, straps, strict=True):
                await all_told(listener, strap)
            assert [len(each.breaks) for each in listeners] == [0, 1, 0]
            assert [strap.links for strap in straps] == [1, 2, 1]

    play(story, *straps)


def test_another_scan_in_this_process_is_waited_for() -> None:
    strap = Strap()

    async def story(bluez: FakeBluez) -> None:
        async with BleakScanner(), listening(bluez, wanted(strap)) as (listener,):
            await until(lambda: [c.member for c in bluez.calls].count("StartDiscovery") >= 3)
            assert not listener.linked
        async with listening(bluez, wanted(strap)) as (listener,):
            await listener.beats(3)

    play(story, strap)


def test_a_taken_device_is_missing_until_it_is_given_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    strap = Strap()
    strap.taken = True

    async def story(bluez: FakeBluez) -> None:
        async with listening(bluez, wanted(strap)) as (listener,):
            await until(lambda: listener.status.text["trouble"] == UNSEEN)
            before_ns = listener.all.until_ns
            await bluez.clock.sleep(30)
            assert listener.all.until_ns - before_ns > 20e9  # the wearer's others go on
            strap.taken = False
            await listener.beats(3)
            assert listener.status.text["trouble"] == ""

    with caplog.at_level(logging.INFO, "diastole"):
        play(story, strap, speed=50)
    ours = [each for each in caplog.records if each.name.startswith("diastole")]
    warned = [each for each in ours if each.levelno == logging.WARNING]
    assert len(warned) == 1
    assert "link=up" in caplog.text


def test_another_subscriber_doubles_nothing(caplog: pytest.LogCaptureFixture) -> None:
    strap = Strap()

    async def story(bluez: FakeBluez) -> None:
        async with listening(bluez, wanted(strap)) as (listener,):
            await listener.beats(5)
            async with another_subscriber(strap.measurement):
                await until(lambda: listener.status.text["trouble"] == COPIED)
                await listener.beats(15)
            await until(lambda: not listener.status.text["trouble"])
            await all_told(listener, strap)
            assert listener.status.values["dropped_copy"] >= 10
            assert strap.links == 1

    with caplog.at_level(logging.WARNING, "diastole"):
        play(story, strap, speed=6)
    assert caplog.text.count(COPIED) == 1


def test_a_stop_while_connecting_leaves_nothing_behind() -> None:
    strap = Strap()
    strap.connect_s = 2.0

    async def story(bluez: FakeBluez) -> None:
        async with listening(bluez, wanted(strap)):
            await until(lambda: "Connect" in [call.member for call in bluez.calls])
        assert not strap.connected
        assert bluez.calls[-1].member == "Disconnect"

    play(story, strap)


def test_a_stop_ends_what_the_device_was_told_to_measure() -> None:
    sensor = PulseSensor()

    async def story(bluez: FakeBluez) -> None:
        async with listening(bluez, wanted(sensor, "armband")) as (listener,):
            await listener.beats(10)
            assert sensor.running
        assert not sensor.running
        assert not sensor.connected

    play(story, sensor)


def test_two_devices_of_one_name_are_not_guessed_between() -> None:
    straps = Strap("F0:13:C3:00:00:01", "CL831"), Strap("F0:13:C3:00:00:02", "CL831")

    async def story(bluez: FakeBluez) -> None:
        named = Wanted(device="strap", name="CL831")
        async with listening(bluez, named) as (listener,):
            await until(lambda: straps[0].address in listener.status.text["trouble"])
            assert "give its address" in listener.status.text["trouble"]
            assert not straps[0].links + straps[1].links
            straps[1].on_air = False
            await listener.beats(3)
            straps[1].on_air = True
            straps[0].drop_link()
            await listener.beats(5)  # it is known by its address from then on
            assert [strap.links for strap in straps] == [2, 0]

    play(story, *straps)


def test_what_a_killed_process_left_linked_is_found() -> None:
    strap = Strap()

    async def story(bluez: FakeBluez) -> None:
        async with listening(bluez, wanted(strap)) as (listener,):
            await listener.beats(2)
        bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
        await bus.call(Message("org.bluez", strap.path, "org.bluez.Device1", "Connect"))
        bus.disconnect()
        assert strap.connected
        async with listening(bluez, wanted(strap)) as (listener,):
            await listener.beats(3)

    play(story, strap)


def test_a_wedged_bluetoothd_is_left_and_found_again() -> None:
    strap = Strap()

    async def story(bluez: FakeBluez) -> None:
        async with listening(bluez, wanted(strap)) as (listener,):
            await listener.beats(3)
            bluez.wedged = True
            strap.mute = True
            await until(lambda: listener.status.text["link"] == "seeking")
            bluez.wedged = strap.mute = False
            await listener.beats(3)

    play(story, strap)


def test_links_that_bring_no_data_come_less_and_less_often() -> None:
    strap = Strap()
    strap.fail_connect = [BluezError("Failed", "le-connection-refused") for _ in range(5)]

    async def story(bluez: FakeBluez) -> None:
        async with listening(bluez, wanted(strap)) as (listener,):
            await listener.beats(2)
            tries = [call.at for call in bluez.calls if call.member == "Connect"]
            pauses = [b - a for a, b in pairwise(tries)]
            assert len(pauses) == 5
            assert pauses[4] > 15 * 0.8 > pauses[0] * 1.2
            strap.drop_link()
            dropped_s = bluez.clock.monotonic()
            await until(lambda: strap.links == 2)
            assert bluez.clock.monotonic() - dropped_s < 15 * 0.8  # data has reset it

    play(story, strap, speed=8)


def test_a_device_that_links_anew_every_second_fills_no_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    strap = Strap()

    async def story(bluez: FakeBluez) -> None:
        async with listening(bluez, wanted(strap)) as (listener,):
            for n in range(15):
                heard = len(strap.heard)
                await until(lambda n=n: strap.links == n + 1)  # type: ignore[misc]
                await until(lambda heard=heard: len(strap.heard) > heard)  # type: ignore[misc]
                await until(lambda: len(listener.intervals) == len(strap.heard))
                strap.drop_link()
            await listener.beats(3)
            await all_told(listener, strap)
            assert listener.breaks == [BreakReason.LINK_LOST] * 15
            assert in_order(listener.all)
            assert listener.status.values["links"] == 16

    play(story, strap)
    assert caplog.text.count("link=down") == 1
    assert caplog.text.count("link=up") == 2


def test_more_beats_than_there_is_time_for_begin_anew_and_displace_nothing() -> None:
    liar = Liar([heart_rate_packet(70, [900 + k, 1000 + 2 * k]) for k in range(31)])

    async def story(bluez: FakeBluez) -> None:
        async with listening(bluez, wanted(liar, "liar")) as (listener,):
            await until(lambda: listener.status.values.get("dropped_overfull", 0) >= 5)
            assert listener.status.text["trouble"] == OVERFULL
            assert liar.links == 2  # it was linked anew once, and then listened to as it is
            liar.packets[:] = [heart_rate_packet(60, [1024])]
            await bluez.clock.sleep(5)
            await listener.beats(10)
            late_ns = bluez.clock.wall_ns() - listener.all.beats["time_ns"][-10:]
            assert (late_ns > 0).all()
            apart_ns = np.diff(listener.all.beats["time_ns"][-10:])
            assert np.allclose(apart_ns, 1e9, atol=5e8)
            await until(lambda: not listener.status.text["trouble"])
            assert liar.links == 2

    play(story, liar)


def test_a_namesake_does_not_stand_in_for_a_device_that_was_linked() -> None:
    ours, other = Strap("F0:13:C3:00:00:01", "CL831"), Strap("F0:13:C3:00:00:02", "CL831")
    other.on_air = False

    async def story(bluez: FakeBluez) -> None:
        async with listening(bluez, Wanted(device="strap", name="CL831")) as (listener,):
            await listener.beats(3)
            other.on_air = True
            ours.drop_link(away=40)
            await until(lambda: other.address in listener.status.text["trouble"])
            assert listener.status.text["trouble"].startswith(UNSEEN)
            assert not other.links
            await listener.beats(3)
            assert (ours.links, other.links) == (2, 0)

    play(story, ours, other)


def test_a_namesake_that_gives_nothing_is_not_taken_for_good() -> None:
    foreign = Service("0000fee0-0000-1000-8000-00805f9b34fb", [])
    other = Peripheral("F0:13:C3:00:00:02", "CL831", [foreign], advertised=[])
    ours = Strap("F0:13:C3:00:00:01", "CL831")
    ours.on_air = False

    async def story(bluez: FakeBluez) -> None:
        async with listening(bluez, Wanted(device="strap", name="CL831")) as (listener,):
            await until(lambda: "offers nothing" in listener.trouble)
            other.on_air, ours.on_air = False, True
            await listener.beats(3)

    play(story, other, ours)


def test_a_device_whose_address_changes_is_found_by_its_name_again() -> None:
    private = Strap("5A:13:C3:00:00:01", "CL831"), Strap("5A:13:C3:00:00:02", "CL831")
    private[1].on_air = False

    async def story(bluez: FakeBluez) -> None:
        async with listening(bluez, Wanted(device="strap", name="CL831")) as (listener,):
            await listener.beats(3)
            private[0].drop_link(away=math.inf)
            private[1].on_air = True
            await listener.beats(3)
            assert [strap.links for strap in private] == [1, 1]

    play(story, *private)


@pytest.mark.parametrize("after_s", [0.5, 3.0])
def test_a_mute_sensor_of_pulses_is_let_go_within_its_watchdog(after_s: float) -> None:
    sensor = PulseSensor()

    async def story(bluez: FakeBluez) -> None:
        async with listening(bluez, wanted(sensor, "armband")) as (listener,):
            await listener.beats(10)
            batches = len(sensor.pulses)
            await until(lambda: len(sensor.pulses) > batches)
            await bluez.clock.sleep(after_s)
            sensor.mute = True
            muted_s = bluez.clock.monotonic()
            await until(lambda: not listener.linked)
            assert bluez.clock.monotonic() - muted_s < 45  # 20, and two commands unanswered

    play(story, sensor, speed=10)


def test_a_watch_gives_a_heart_rate_and_says_that_it_gives_no_more() -> None:
    watch = Watch(battery=71)

    async def story(bluez: FakeBluez) -> None:
        async with listening(bluez, wanted(watch, "watch")) as (listener,):
            await until(lambda: listener.status.text.get("rr") == "none")
            assert listener.status.text["gives"] == "heart_rate"
            assert listener.status.values["battery_pct"] == 71
            assert listener.status.values["rssi_dbm"] == -60
            assert len(listener.all.heart_rates) > 15
            assert not len(listener.all.beats)

    play(story, watch)


def test_a_device_that_lies_is_counted_and_stays_linked() -> None:
    liar = Liar()

    async def story(bluez: FakeBluez) -> None:
        async with listening(bluez, wanted(liar, "liar")) as (listener,):
            await until(lambda: listener.status.values.get("dropped_packet_cut", 0) >= 5)
            assert listener.status.values["dropped_battery_range"] >= 1
            assert listener.status.values["dropped_unlikely_interval"] >= 2
            assert liar.links == 1

    play(story, liar)
