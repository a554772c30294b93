"""Certificates for a test: an authority of its own, and what it signs, as PEM files in a folder."""

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


class Issued(NamedTuple):
    """Files of a certificate and of its key."""

    cert: Path
    key: Path


class Authority:
    """Signs for servers (by the names they are reached by) and for clients (by their user)."""

    def __init__(self, folder: Path, key: EllipticCurvePrivateKey, cert: x509.Certificate) -> None:
        self.folder = folder
        self.file = folder / f"{_common_name(cert)}.crt"
        self._key = key
        self._cert = cert
        self.file.write_bytes(cert.public_bytes(Encoding.PEM))

    @classmethod
    def make(cls, folder: Path, name: str = "ca") -> Self:
        """Make an authority; ``NAME.crt`` is its certificate."""
        key = generate_private_key(SECP256R1())
        unsigned = _unsigned(name, name, key, timedelta(days=-1), timedelta(days=1))
        usage = x509.KeyUsage(
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        cert = (
            unsigned.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .sign(key, hashes.SHA256())
        )
        return cls(folder, key, cert)

    def issue(
        self,
        name: str,
        *hosts: str,
        begins: timedelta = timedelta(days=-1),
        ends: timedelta = timedelta(days=1),
        passphrase: str | None = None,
    ) -> Issued:
        """Sign for a server reached by ``hosts``, or for a client where there are none."""
        key = generate_private_key(SECP256R1())
        purpose = ExtendedKeyUsageOID.SERVER_AUTH if hosts else ExtendedKeyUsageOID.CLIENT_AUTH
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        unsigned = (
            _unsigned(name, _common_name(self._cert), key, begins, ends)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(authority, critical=False)
        )
        if hosts:
            names = x509.SubjectAlternativeName([_reached_by(host) for host in hosts])
            unsigned = unsigned.add_extension(names, critical=False)
        cert = unsigned.sign(self._key, hashes.SHA256())
        issued = Issued(self.folder / f"{name}.crt", self.folder / f"{name}.key")
        issued.cert.write_bytes(cert.public_bytes(Encoding.PEM))
        lock = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
        issued.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock))
        issued.key.chmod(0o600)
        return issued


def _unsigned(
    subject: str,
    issuer: str,
    key: EllipticCurvePrivateKey,
    begins: timedelta,
    ends: timedelta,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_named(subject))
        .issuer_name(_named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
    )


def _named(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _common_name(cert: x509.Certificate) -> str:
    return str(cert.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def _reached_by(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
