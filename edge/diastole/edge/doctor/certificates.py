"""How long certificates are good: those in files, and the one that a server shows."""

import re
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from diastole.edge.doctor.finding import Finding
from diastole.edge.errors import shown

SOON_DAYS: Final = 30
PATIENCE_S: Final = 5.0
_PEM: Final = re.compile(
    r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.ASCII | re.DOTALL
)
_TIME: Final = rb"(?:\x17\x0d(\d{12}Z)|\x18\x0f(\d{14}Z))"
_VALIDITY: Final = re.compile(rb"\x30[\x1e\x20\x22]" + _TIME + _TIME)
"""X.509 (RFC 5280, 4.1.2.5): a sequence of two times, UTCTime or GeneralizedTime."""


def validity(der: bytes) -> tuple[datetime, datetime]:
    """Return from when until when a certificate is good; raise ValueError where it is none."""
    found = _VALIDITY.search(der)
    if found is None:
        wrong = "no certificate"
        raise ValueError(wrong)
    first, last = (short or long for short, long in (found.groups()[:2], found.groups()[2:]))
    return _time(first), _time(last)


def _time(digits: bytes) -> datetime:
    """Return a time of ASN.1; two digits of a year below 50 are of this century."""
    text = digits.decode()
    if len(text) == 13:
        text = ("20" if int(text[:2]) < 50 else "19") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def in_file(name: str, path: Path, now: datetime) -> Finding:
    """Return how long the certificates of a file are good: the first to end counts."""
    try:
        pems = _PEM.findall(path.read_text(encoding="ascii", errors="replace"))
        spans = [validity(ssl.PEM_cert_to_DER_cert(pem)) for pem in pems]
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        what = f"{shown(path)} cannot be read ({reason})"
        return Finding(name, "fail", what, "give a certificate in PEM that this user may read")
    if not spans:
        what = f"{shown(path)} holds no certificate"
        return Finding(name, "fail", what, "give a certificate in PEM")
    return lasting(name, shown(path), *min(spans, key=lambda span: span[1]), now)


def of_server(
    host: str, port: int, ca_file: str, own: tuple[str, str] | None, now: datetime
) -> Iterator[Finding]:
    """Yield whether a server's certificate is trusted by ``ca_file``, and how long it is good.

    ``own`` are the files of certificate and key that the server asks for.
    """
    place = f"that of {host}:{port}"
    try:
        context = ssl.create_default_context(cafile=ca_file)
        if own is not None:
            context.load_cert_chain(*own)
        with (
            socket.create_connection((host, port), PATIENCE_S) as plain,
            context.wrap_socket(plain, server_hostname=host) as secured,
        ):
            der = secured.getpeercert(binary_form=True) or b""
        yield lasting("certificate", place, *validity(der), now)
    except ssl.SSLCertVerificationError as error:
        reason = error.verify_message.lower().rstrip(".")
        yield Finding("certificate", "fail", f"{place} is refused ({reason})", _remedy(reason))
    except TimeoutError:
        what = f"{place} was not shown within {PATIENCE_S:g} s"
        yield Finding("certificate", "fail", what, "the broker hangs, or it is another server")
    except (OSError, ValueError) as error:
        reason = (getattr(error, "reason", None) or str(error)).lower().replace("_", " ")
        remedy = "is this the port for TLS? a broker without it needs no ca_file"
        yield Finding("certificate", "fail", f"{place} was not shown ({reason})", remedy)


def lasting(name: str, place: str, first: datetime, last: datetime, now: datetime) -> Finding:
    """Return what a validity means at this time."""
    if now < first:
        what = f"{place} is good only from {first:%Y-%m-%d} on"
        return Finding(name, "fail", what, "set this machine's clock, or wait for it to be set")
    days = (last - now).days
    if now > last:
        what = f"{place} has ended on {last:%Y-%m-%d}"
        return Finding(name, "fail", what, "make a new one from the same authority")
    until = f"{place} is good until {last:%Y-%m-%d}, {days} days"
    if days < SOON_DAYS:
        return Finding(name, "warn", until, "make a new one from the same authority")
    return Finding(name, "ok", until)


def _remedy(reason: str) -> str:
    if "expired" in reason or "not yet valid" in reason:
        return "make a new one, or set this machine's clock"
    if "hostname" in reason or "ip address" in reason:
        return "give the [broker] host as it stands in the certificate"
    return "give the ca_file of the authority that signed it"
