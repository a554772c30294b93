"""Bytes that others have published, or that the specifications make, and what they say."""

import asyncio
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from diastole.edge.sources.ble import colmi, hrs, info, pmd
from diastole.edge.sources.ble.protocol import Refused, Undecodable
from tests.sources.ble.linked import Linked

VECTORS = Path(__file__).parents[4] / "shared" / "data" / "ble" / "vectors.json"


@cache
def vectors() -> list[dict[str, Any]]:
    if not VECTORS.is_file():
        return []
    found: list[dict[str, Any]] = json.loads(VECTORS.read_text("utf-8"))["vectors"]
    return found


def check_heart_rate(data: bytes, expect: dict[str, Any]) -> None:
    sent = hrs.decode(data)
    assert sent.hr_bpm == expect["hr"]
    assert sent.contact is expect["contact"]
    assert sent.energy_kj == expect["energy_kj"]
    assert list(sent.rr_1024) == expect["rr_1024"]
    assert sent.odd_bytes == expect["trailing_bytes"]
    heard = hrs.HeartRateDriver().packet(hrs.MEASUREMENT, data, 0.0)
    assert [round(interval.ms, 3) for interval in heard.intervals] == expect["rr_ms"]
    assert heard.hr_bpm == (expect["hr"] or None)
    assert heard.contact is expect["contact"]


SURVIVED: dict[str, tuple[int, list[int], int]] = {
    "hr 72, rr [850], trailing byte counted, no exception": (72, [850], 1),
    "hr 72, rr []": (72, [], 0),
    "hr 72, bits 5-7 ignored": (72, [], 0),
}


def check_malformed(data: bytes, expect: dict[str, Any]) -> None:
    if expect["rule"] == "typed error":
        with pytest.raises(Undecodable) as refusal:
            hrs.decode(data)
        assert refusal.value.reason == Refused.CUT
        return
    sent = hrs.decode(data)
    assert (sent.hr_bpm, list(sent.rr_1024), sent.odd_bytes) == SURVIVED[expect["rule"]]
    heard = hrs.HeartRateDriver().packet(hrs.MEASUREMENT, data, 0.0)
    assert heard.refused == (Refused.ODD_BYTE,) * sent.odd_bytes


def check_ppi(data: bytes, expect: dict[str, Any]) -> None:
    frame = pmd.decode(data)
    assert isinstance(frame, pmd.Ppi)
    assert frame.stamp_ns == expect["timestamp_ns"]
    assert frame.odd_bytes == 0
    assert [msgspec.structs.asdict(sample) for sample in frame.samples] == [
        {
            "hr_bpm": sample["hr"],
            "pp_ms": sample["pp_ms"],
            "error_ms": sample["error_ms"],
            "blocker": bool(sample["blocker"]),
            "contact": bool(sample["skin_contact"]) if sample["skin_contact_supported"] else None,
        }
        for sample in expect["samples"]
    ]


def check_acc(data: bytes, expect: dict[str, Any]) -> None:
    frame = pmd.decode(data)
    assert isinstance(frame, pmd.Acc)
    assert frame.stamp_ns == expect["timestamp_ns"]
    assert frame.frame_type == expect["frame_type"]
    assert frame.compressed is expect["compressed"]
    assert frame.xyz.tolist() == expect["samples_xyz"]


def check_ecg(data: bytes, expect: dict[str, Any]) -> None:
    frame = pmd.decode(data)
    assert isinstance(frame, pmd.Ecg)
    assert frame.stamp_ns == expect["timestamp_ns"]
    assert frame.microvolts.tolist() == expect["microvolts"]


def check_reply(data: bytes, expect: dict[str, Any]) -> None:
    reply = pmd.control(data)
    assert isinstance(reply, pmd.Reply)
    for field in ("op", "measurement", "status", "more"):
        assert getattr(reply, field) == expect[field]
    if "parameters" in expect:
        assert reply.parameters.hex() == expect["parameters"]
    if "settings" in expect:
        check_settings(reply.parameters, expect["settings"])


def check_settings(data: bytes, expect: dict[str, Any]) -> None:
    named = {name.removesuffix("_float"): values for name, values in expect.items()}
    assert {name: list(values) for name, values in pmd.settings(data).items()} == named


def check_command(data: bytes, expect: dict[str, Any]) -> None:
    assert pmd.command(expect["op"], expect["measurement"]) == data


RING_SAYS: dict[str, Callable[[bytes], int]] = {
    "battery": lambda said: said[0],
    "charging": lambda said: said[1],
    "sub_type": lambda said: said[0],
    "packets": lambda said: said[1],
    "minutes_per_value": lambda said: said[2],
    "enabled": lambda said: said[1],
    "interval_min": lambda said: said[2],
    "kind": lambda said: said[0],
    "error": lambda said: said[1],
    "value": lambda said: said[2],
}


def check_ring(data: bytes, expect: dict[str, Any]) -> None:
    if not expect["checksum_ok"]:
        with pytest.raises(Undecodable) as refusal:
            colmi.decode(data)
        short = expect["length"] != 16
        assert refusal.value.reason == (Refused.CUT if short else Refused.CHECKSUM)
        return
    packet = colmi.decode(data)
    assert (packet.command, packet.failed) == (expect["command"], expect["error_bit"])
    assert colmi.encode(packet.command, *packet.payload) == data
    for field in RING_SAYS.keys() & expect:
        assert RING_SAYS[field](packet.payload) == expect[field], field


def check_energy_reset(data: bytes, _expect: dict[str, Any]) -> None:
    """See that it is never sent: the count is its wearer's."""
    control = "00002a39-0000-1000-8000-00805f9b34fb"
    link = Linked({hrs.MEASUREMENT: None, hrs.LOCATION: b"\x01", control: None})
    driver = link.driver = hrs.HeartRateDriver()

    async def life() -> None:
        await driver.start(link)
        await driver.tick(link)
        await driver.stop(link)

    asyncio.run(life())
    assert data not in link.written


def check_battery(data: bytes, expect: dict[str, Any]) -> None:
    assert info.battery(data) == expect["percent"]


def check_location(data: bytes, expect: dict[str, Any]) -> None:
    assert hrs.location(data) == expect["location"]


CHECKS: dict[str, Callable[[bytes, dict[str, Any]], None]] = {
    "hrm": check_heart_rate,
    "hrm-malformed": check_malformed,
    "pmd-ppi": check_ppi,
    "pmd-acc": check_acc,
    "pmd-ecg": check_ecg,
    "pmd-cp": check_reply,
    "pmd-settings": check_settings,
    "pmd-command": check_command,
    "colmi": check_ring,
    "battery": check_battery,
    "body-location": check_location,
    "hr-control-point": check_energy_reset,
}


@pytest.mark.parametrize(
    "vector",
    [pytest.param(v, id=f"{i:02}-{v['kind']}-{v['name']}") for i, v in enumerate(vectors())]
    or [None],
)
def test_a_published_packet_says_what_it_is_said_to(shared: Path, vector: dict[str, Any]) -> None:
    assert shared in VECTORS.parents
    CHECKS[vector["kind"]](bytes.fromhex(vector["hex"]), vector["expect"])


def test_every_published_packet_is_checked(shared: Path) -> None:
    assert shared in VECTORS.parents
    assert len(vectors()) == 60


def test_a_ring_is_sent_what_others_send_it(shared: Path) -> None:
    assert shared in VECTORS.parents
    sent = {v["name"]: bytes.fromhex(v["hex"]) for v in vectors() if v["kind"] == "colmi"}
    assert sent["command: battery"] == colmi.ASK_BATTERY
    assert sent["command: start real-time HR"] == colmi.START
    assert sent["command: stop real-time HR"] == colmi.STOP
