"""TLS as every transport of ours speaks it: verified unless told otherwise, 1.2 or newer, the peer named in SNI."""

from __future__ import annotations

import contextlib
import os
import re
import ssl
from collections.abc import Iterator

from mqctl.adapters.tls_failure import closing_words, ended, handshake_error
from mqctl.errors import ConfigError
from mqctl.target import Secret, TlsOptions

__all__ = ["closing_words", "context", "ended", "handshake_error"]

_NOT_ITS_KEY = frozenset({"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"})
"""What OpenSSL says of a key that is another certificate's; the last, of a key of another kind."""

_HASHED = re.compile(r"[0-9a-f]{8}\.\d+")
"""How `openssl rehash` names a certificate."""

_ASN1_SEQUENCE = b"0"
"""How every certificate and key begins that is not in PEM."""


def context(options: TlsOptions) -> ssl.SSLContext:
    """The client's side of TLS.

    Raises:
        ConfigError: A file of `options` cannot be read, or holds something else, or its password is wrong.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    # A renegotiation would make a write wait for a read, which another thread owns.
    made.options |= ssl.OP_NO_RENEGOTIATION
    if options.verify:
        _trust(made, options)
    else:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    if options.cert_file is not None:
        _identify(made, options.cert_file, options.key_file or options.cert_file, options.key_password)
    elif options.key_file is not None:
        raise ConfigError(f"the key {options.key_file} has no certificate to go with it", hint="--cert FILE")
    return made


def _trust(made: ssl.SSLContext, options: TlsOptions) -> None:
    if options.ca_file is None:
        made.load_default_certs()
    elif os.path.isdir(options.ca_file):  # noqa: PTH112 - pathlib is slow to import
        _trust_folder(made, options.ca_file)
    else:
        what = f"CA file {options.ca_file}"
        if not _contents(options.ca_file, what)["x509"]:
            raise ConfigError(f"the {what} holds no certificate", hint=_hint(options.ca_file))
        made.load_verify_locations(cafile=options.ca_file)
    if options.crl_file is not None:
        what = f"CRL file {options.crl_file}"
        held = _contents(options.crl_file, what)
        if not held["crl"]:
            raise ConfigError(f"the {what} holds no list of revoked certificates", hint=_hint(options.crl_file))
        # They would be trusted like those of --ca.
        if held["x509"]:
            raise ConfigError(f"the {what} holds certificates too", hint="put only lists there; --ca names authorities")
        made.load_verify_locations(cafile=options.crl_file)
        made.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN


def _trust_folder(made: ssl.SSLContext, path: str) -> None:
    """OpenSSL looks in it for a certificate by its name's hash, and for nothing else (its c_rehash)."""
    with _reading(f"CA folder {path}"):
        names = os.listdir(path)  # noqa: PTH208 - as above
    if not any(map(_HASHED.fullmatch, names)):
        raise ConfigError(
            f"the CA folder {path} has no certificate under the name of its hash",
            hint=f"openssl rehash {path}, or name a PEM file in it",
        )
    made.load_verify_locations(capath=path)


def _contents(path: str, what: str) -> dict[str, int]:
    """How many certificates (`x509`) and lists of revoked ones (`crl`) a file holds."""
    scratch = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with _reading(what):
        try:
            scratch.load_verify_locations(cafile=path)
        except ssl.SSLError as error:
            if error.reason != "NO_CERTIFICATE_OR_CRL_FOUND":
                raise ConfigError(f"the {what} is damaged", hint=_hint(path)) from error
    return scratch.cert_store_stats()


def _identify(made: ssl.SSLContext, cert_file: str, key_file: str, password: Secret | None) -> None:
    """Show a certificate of ours. OpenSSL asks for a password only where there is something to open."""
    asked = False

    def answer() -> str:
        nonlocal asked
        asked = True
        # Without a password of ours, OpenSSL would ask for one on the terminal.
        return password.reveal() if password else ""

    for what, path in (("client certificate", cert_file), ("key", key_file)):
        with _reading(f"{what} {path}"), open(path, "rb"):  # noqa: PTH123 - pathlib is slow to import
            pass
    try:
        made.load_cert_chain(cert_file, key_file, answer)
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None)
        raise _bad_identity(cert_file, key_file, reason, asked=asked, password=password) from error


def _bad_identity(
    cert_file: str, key_file: str, reason: str | None, *, asked: bool, password: Secret | None
) -> ConfigError:
    what = f"client certificate {cert_file}"
    if not _contents(cert_file, what)["x509"]:
        return ConfigError(f"the {what} holds no certificate", hint=_hint(cert_file))
    if reason in _NOT_ITS_KEY:
        return ConfigError(
            f"the key {key_file} does not belong to the certificate {cert_file}",
            hint="a file with a chain begins with the certificate of the key",
        )
    if asked and password is None:
        return ConfigError(f"the key {key_file} is encrypted", hint="say where its password is: --key-password")
    if asked:
        return ConfigError(f"the password does not open the key {key_file}", hint="see --key-password")
    hint = "name the file of the key: --key" if key_file == cert_file else _hint(key_file)
    return ConfigError(f"{key_file} holds no private key", hint=hint)


def _hint(path: str) -> str:
    with open(path, "rb") as file:  # noqa: PTH123 - pathlib is slow to import
        binary = file.read(1) == _ASN1_SEQUENCE
    if binary:
        return "it is DER or PKCS #12; `openssl x509`, `openssl crl` or `openssl pkcs12` turn it into PEM"
    return "it must be PEM, which begins with -----BEGIN"


@contextlib.contextmanager
def _reading(what: str) -> Iterator[None]:
    try:
        yield
    except IsADirectoryError as error:
        raise ConfigError(f"the {what} is a directory", hint="name a PEM file in it") from error
    except OSError as error:
        raise ConfigError(f"cannot read the {what}: {error.strerror or error}") from error
