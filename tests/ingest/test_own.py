"""What ingest says of itself each minute."""

from collections import Counter
from pathlib import Path

from diastole.ingest.decoding import Why
from diastole.ingest.own import Own
from diastole.ingest.spool import Dead
from diastole.ingest.stores.checking import check
from tests.ingest.sent import LATER_MS, a_spool, letter


def test_a_row_a_minute_with_lag_rates_and_dead_letters(tmp_path: Path) -> None:
    spool = a_spool(tmp_path)
    spool.keep([letter(b"1"), letter(b"2")], [Dead(letter(b"3"), Why.NEWER, "v 2")], [])
    own = Own("north", 100.0)
    assert not own.is_due(159.9)
    assert own.is_due(160.0)
    counts = Counter(received=120, stored=60, duplicates=4)
    row = own.row(160.0, (LATER_MS + 7_000) * 1_000_000, counts, spool, full=True)
    check(row)
    assert row.tags == {"site": "-", "agent": "north", "subject": "-", "device": "-"}
    assert (row.measurement, row.time_ms) == ("status", LATER_MS + 7_000)
    wanted = {"lag_s": 7, "spool_rows": 2, "spool_full": 1, "received": 120, "duplicates": 4}
    wanted |= {"received_per_s": 2, "stored_per_s": 1, "dead_newer": 1, "dead_message": 0}
    assert row.fields.items() >= wanted.items()
    assert not own.is_due(219.9)
    later = own.row(220.0, LATER_MS * 1_000_000, counts + Counter(received=30), spool, full=False)
    assert (later.fields["received_per_s"], later.fields["stored_per_s"]) == (0.5, 0)
    spool.release([1, 2], [])
    assert own.row(280.0, 0, counts, spool, full=False).fields["lag_s"] == 0
    spool.close()
