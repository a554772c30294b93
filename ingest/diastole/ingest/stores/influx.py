"""Rows in InfluxDB: 1.8, or 2.7 and later, written by the v2 API and read by InfluxQL.

Bucket ``database/policy`` of InfluxDB 2 is that retention policy of InfluxDB 1, in both directions.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from diastole.edge.errors import InputError, MissingExtra
from diastole.ingest.layout import ALWAYS, POLICIES, POLICY_OF
from diastole.ingest.stores import Row, RowsRefused, StoreAway
from diastole.ingest.stores.checking import RANGE_MS, TAGS, name_checked
from diastole.ingest.stores.influx_settings import Influx
from diastole.ingest.stores.lines import lines

if TYPE_CHECKING:
    from influxdb_client.rest import ApiException
    from urllib3.exceptions import HTTPError

_EXPIRED: Final = re.compile(r"beyond retention policy.*dropped=(\d+)", re.DOTALL)
TIMEOUT_MS: Final = 10_000
MOST_ROWS: Final = 10_000
"""Read at once, of each series."""
WRITTEN: Final = 204
"""The one status of rows that are kept."""
SURELY_TAKEN_BYTES: Final = 1_000_000
"""A body up to here is not what a server hung up for."""


class InfluxStore:
    """A Store in an InfluxDB; nothing is asked of the server before the first call."""

    def __init__(self, settings: Influx) -> None:
        try:
            from influxdb_client.client.influxdb_client import InfluxDBClient
            from influxdb_client.client.write_api import SYNCHRONOUS
        except ImportError as error:
            library = "influxdb-client"
            raise MissingExtra(library, "ingest", "a store in InfluxDB") from error
        self.settings = settings
        self._client: Any = InfluxDBClient(
            settings.url,
            settings.credential() or "",
            org=settings.org or "",
            timeout=TIMEOUT_MS,
            ssl_ca_cert=settings.authority(),
            auth_basic=settings.user is not None,  # as a token, 1.8 cuts a password at a space
        )
        self._writer: Any = self._client.write_api(SYNCHRONOUS)

    def init(self) -> None:
        """Create the database and its retention policies; what is there stays as it is."""
        try:
            if self.settings.org is None:
                self._init_database()
            else:
                self._init_buckets()
        except StoreAway as error:
            remedy = "check url and login; an administrator's login is needed once, to create"
            raise InputError(str(error), remedy) from error

    def write(self, rows: Sequence[Row]) -> None:
        """Keep the rows, a request a retention policy."""
        for policy, some in groupby(sorted(rows, key=_policy), _policy):
            body = lines(some)
            with _told(self.settings, body):
                self._writer.write(
                    bucket=f"{self.settings.database}/{policy}",
                    org=self.settings.org or "-",
                    record=body,
                    write_precision="ms",
                )
            if self._client.api_client.last_response.status != WRITTEN:
                raise self._stranger()

    def read(
        self,
        measurement: str,
        tags: Mapping[str, str],
        fields: Sequence[str],
        start_ms: int,
        end_ms: int,
    ) -> Iterator[Row]:
        """Yield the rows with these tags and one of the fields (none named: all), by time."""
        wanted = ", ".join(f'"{name_checked(name)}"' for name in fields) or "*"
        given = "".join(f' AND "{name_checked(tag)}" = ${tag}' for tag in tags)
        end_ms = min(end_ms, RANGE_MS)
        start_ms = max(start_ms, -RANGE_MS)
        while start_ms < end_ms:
            series = self._query(
                f"SELECT {wanted} FROM {_place(measurement)}"
                f" WHERE time >= {start_ms}ms AND time < {end_ms}ms{given}"
                f" GROUP BY {', '.join(TAGS)} ORDER BY time LIMIT {MOST_ROWS}",
                tags,
            )
            # of a series that was cut, what comes later is not known yet: nothing goes past it
            cut = [one["values"][-1][0] for one in series if len(one["values"]) == MOST_ROWS]
            upto_ms = min(cut, default=end_ms)
            rows = [row for one in series for row in _rows(one) if row.time_ms <= upto_ms]
            yield from sorted(rows, key=lambda row: row.time_ms)
            start_ms = upto_ms + 1

    def count(self) -> dict[str, int]:
        """Return how many rows each measurement has; of statuses, as many as the fullest field."""
        counted = {}
        for measurement in POLICY_OF:
            field = f'"{ALWAYS[measurement]}"' if measurement in ALWAYS else "*"
            query = f"SELECT count({field}) FROM {_place(measurement)} GROUP BY {', '.join(TAGS)}"
            n = sum(max(m or 0 for m in one["values"][0][1:]) for one in self._query(query))
            if n:
                counted[measurement] = n
        return counted

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _query(self, query: str, bound: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """Return the series that an InfluxQL statement gives."""
        with _told(self.settings):
            answer = self._client.api_client.call_api(
                "/query",
                "POST",
                query_params=[("db", self.settings.database), ("epoch", "ms")],
                header_params={"Content-Type": "application/x-www-form-urlencoded"},
                post_params=[("q", query), ("params", json.dumps(dict(bound or {})))],
                response_type="object",
                _return_http_data_only=True,
            )
        if not isinstance(answer, dict) or len(answer.get("results", ())) != 1:
            raise self._stranger()
        (result,) = answer["results"]
        if "error" in result:
            raise StoreAway(_named(self.settings, result["error"]), alarm=True)
        series: list[dict[str, Any]] = result.get("series", [])
        return series

    def _stranger(self) -> StoreAway:
        return StoreAway(_named(self.settings, "it does not answer as one"), alarm=True)

    def _init_database(self) -> None:
        database = f'"{self.settings.database}"'
        self._query(f"CREATE DATABASE {database}")
        (there,) = self._query(f"SHOW RETENTION POLICIES ON {database}")
        for policy in POLICIES.keys() - {row[0] for row in there["values"]}:
            days, is_default = POLICIES[policy], policy == next(iter(POLICIES))
            lasting = "INF" if days is None else f"{days}d"
            self._query(
                f'CREATE RETENTION POLICY "{policy}" ON {database} DURATION {lasting}'
                f" REPLICATION 1{' DEFAULT' if is_default else ''}"
            )

    def _init_buckets(self) -> None:
        for policy, days in POLICIES.items():
            name = f"{self.settings.database}/{policy}"
            with _told(self.settings):
                buckets = self._client.buckets_api()
                if buckets.find_bucket_by_name(name) is None:
                    rules = [{"type": "expire", "everySeconds": days * 86_400}] if days else []
                    buckets.create_bucket(bucket_name=name, retention_rules=rules)


@contextmanager
def _told(settings: Influx, sent: bytes = b"") -> Iterator[None]:
    """Tell what a server answers, or that it does not, as StoreAway or RowsRefused."""
    from influxdb_client.rest import ApiException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except ApiException as error:
        raise _answered(settings, error, sent) from error
    except HTTPError as error:
        raise _unanswered(settings, error, sent) from error


def _answered(settings: Influx, error: "ApiException", sent: bytes) -> StoreAway | RowsRefused:
    status, said = error.status or 0, _message(error)
    what = _named(settings, f"{status} {said}" if status else said)
    if sent and status in (400, 413, 422):
        found = _EXPIRED.search(said)
        return RowsRefused(what, expired=int(found[1]) if found else 0)
    if status in (408, 429) or status >= 500:
        # a policy that was dropped comes back by nobody's waiting
        alarm = "retention policy not found" in said
        return StoreAway(what, retry_after_s=_seconds(error.retry_after), alarm=alarm)
    return StoreAway(what, alarm=True)


def _unanswered(settings: Influx, error: "HTTPError", sent: bytes) -> StoreAway | RowsRefused:
    from urllib3.exceptions import ProtocolError

    what = _named(settings, str(error))
    if isinstance(error, ProtocolError) and len(sent) > SURELY_TAKEN_BYTES:
        return RowsRefused(what)  # 1.8 hangs up on a body that is too large
    return StoreAway(what)


def _message(error: "ApiException") -> str:
    """Return what the server says: 1.8 calls it error, 2 calls it message."""
    try:
        said = json.loads(error.body or "")
        text = str(said.get("message") or said.get("error"))
    except (AttributeError, ValueError):
        text = str(error.body or error.reason)
    return " ".join(text.split())[:300]


def _seconds(retry_after: str | None) -> float | None:
    """Return what Retry-After asks for; a date, which InfluxDB never sends, is none."""
    try:
        return max(float(retry_after or ""), 0.0)
    except ValueError:
        return None


def _named(settings: Influx, what: str) -> str:
    return f"InfluxDB at {settings.url}: {what}"


def _policy(row: Row) -> str:
    if row.measurement not in POLICY_OF:
        what = f"measurement {row.measurement!r} has no retention policy"
        raise RowsRefused(what)
    return POLICY_OF[row.measurement]


def _place(measurement: str) -> str:
    policy = POLICY_OF.get(measurement, next(iter(POLICIES)))
    return f'"{policy}"."{name_checked(measurement)}"'


def _rows(series: Mapping[str, Any]) -> Iterator[Row]:
    _, *names = series["columns"]
    for time_ms, *values in series["values"]:
        known = {
            name: value if isinstance(value, str) else float(value)
            for name, value in zip(names, values, strict=True)
            if value is not None
        }
        if known:
            yield Row(series["name"], dict(series["tags"]), time_ms, known)
