"""Where the broker is and how it is entered."""

import os
import ssl
from collections.abc import Iterator
from typing import Annotated, Final

import msgspec

from diastole.edge.errors import BadFile, InputError
from diastole.edge.settings import Mistake, on_this_machine, readable, secret

PASSWORD: Final = "DIASTOLE_BROKER_PASSWORD"
"""The variable of the environment that holds the password where no file does."""
PLAIN_PORT: Final = 1883
TLS_PORT: Final = 8883
_UNSET: Final = 0

Port = Annotated[int, msgspec.Meta(ge=1, le=65_535)]


class Broker(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table ``[broker]`` of a settings file. With ``ca_file`` it is TLS, else plaintext.

    It holds where a password is, never the password: it can be printed.
    """

    host: Annotated[str, msgspec.Meta(min_length=1)] = "127.0.0.1"
    port: Port = _UNSET
    """Unless given, 8883 with TLS and 1883 without."""
    user: str | None = None
    password_file: str | None = None
    """Nobody but its owner may read it. Without one, the environment's password counts."""
    ca_file: str | None = None
    """The authorities of which one must have signed the broker's certificate; no other counts."""
    cert_file: str | None = None
    key_file: str | None = None
    insecure: bool = False
    """Whether plaintext may leave this machine."""

    def __post_init__(self) -> None:
        if self.port == _UNSET:
            msgspec.structs.force_setattr(self, "port", TLS_PORT if self.ca_file else PLAIN_PORT)

    def __str__(self) -> str:
        """Return host and port, as in an address."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def mistakes(self) -> Iterator[Mistake]:
        """Yield what does not go together."""
        if self.ca_file is None and not self.insecure and not on_this_machine(self.host):
            yield Mistake(
                ("host",),
                f"data would leave this machine in plaintext for {self.host}",
                "give ca_file, or say insecure = true",
            )
        if (self.cert_file is None) != (self.key_file is None):
            given, other = "cert_file", "key_file"
            if self.cert_file is None:
                given, other = other, given
            yield Mistake((given,), f"{given} stands alone", f"give {other} as well")
        if self.cert_file is not None and self.ca_file is None:
            what = "a client certificate is of no use in plaintext"
            yield Mistake(("cert_file",), what, "give ca_file")
        if self.password_file is not None and self.user is None:
            yield Mistake(("password_file",), "a password without a name", "give user")

    def password(self) -> str | None:
        """Return the password of ``user``; raise BadFile where its file is unusable or open."""
        if self.user is None:
            return None
        if self.password_file is None:
            return os.environ.get(PASSWORD)
        return secret(self.password_file)

    def tls(self) -> ssl.SSLContext | None:
        """Return how to encrypt, None for plaintext; raise BadFile for files that are unusable."""
        if self.ca_file is None:
            return None
        authority = readable(self.ca_file)
        try:
            context = ssl.create_default_context(cafile=authority)
        except ssl.SSLError:
            raise BadFile(authority, "holds no certificate", "give a CA's, in PEM") from None
        context.sslsocket_class = _Closing
        if self.cert_file is not None and self.key_file is not None:
            own, key = readable(self.cert_file), readable(self.key_file)
            try:
                context.load_cert_chain(own, key, password=_no_passphrase)
            except ssl.SSLError:
                what = f"is no certificate that {key} is the key of"
                raise BadFile(own, what, "give both in PEM, the key without a passphrase") from None
        return context


class _Closing(ssl.SSLSocket):
    """Is closed where the two sides do not come to terms: paho forgets that one."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def _no_passphrase() -> str:
    """Keep OpenSSL from asking at the terminal."""
    what = "the key has a passphrase"
    raise InputError(what, "take it off: openssl pkey -in KEY -out NEW")
