"""A double of InfluxDB 2 before a real 1.8: its buckets, tokens and answers, where none can be had.

What it shows is that our side speaks to that API as its description says; not that a real
InfluxDB 2 answers so. Bucket ``db/policy`` is a retention policy of the server behind. A token has
rights on single buckets, or (the administrator's) on everything.
"""

import json
import re
import secrets
import ssl
import threading
import urllib.error
import urllib.request
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.certificates import Issued

ORG: Final = "home"
ORG_ID: Final = "00000000000000aa"
Rights = frozenset[tuple[str, str]]
"""Pairs of read or write, and the name of a bucket."""


class Refusal(Exception):
    """An answer of 2 that is none of success."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"code": code, "message": message}


class Influx2:
    """The double, on ``url``; a context that ends it."""

    def __init__(self, behind: str, certificate: Issued | None = None) -> None:
        self.behind = behind
        self.admin = secrets.token_urlsafe(16)
        self.tokens: dict[str, Rights | None] = {self.admin: None}
        self.fault: tuple[int, dict[str, str]] | None = None
        """Status and headers with which every write and read is answered."""
        double = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.answer()

            def do_POST(self) -> None:
                self.answer()

            def answer(self) -> None:
                sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                place = urlsplit(self.path)
                token = (self.headers.get("Authorization") or "").removeprefix("Token ")
                asked = {name: given[0] for name, given in parse_qs(place.query).items()}
                headers: dict[str, str] = {}
                try:
                    if double.fault and place.path in ("/api/v2/write", "/query"):
                        status, headers = double.fault
                        raise Refusal(status, "unavailable", "asked to fail")
                    status, body = double.route(self.command, place.path, token, asked, sent)
                except Refusal as refusal:
                    status, body = refusal.status, json.dumps(refusal.body).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def handle(self) -> None:
                with suppress(OSError):  # who distrusts us hangs up
                    super().handle()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"http{'s' * bool(certificate)}://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def token(self, *rights: tuple[str, str]) -> str:
        """Return a new token with these rights alone."""
        made = secrets.token_urlsafe(16)
        self.tokens[made] = frozenset(rights)
        return made

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    # ---- what 2 answers

    def route(
        self, method: str, path: str, token: str, asked: dict[str, str], sent: bytes
    ) -> tuple[int, bytes]:
        """Return status and body."""
        if token not in self.tokens:
            raise Refusal(401, "unauthorized", "unauthorized access")
        rights = self.tokens[token]
        match method, path:
            case "POST", "/api/v2/write":
                return self._write(rights, asked, sent)
            case "POST", "/query":
                form = {name: given[0] for name, given in parse_qs(sent.decode()).items()}
                return self._query(rights, asked | form)
            case "GET", "/api/v2/orgs":
                return 200, json.dumps({"orgs": [{"id": ORG_ID, "name": ORG}]}).encode()
            case "GET", "/api/v2/buckets":
                may = [n for n in self.buckets() if rights is None or ("read", n) in rights]
                found = [_bucket(n) for n in may if asked.get("name", n) == n]
                return 200, json.dumps({"buckets": found}).encode()
            case "POST", "/api/v2/buckets":
                return self._create(rights, json.loads(sent))
        raise Refusal(404, "not found", "path not found")

    def buckets(self) -> dict[str, str]:
        """Return the buckets and how long each keeps."""
        found = {}
        for (database,) in self._behind("SHOW DATABASES"):
            for policy, lasting, *_ in self._behind(f'SHOW RETENTION POLICIES ON "{database}"'):
                found[f"{database}/{policy}"] = lasting
        return found

    def _write(
        self, rights: Rights | None, asked: dict[str, str], sent: bytes
    ) -> tuple[int, bytes]:
        bucket = asked["bucket"]
        if asked.get("org") != ORG:
            raise Refusal(404, "not found", f'organization name "{asked.get("org")}" not found')
        if bucket not in self.buckets():
            raise Refusal(404, "not found", f'bucket "{bucket}" not found')
        if rights is not None and ("write", bucket) not in rights:
            raise Refusal(403, "forbidden", "insufficient permissions for write")
        database, policy = bucket.split("/")
        status, body = self._post(
            "/write", {"db": database, "rp": policy, "precision": asked["precision"]}, sent
        )
        if status == 204:
            return 204, b""
        said = json.loads(body)["error"]
        if "partial write" in said and "unable to parse" not in said:  # 400 in 1.8
            what = f"failure writing points to database: {said}"
            raise Refusal(422, "unprocessable entity", what)
        raise Refusal(status, "invalid", said)

    def _query(self, rights: Rights | None, asked: dict[str, str]) -> tuple[int, bytes]:
        read = re.match(r'SELECT .* FROM "([a-z]+)"\.', asked["q"])
        if rights is not None and (
            read is None or ("read", f"{asked['db']}/{read[1]}") not in rights
        ):
            raise Refusal(403, "forbidden", "insufficient permissions")
        return self._post("/query", asked, b"")

    def _create(self, rights: Rights | None, wanted: dict[str, Any]) -> tuple[int, bytes]:
        if rights is not None:
            raise Refusal(401, "unauthorized", "write:orgs/buckets is unauthorized")
        database, policy = wanted["name"].split("/")
        if wanted["orgID"] != ORG_ID or wanted["name"] in self.buckets():
            raise Refusal(422, "conflict", f"bucket with name {wanted['name']} already exists")
        seconds = next((rule["everySeconds"] for rule in wanted["retentionRules"]), 0)
        lasting = f"{seconds}s" if seconds else "INF"
        self._behind(f'CREATE DATABASE "{database}"')
        self._behind(
            f'CREATE RETENTION POLICY "{policy}" ON "{database}" DURATION {lasting} REPLICATION 1'
        )
        return 201, json.dumps(_bucket(wanted["name"])).encode()

    # ---- the server behind

    def _behind(self, query: str) -> list[list[Any]]:
        _, body = self._post("/query", {"q": query}, b"")
        series = json.loads(body)["results"][0].get("series", [{}])
        rows: list[list[Any]] = series[0].get("values", [])
        return rows

    def _post(self, path: str, asked: dict[str, str], sent: bytes) -> tuple[int, bytes]:
        request = urllib.request.Request(f"{self.behind}{path}?{urlencode(asked)}", sent)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()
        except OSError as error:
            raise Refusal(503, "unavailable", str(error)) from None


def _bucket(name: str) -> dict[str, Any]:
    return {"id": name.encode().hex()[:16], "orgID": ORG_ID, "name": name, "retentionRules": []}
