"""Only an acknowledgement lets a record go, and until then it is sent again, as it was."""

from collections import Counter
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diastole.edge.delivery import Item, Tick
from diastole.edge.delivery.flow import WINDOW_BYTES
from diastole.edge.delivery.limits import Limits
from diastole.edge.delivery.outbox import Outbox
from diastole.edge.delivery.publisher import NOBODY_LISTENS, Publisher
from diastole.edge.wire import WIRE_SCHEMA
from diastole.edge.wire.messages import MOST_BYTES, MOST_RECORDS, Ack, Held, Message, to_bytes
from diastole.edge.wire.topics import NOBODY, Stream
from tests.delivery.doubles import AGENT, SITE, Ingest, Wire, received
from tests.delivery.makers import NOW_NS, held, item, opened, record, tick


class Bench:
    """An outbox, its publisher, a wire, an ingest, and a clock that stands still."""

    def __init__(self, folder: Path, limits: Limits | None = None) -> None:
        self.now = 1000.0
        self.outbox = opened(folder, limits)
        self.publisher = Publisher(self.outbox, SITE, AGENT, lambda: self.now)
        self.wire = Wire()
        self.ingest = Ingest()

    def up(self) -> None:
        self.wire.sent.clear()
        self.wire.generation += 1
        self.publisher.on_up(self.wire.generation)
        self.pump()

    def pump(self, seconds: float = 0.0) -> list[Message]:
        """Let time go by; return what data that sends."""
        self.now += seconds
        before = len(self.wire.data())
        self.publisher.pump(self.wire)
        return self.wire.data()[before:]

    def taken(self, refusal: str | None = None) -> None:
        """Have the broker answer for everything so far."""
        for mid in self.wire.mids:
            self.publisher.on_published(self.wire.generation, mid, refusal)
        self.wire.mids[:-1] = []

    def acknowledge(self) -> None:
        self.publisher.on_message(received(self.ingest.held()))

    def round(self, seconds: float = 0.2) -> None:
        self.wire.deliver(self.ingest)
        self.taken()
        self.acknowledge()
        self.pump(seconds)


def seqs(said: list[Message]) -> list[int]:
    return [seq for one in said for seq in one.seqs]


def test_a_record_is_sent_again_as_it_was_until_it_is_acknowledged(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.up()
    bench.outbox.commit(tick(Stream.READING, 1))
    (first,) = bench.pump()
    sent_after = []
    for second in range(1, 1000):
        for again in bench.pump(1.0):
            assert again == msgspec.structs.replace(first, live=False)
            sent_after.append(second)
    assert sent_after[:5] == [10, 30, 70, 150, 310]
    assert sent_after[6] - sent_after[5] == 300
    assert held(bench.outbox)
    bench.wire.deliver(bench.ingest)
    bench.acknowledge()
    assert not bench.pump(1000.0)
    assert not held(bench.outbox)
    assert len(bench.wire.acknowledged) == 1
    bench.outbox.close()


def test_a_new_connection_greets_and_sends_again_what_was_under_way(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.up()
    bench.outbox.commit(tick(Stream.READING, 1, 2))
    assert seqs(bench.pump()) == [1, 2]
    bench.up()
    assert seqs(bench.wire.data()) == [1, 2]
    topic, payload, _ = bench.wire.sent[0]
    assert topic == f"diastole/v1/{SITE}/{AGENT}/-/hello"
    (sid,) = bench.outbox.lines
    assert msgspec.json.decode(payload)["streams"] == {sid: [1, 2]}
    bench.outbox.close()


def test_nothing_is_sent_before_the_connection_of_this_generation_is_known(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.outbox.commit(tick(Stream.READING, 1))
    bench.up()
    bench.wire.generation += 1
    bench.wire.sent.clear()
    assert not bench.pump(60.0)
    bench.outbox.close()


def test_what_is_new_goes_before_the_backlog_and_the_backlog_fills_the_window(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    for n in range(0, 6000, 500):
        bench.outbox.commit(tick(Stream.READING, *range(n, n + 500), size=1800))
    bench.outbox.close()
    bench.outbox = opened(tmp_path)
    bench.publisher = Publisher(bench.outbox, SITE, AGENT, lambda: bench.now)
    bench.up()
    assert min(seqs(bench.wire.data())) == 5941, "the rest waits for what ingest holds already"
    bench.ingest.take(*bench.wire.sent[0][:2])
    bench.acknowledge()
    for _ in range(6):
        bench.taken()
        bench.pump()
    under_way = bench.wire.data()
    sizes = [len(msgspec.json.encode(one)) for one in under_way]
    assert 0.9 * WINDOW_BYTES < sum(sizes) < WINDOW_BYTES + MOST_BYTES
    assert max(sizes) <= MOST_BYTES
    assert max(len(one.seqs) for one in under_way) > 10
    bench.outbox.commit(tick(Stream.READING, 9000, size=1800))
    assert seqs(bench.pump()) == [6001], "a full window still takes what is new"
    rounds = 0
    while bench.outbox.depth().rows and rounds < 60:
        bench.round()
        rounds += 1
    assert len(bench.ingest.records) == 6001
    assert max(Counter(bench.ingest.arrivals).values()) == 1
    assert rounds < 15, "6,000 readings at an acknowledgement each 200 ms: over 2,000/s"
    bench.outbox.close()


def test_a_slow_broker_is_not_given_a_whole_window_at_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.outbox.commit(tick(Stream.READING, *range(3000), size=1800))
    bench.up()
    bench.pump(3.0)
    sent = sum(len(payload) for _, payload, _ in bench.wire.sent)
    assert 300_000 < sum(len(payload) for _, payload, _ in bench.wire.sent) < 800_000
    bench.pump(1.0)
    assert sum(len(payload) for _, payload, _ in bench.wire.sent) == sent
    bench.outbox.close()


def test_after_a_silence_of_ingest_what_is_new_goes_first_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.up()
    bench.round()
    n = 0
    for _ in range(100):  # ingest is away, the broker is not
        bench.outbox.commit(tick(Stream.READING, *range(n, n + 200), size=1800))
        n += 200
        bench.taken()
        bench.pump(5.0)
    assert "acknowledged nothing for" in (bench.publisher.trouble or "")
    (sid,) = bench.outbox.lines
    bench.ingest.asked.add(sid)
    bench.acknowledge()  # of nothing: but it speaks
    bench.outbox.commit(tick(Stream.READING, n, size=1800))
    for _ in range(3):
        bench.round()
    assert (sid, n + 1) in bench.ingest.records
    assert len(bench.ingest.records) < n
    for _ in range(200):
        bench.round(1.0)
    assert not bench.outbox.depth().rows
    assert len(bench.ingest.records) == n + 1
    assert bench.publisher.trouble is None
    bench.outbox.close()


def test_where_nobody_listens_it_holds_and_says_so_until_somebody_does(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.up()
    bench.taken(NOBODY_LISTENS)
    bench.outbox.commit(tick(Stream.READING, 1))
    assert not bench.pump()
    assert "start diastole ingest" in (bench.publisher.trouble or "")
    bench.wire.sent.clear()
    assert not bench.pump(15.0)
    assert [topic.rsplit("/", 1)[1] for topic, _, _ in bench.wire.sent] == ["hello"]
    bench.taken()
    assert seqs(bench.pump()) == [1]
    assert bench.publisher.trouble is None
    bench.outbox.close()


def test_a_refusal_is_told_and_what_was_refused_is_kept(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.up()
    bench.outbox.commit(tick(Stream.READING, 1))
    bench.pump()
    bench.taken("not authorized")
    bench.pump()
    assert "not authorized" in (bench.publisher.trouble or "")
    assert held(bench.outbox)
    bench.outbox.close()


def test_messages_keep_within_what_the_broker_takes(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.wire.max_packet = 3000
    sizes = [100, 900, 5000, 1500, 100, 2400, 100]
    bench.outbox.commit(Tick([item(Stream.MARK, n, size=size) for n, size in enumerate(sizes)]))
    bench.up()
    bench.pump(3.0)
    bench.round()
    bench.round()
    assert [seq for _, seq in held(bench.outbox)] == [3], "the one that is too large stays"
    assert bench.publisher.trouble is not None
    bench.wire.max_packet = None
    bench.up()
    bench.pump(3.0)
    bench.round()
    assert not held(bench.outbox)
    bench.outbox.close()


def test_many_small_records_are_a_hundred_a_message(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.outbox.commit(tick(Stream.BEAT, *range(250)))
    bench.up()
    bench.pump(3.0)
    assert sorted(len(one.seqs) for one in bench.wire.data()) == [60, 90, MOST_RECORDS]
    bench.outbox.close()


def test_drops_are_told_until_they_are_acknowledged(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Limits(max_mb=0.02))
    bench.outbox.commit(tick(Stream.READING, *range(30), size=1800))
    bench.up()
    (sid,) = bench.outbox.lines
    (drop,) = bench.outbox.lines[sid].drops
    told = [one.drops for one in bench.wire.data() if one.drops]
    assert told == [[drop]]
    assert [one.drops for one in bench.pump(10.0) if one.drops] == [[drop]]
    bench.outbox.commit(tick(Stream.READING, *range(30, 40), size=1800))
    (wider,) = bench.outbox.lines[sid].drops
    assert wider.last > drop.last
    assert [one.drops for one in bench.pump() if one.drops] == [[wider]]
    for _ in range(4):
        bench.round(3.0)
    assert not bench.outbox.lines[sid].drops
    assert bench.outbox.lines[sid].done
    assert len(bench.ingest.dropped) == wider.last
    bench.outbox.close()


def test_only_the_newest_status_of_the_agent_is_retained(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    status = [Item(NOBODY, Stream.STATUS, record(Stream.STATUS, n, 9000)) for n in range(8)]
    bench.outbox.commit(Tick(status[:4]))
    bench.outbox.close()
    bench.outbox = opened(tmp_path)
    bench.publisher = Publisher(bench.outbox, SITE, AGENT, lambda: bench.now)
    bench.outbox.commit(Tick([*status[4:], item(Stream.STATUS, 9)]))
    bench.up()
    bench.pump(3.0)
    retained = [
        (topic, msgspec.json.decode(payload, type=Message).seqs[-1])
        for topic, payload, retain in bench.wire.sent
        if retain
    ]
    assert retained == [(bench.publisher.will[0], 8)]
    bench.outbox.close()


def test_an_acknowledgement_that_is_none_is_noted_and_hurts_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.up()
    bench.outbox.commit(tick(Stream.READING, 1))
    bench.pump()
    for payload in (b"", b"{}", b'{"v": 99, "held": []}', b"\xff"):
        bench.publisher.on_message(received(payload))
    strange = Held(sid="0" * 16, upto=10, also=[(5, 2), (-3, 2**60)])
    bench.publisher.on_message(received(to_bytes(Ack(v=WIRE_SCHEMA, held=[strange]))))
    bench.pump()
    assert len(bench.outbox.notes) == 4
    assert held(bench.outbox)
    bench.outbox.close()


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lossy")


@settings(max_examples=40)
@given(st.data())
def test_over_a_lossy_line_everything_arrives_unchanged(folders: Path, data: st.DataObject) -> None:
    bench = Bench(folders / str(len(list(folders.iterdir()))))
    with closing(bench.outbox):  # also where Hypothesis gives an example up
        over_a_lossy_line(bench, data)


def over_a_lossy_line(bench: Bench, data: st.DataObject) -> None:
    committed: dict[tuple[str, int], bytes] = {}
    streams = st.sampled_from([Stream.READING, Stream.MARK, Stream.BEAT])
    for n in range(data.draw(st.integers(1, 12))):
        match data.draw(st.sampled_from(["commit", "lose", "deliver", "ack", "reconnect", "busy"])):
            case "commit":
                count = data.draw(st.integers(1, 150))
                bench.outbox.commit(
                    tick(data.draw(streams), *range(200 * n, 200 * n + count), size=700)
                )
                committed |= held(bench.outbox)
            case "lose":
                lost = data.draw(st.integers(0, 3))
                bench.wire.deliver(bench.ingest, lambda k, lost=lost: k % 4 != lost)  # type: ignore[misc]
            case "deliver":
                bench.wire.deliver(bench.ingest)
            case "ack":
                bench.acknowledge()
            case "busy":
                bench.wire.most = data.draw(st.none() | st.integers(0, 5))
            case _:
                bench.up()
        bench.pump(data.draw(st.sampled_from([0.0, 0.2, 3.0, 30.0])))
    bench.wire.most = None
    bench.up()
    for _ in range(60):
        if not bench.outbox.streams():
            break
        bench.round(3.0)
    assert bench.ingest.records == committed
    assert not bench.ingest.changed
    assert not bench.outbox.streams()


def test_what_another_run_left_is_sent_under_the_same_identity(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.outbox.commit(tick(Stream.READING, 1, 2))
    before = held(bench.outbox)
    bench.outbox.close()
    again = Outbox.open(tmp_path / "agent" / "outbox.db", Limits(), lambda: NOW_NS)
    bench.outbox, bench.publisher = again, Publisher(again, SITE, AGENT, lambda: bench.now)
    again.commit(tick(Stream.READING, 3))
    bench.up()
    bench.pump(3.0)
    bench.round()
    assert before.items() <= bench.ingest.records.items()
    assert len(bench.ingest.records) == 3
    again.close()
