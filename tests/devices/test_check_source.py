"""The contract of a device protocol: ours keep it, and each way to break it is told."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from diastole.edge.errors import BadFile
from diastole.edge.records import BeatKind
from diastole.edge.sources.ble import colmi, hrs, pmd, polar
from diastole.edge.sources.ble.check import check_source
from diastole.edge.sources.ble.protocol import Gives, Heard, Interval, Kind, Link, Undecodable
from tests.fakes.bluez import FakeBluez
from tests.fakes.colmi import Ring
from tests.fakes.devices import Watch
from tests.fakes.peripheral import Peripheral
from tests.fakes.polar import MotionStrap, PulseSensor
from tests.radio.listening import listening, play, until, wanted

Maker = Callable[[], Peripheral]
SECONDS = 40


def captured(device: Peripheral, path: Path) -> Path:
    """Write down what a device showed and sent."""
    chars = {
        char.uuid: None if char.notifies and not char.value else char.value.hex()
        for char in device.chars
    }
    shown = {
        "name": device.name,
        "services": [service.uuid for service in device.services],
        "chars": chars,
    }
    packets = [
        {"uuid": uuid, "hex": data.hex(), "arrival": round(at, 3)} for at, uuid, data in device.sent
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in [shown, *packets]))
    return path


def session(device: Peripheral, folder: Path) -> Path:
    async def story(bluez: FakeBluez) -> None:
        async with listening(bluez, wanted(device)):
            await until(lambda: device.sent)
            begun_s = bluez.clock.monotonic()
            await until(lambda: bluez.clock.monotonic() - begun_s > SECONDS)

    play(story, device, speed=20)
    return captured(device, folder / "session.jsonl")


@pytest.mark.parametrize(
    ("kind", "device"),
    [
        (hrs.KIND, Watch),
        (polar.KIND, MotionStrap),
        (polar.KIND, PulseSensor),
        (colmi.KIND, Ring),
    ],
)
def test_our_own_keep_it(kind: Kind, device: Maker, tmp_path: Path) -> None:
    check_source(kind, session(device(), tmp_path))


# ---- ways to break it


class Careful(hrs.HeartRateDriver):
    """A driver that keeps it; those below break one promise each."""


class Raises(Careful):
    def packet(self, char: str, data: bytes, arrived_s: float) -> Heard:
        return Heard(hr_bpm=data[1])


class Remembers(Careful):
    heard: list[bytes] = []  # noqa: RUF012 - the mistake that is meant

    def packet(self, char: str, data: bytes, arrived_s: float) -> Heard:
        self.heard.append(data)
        heard = super().packet(char, data, arrived_s)
        return Heard() if len(self.heard) > LINES else heard


class Invents(Careful):
    def packet(self, char: str, data: bytes, arrived_s: float) -> Heard:
        super().packet(char, data, arrived_s)
        return Heard(hr_bpm=72, battery_pct=255)


class Names(Careful):
    def packet(self, char: str, data: bytes, arrived_s: float) -> Heard:
        raise Undecodable("Checksum wrong", data)


class Mixes(Careful):
    def packet(self, char: str, data: bytes, arrived_s: float) -> Heard:
        heard = super().packet(char, data, arrived_s)
        other = Interval(ticks=800, per_s=1000, kind=BeatKind.RR)
        return Heard(intervals=(*heard.intervals, other))


class Impatient(Careful):
    quiet_s = 0.5


class Blind(Careful):
    watched = (hrs.LOCATION,)


class Deaf(Careful):
    def packet(self, char: str, data: bytes, arrived_s: float) -> Heard:
        return Heard()


class Stuck(Careful):
    async def start(self, link: Link) -> None:
        await link.clock.sleep(3600)


class Reads(Careful):
    async def start(self, link: Link) -> None:
        await link.read("nowhere")


LINES = 40


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """Write a strap's session, one interval a second."""
    shown = {"name": "H6", "services": [hrs.SERVICE], "chars": {hrs.MEASUREMENT: None}}
    packets = [
        {"uuid": hrs.MEASUREMENT, "hex": "1048ff03", "arrival": 1.0 + n} for n in range(LINES)
    ]
    path = tmp_path / "strap.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in [shown, *packets]))
    return path


MINE = Kind(name="mine", services=frozenset({hrs.SERVICE}), driver=Careful)


def test_who_keeps_it_is_told_nothing(sample: Path) -> None:
    check_source(MINE, sample)
    check_source(hrs.KIND, sample)


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        (replace(MINE, driver=Raises), "it raises IndexError('index out of range') on no bytes"),
        (replace(MINE, driver=Remembers), "played twice it gives other records"),
        (replace(MINE, driver=Invents), "it gives what cannot be on 1048ff03"),
        (replace(MINE, driver=Names), "'Checksum wrong' is no name of a reason"),
        (replace(MINE, driver=Mixes), "counted in several ticks: [1000, 1024] a second"),
        (replace(MINE, driver=Impatient), "it was silent for 1.0 s, over its driver's 0.5"),
        (replace(MINE, driver=Blind), "the device has nothing of what its driver watches"),
        (replace(MINE, driver=Deaf), "it gives no record of its session"),
        (replace(MINE, driver=Stuck), "does not start or stop in bounded time"),
        (replace(MINE, driver=Reads), "the session ends its driver: nowhere was not read"),
        (replace(MINE, gives=Gives.HEART_RATE), "says that it gives no intervals, and gives some"),
        (replace(MINE, name="Mine!"), "its name 'Mine!' is not of a-z, 0-9 and _"),
        (replace(MINE, services=frozenset({"180D"})), "no whole UUIDs in lower case"),
        (
            replace(MINE, services=frozenset({pmd.SERVICE})),
            "it does not recognise its device: heart_rate_service does",
        ),
    ],
)
def test_each_way_to_break_it_is_told(sample: Path, kind: Kind, sentence: str) -> None:
    Remembers.heard.clear()
    with pytest.raises(AssertionError, match=re.escape(sentence)):
        check_source(kind, sample)


def test_links_that_share_one_driver_are_told(sample: Path) -> None:
    shared = Careful()
    with pytest.raises(AssertionError, match="its links share one driver"):
        check_source(replace(MINE, driver=lambda: shared), sample)


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("nonsense", "line 42"),
        ('{"uuid": "x", "hex": "0g", "arrival": 50}', "line 42"),
        ('{"uuid": "x", "hex": "00", "arrival": 3}', "line 42: a packet arrives before"),
    ],
)
def test_a_line_that_cannot_be_read_is_told(sample: Path, line: str, place: str) -> None:
    sample.write_text(f"{sample.read_text()}{line}\n")
    with pytest.raises(BadFile, match=place):
        check_source(MINE, sample)


def test_a_session_without_packets_is_told(tmp_path: Path) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.write_text("")
    with pytest.raises(BadFile, match="no packet is in it"):
        check_source(MINE, empty)
