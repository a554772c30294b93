"""What an InfluxDB does when it does not take the rows, and what is asked of its settings."""

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from diastole.edge.errors import InputError, Mistakes
from diastole.edge.settings import read
from diastole.ingest.stores import RowsRefused, StoreAway
from diastole.ingest.stores import influx as room
from diastole.ingest.stores.influx import InfluxStore
from diastole.ingest.stores.influx_settings import Influx
from tests.certificates import Authority
from tests.fakes.influx2 import ORG, Influx2
from tests.ingest.made import row
from tests.ingest.stores import ADMIN, ask, secret, settings_of
from tests.servers import Running, free_port, influxd

NOW_MS = int(time.time()) * 1000
HERE = row(NOW_MS, {"online": 1.0}, "status")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    with influxd(tmp_path) as running:
        yield running


@pytest.fixture
def store(server: Running) -> Iterator[InfluxStore]:
    store = InfluxStore(Influx(url=f"http://127.0.0.1:{server.port}"))
    yield store
    store.close()


@pytest.fixture
def double(server: Running) -> Iterator[Influx2]:
    with Influx2(f"http://127.0.0.1:{server.port}") as running:
        yield running


def with_token(
    double: Influx2, token: str, folder: Path, ca_file: str | None = None
) -> InfluxStore:
    file = secret(folder, token)
    return InfluxStore(Influx(url=double.url, org=ORG, token_file=file, ca_file=ca_file))


def away(store: InfluxStore) -> StoreAway:
    with pytest.raises(StoreAway) as caught:
        store.write([HERE])
    return caught.value


def test_each_measurement_lies_in_its_policy(server: Running, store: InfluxStore) -> None:
    store.init()
    store.init()
    url = f"http://127.0.0.1:{server.port}"
    said = ask(url, 'SHOW RETENTION POLICIES ON "diastole"').decode()
    assert '["raw","9600h0m0s","168h0m0s",1,true]' in said
    assert '["kept","0s","168h0m0s",1,false]' in said
    assert '["beats","720h0m0s","24h0m0s",1,false]' in said
    store.write([HERE, row(NOW_MS, {"rev": 1.0}, "event"), row(NOW_MS, {"rr_ms": 1.0}, "beat")])
    for place in ("raw.status", "kept.event", "beats.beat"):
        assert b'"series"' in ask(url, f"SELECT * FROM {place}", db="diastole")
    assert b'"float"' in ask(url, 'SHOW FIELD KEYS FROM "raw"."status"', db="diastole")


def test_who_is_not_there_is_away_and_no_alarm(server: Running, store: InfluxStore) -> None:
    store.init()
    server.kill()
    assert not away(store).alarm
    with pytest.raises(StoreAway):
        store.count()
    with pytest.raises(InputError, match="check url and login"):
        store.init()
    server.start()
    store.write([HERE])
    assert store.count() == {"status": 1}


def test_who_hangs_is_away(
    server: Running, store: InfluxStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.init()
    monkeypatch.setattr(room, "TIMEOUT_MS", 200)
    hasty = InfluxStore(store.settings)
    server.freeze()
    assert not away(hasty).alarm
    server.thaw()
    hasty.write([HERE])
    assert hasty.count() == {"status": 1}


def test_without_its_database_or_policy_it_alarms(server: Running, store: InfluxStore) -> None:
    assert "404 database not found" in str(away(store))
    assert away(store).alarm
    store.init()
    ask(f"http://127.0.0.1:{server.port}", 'DROP RETENTION POLICY "raw" ON "diastole"')
    assert "500 retention policy not found" in str(away(store))
    assert away(store).alarm


def test_older_than_the_store_keeps_is_expired(store: InfluxStore) -> None:
    store.init()
    old = row(NOW_MS - 40 * 86_400_000, {"rr_ms": 800.0}, "beat")
    with pytest.raises(RowsRefused, match="beyond retention policy") as refused:
        store.write([old, row(NOW_MS, {"rr_ms": 800.0}, "beat")])
    assert refused.value.expired
    assert store.count() == {"beat": 1}


def test_a_body_too_large_is_to_be_halved(store: InfluxStore) -> None:
    store.init()
    big = [row(NOW_MS + k, {"text": "x" * 60_000, "by": ""}, "mark") for k in range(450)]
    with pytest.raises(RowsRefused):
        store.write(big)
    store.write(big[:225])
    assert store.count() == {"mark": 225}


def test_a_measurement_of_nobody_is_refused(store: InfluxStore) -> None:
    with pytest.raises(RowsRefused, match="has no retention policy"):
        store.write([row(NOW_MS, {"a": 1.0}, "weather")])


def test_law_11_a_wrong_password_alarms_and_is_never_said(tmp_path: Path) -> None:
    with settings_of("influx-1.8-users", tmp_path) as settings:
        InfluxStore(settings).init()
        assert settings.password_file is not None
        Path(settings.password_file).write_text("swordfish")
        wrong = away(InfluxStore(settings))
        assert wrong.alarm
        assert "401" in str(wrong)
        assert "swordfish" not in str(wrong)
        anonymous = InfluxStore(Influx(url=settings.url))
        assert away(anonymous).alarm
        with pytest.raises(InputError, match="administrator"):
            anonymous.init()


def test_a_user_who_may_only_write_and_read_suffices(tmp_path: Path) -> None:
    with settings_of("influx-1.8-users", tmp_path) as settings:
        InfluxStore(settings).init()
        user, password = ADMIN
        for query in (
            "CREATE USER ingest WITH PASSWORD 'p w'",
            'GRANT ALL ON "diastole" TO ingest',
        ):
            ask(settings.url, query, u=user, p=password)
        own = msgspec.structs.replace(
            settings, user="ingest", password_file=secret(tmp_path, "p w")
        )
        store = InfluxStore(own)
        store.write([HERE])
        assert list(store.read("status", {}, (), 0, 2**60)) == [HERE]


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_busy_server_says_when_to_come_back(double: Influx2, tmp_path: Path, status: int) -> None:
    store = with_token(double, double.admin, tmp_path)
    store.init()
    double.fault = (status, {"Retry-After": "7"})
    told = away(store)
    assert (told.retry_after_s, told.alarm) == (7.0, False)
    double.fault = (status, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"})
    assert away(store).retry_after_s is None
    double.fault = None
    store.write([HERE])


def test_tokens_of_the_double_open_their_buckets_alone(double: Influx2, tmp_path: Path) -> None:
    admin = with_token(double, double.admin, tmp_path)
    admin.init()
    assert set(double.buckets()) >= {"diastole/raw", "diastole/kept", "diastole/beats"}
    assert double.buckets()["diastole/raw"] == "9600h0m0s"
    writer = with_token(double, double.token(("write", "diastole/raw")), tmp_path)
    writer.write([HERE])
    with pytest.raises(StoreAway, match="403") as unread:
        writer.count()
    assert unread.value.alarm
    with pytest.raises(StoreAway, match="403"):
        writer.write([row(NOW_MS, {"rev": 1.0}, "event")])
    with pytest.raises(InputError, match="administrator"):
        writer.init()
    assert "401" in str(away(with_token(double, "stolen", tmp_path)))
    assert admin.count() == {"status": 1}


def test_the_double_answers_a_partial_write_by_422(double: Influx2, tmp_path: Path) -> None:
    store = with_token(double, double.admin, tmp_path)
    store.init()
    store.write([HERE])
    with pytest.raises(RowsRefused, match=r"422 .*field type conflict"):
        store.write([row(NOW_MS + 1, {"online": "yes"}, "status")])
    old = row(NOW_MS - 500 * 86_400_000, {"online": 1.0}, "status")
    with pytest.raises(RowsRefused, match="422") as refused:
        store.write([old])
    assert refused.value.expired


def test_what_says_yes_to_anything_is_no_store(double: Influx2) -> None:
    store = InfluxStore(Influx(url=double.url))
    double.fault = (200, {})
    for call in (lambda: store.write([HERE]), store.count, store.init):
        with pytest.raises((StoreAway, InputError), match="does not answer as one"):
            call()


def test_an_org_that_is_not_there_alarms(double: Influx2, tmp_path: Path) -> None:
    store = with_token(double, double.admin, tmp_path)
    lost = InfluxStore(msgspec.structs.replace(store.settings, org="elsewhere"))
    assert away(lost).alarm


def test_a_login_that_is_not_given_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(InputError, match="DIASTOLE_STORE_TOKEN"):
        InfluxStore(Influx(url=url, org="home"))
    with pytest.raises(InputError, match="DIASTOLE_STORE_PASSWORD"):
        InfluxStore(Influx(url=url, user="me"))
    with pytest.raises(InputError, match="no such file"):
        InfluxStore(Influx(url=url, user="me", password_file=str(tmp_path / "none")))
    monkeypatch.setenv("DIASTOLE_STORE_PASSWORD", "x")
    assert Influx(url=url, user="me").credential() == "me:x"


def test_every_mistake_of_the_settings_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "store.toml"
    path.write_text('url = "http://nas.lan:8086"\norg = "home"\nuser = "me"\nca_file = "ca.pem"\n')
    with pytest.raises(Mistakes) as mistakes:
        read(path, Influx)
    assert [(m.line, m.what.split(": ", 1)[1]) for m in mistakes.value.found] == [
        (1, "url is plain http to another machine"),
        (3, "org is for InfluxDB 2, user for 1.8"),
        (4, "ca_file is for https, and url is not"),
    ]
    path.write_text('url = "nas:8086"\npassword_file = "p"\ntoken_file = "t"\n')
    with pytest.raises(Mistakes) as mistakes:
        read(path, Influx)
    assert [m.line for m in mistakes.value.found] == [1, 2, 3]


@pytest.mark.parametrize(
    "url",
    ["", "nas", "http://", "http://[::1", "http://nas:99999", "ftp://nas", "http://me:pw@nas"],
)
def test_what_is_no_address_is_a_sentence_without_a_login(url: str, tmp_path: Path) -> None:
    path = tmp_path / "store.toml"
    path.write_text(f'url = "{url}"\n')
    with pytest.raises(Mistakes, match="no address of an InfluxDB") as mistakes:
        read(path, Influx)
    assert "pw" not in str(mistakes.value).replace(str(path), "")


def test_a_store_over_tls_is_known_by_its_authority(server: Running, tmp_path: Path) -> None:
    ours, others = Authority.make(tmp_path), Authority.make(tmp_path, "others")
    behind = f"http://127.0.0.1:{server.port}"
    with Influx2(behind, ours.issue("store", "127.0.0.1")) as double:
        store = with_token(double, double.admin, tmp_path, ca_file=str(ours.file))
        store.init()
        store.write([HERE])
        assert store.count() == {"status": 1}
        for authority in (None, str(others.file)):
            told = away(with_token(double, double.admin, tmp_path, ca_file=authority))
            assert told.alarm
            assert "certificate verify failed" in str(told)
    with Influx2(behind, ours.issue("elsewhere", "192.0.2.1")) as double:
        store = with_token(double, double.admin, tmp_path, ca_file=str(ours.file))
        assert "mismatch" in str(
            away(with_token(double, double.admin, tmp_path, ca_file=str(ours.file)))
        )
    with pytest.raises(InputError, match="no such file"):
        with_token(double, double.admin, tmp_path, ca_file=str(tmp_path / "none.crt"))
