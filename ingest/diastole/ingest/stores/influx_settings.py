"""Where an InfluxDB is, and how to log in: a table of ``ingest.toml``."""

import os
from collections.abc import Iterator
from typing import Annotated, Final
from urllib.parse import urlsplit

import msgspec

from diastole.edge.errors import InputError
from diastole.edge.settings import Mistake, on_this_machine, readable, secret

TOKEN: Final = "DIASTOLE_STORE_TOKEN"
PASSWORD: Final = "DIASTOLE_STORE_PASSWORD"


class Influx(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the database is, and how to log in: by a token (2) or as a user (1.8)."""

    url: str = "http://127.0.0.1:8086"
    database: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]+$")] = "diastole"
    org: str | None = None
    """Of InfluxDB 2, which goes with a token; without it the server is a 1.8."""
    token_file: str | None = None
    user: str | None = None
    password_file: str | None = None
    ca_file: str | None = None
    insecure: bool = False
    """Whether the connection may be in plain text off this machine."""

    def mistakes(self) -> Iterator[Mistake]:
        """Yield what the settings must be to each other."""
        scheme, host = _scheme_and_host(self.url)
        if host is None:
            remedy = "give http://HOST:PORT or https://HOST:PORT, and no login in it"
            yield Mistake(("url",), "url is no address of an InfluxDB", remedy)
        elif scheme == "http" and not on_this_machine(host) and not self.insecure:
            what = "url is plain http to another machine"
            yield Mistake(("url",), what, "use https, or write insecure = true")
        if self.ca_file is not None and scheme != "https":
            what = "ca_file is for https, and url is not"
            yield Mistake(("ca_file",), what, "write https in url, or leave it out")
        if self.org is not None and self.user is not None:
            what = "org is for InfluxDB 2, user for 1.8"
            yield Mistake(("user",), what, "leave out the one that does not fit")
        if self.token_file is not None and self.org is None:
            what = "token_file goes with the org of InfluxDB 2"
            yield Mistake(("token_file",), what, "give org, or user and password_file for 1.8")
        if self.password_file is not None and self.user is None:
            what = "password_file without a user"
            yield Mistake(("password_file",), what, "give user")

    def authority(self) -> str | None:
        """Return the file of the authorities that may have signed; raise BadFile for none."""
        return None if self.ca_file is None else str(readable(self.ca_file))

    def credential(self) -> str | None:
        """Return the token, or user and password as one; raise InputError where it is missing."""
        if self.org is not None:
            return _given(self.token_file, TOKEN, "token_file")
        if self.user is not None:
            return f"{self.user}:{_given(self.password_file, PASSWORD, 'password_file')}"
        return None


def _scheme_and_host(url: str) -> tuple[str, str | None]:
    """Return both; no host where the address is none, or holds a login, which would be printed."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.port != 0 and parts.username is None
    except ValueError:
        return "", None
    return parts.scheme, parts.hostname if usable else None


def _given(file: str | None, variable: str, setting: str) -> str:
    if file is not None:
        return secret(file)
    if variable in os.environ:
        return os.environ[variable]
    what = "the login of InfluxDB is not given"
    raise InputError(what, f"name a file with {setting}, or set {variable}")
