"""TLS as every transport of ours speaks it: verified unless told otherwise, 1.2 or newer, the peer named in SNI."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator

from mqctl.errors import ConfigError, TlsError
from mqctl.target import Endpoint, TlsOptions

_PEER_IS_PLAIN = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG"})
"""What OpenSSL says of an answer that is no TLS at all."""

_WRONG_NAME = "connect by a name that the certificate carries"
_NOT_TRUSTED = {
    9: "compare this machine's clock with the broker's",
    10: "whoever runs the broker must renew it; if it is new, this machine's clock is wrong",
    62: _WRONG_NAME,
    64: _WRONG_NAME,
}
"""The next step by OpenSSL's X509_V_ERR_*: not yet valid, expired, another host's, another address'."""


def context(options: TlsOptions) -> ssl.SSLContext:
    """The client's side of TLS.

    Raises:
        ConfigError: A file of `options` is missing, or is no certificate or key, or its password is wrong.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    # A renegotiation would make a write wait for a read, which another thread owns.
    made.options |= ssl.OP_NO_RENEGOTIATION
    if not options.verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    elif options.ca_file is None:
        made.load_default_certs()
    else:
        with _reading(f"CA file {options.ca_file}", "it must be PEM"):
            made.load_verify_locations(cafile=options.ca_file)
    if options.cert_file is not None:
        # Without a password of ours, OpenSSL would ask for one on the terminal.
        password = options.key_password.reveal() if options.key_password else ""
        files = " or its key ".join(filter(None, (options.cert_file, options.key_file)))
        with _reading(
            f"client certificate {files}", "both must be PEM and belong together; an encrypted key needs --key-password"
        ):
            made.load_cert_chain(options.cert_file, options.key_file, password)
    return made


@contextlib.contextmanager
def _reading(what: str, hint: str) -> Iterator[None]:
    try:
        yield
    except ssl.SSLError as error:
        raise ConfigError(f"the {what} cannot be used: {_words(error)}", hint=hint) from error
    except OSError as error:
        raise ConfigError(f"cannot read the {what}: {error.strerror or error}") from error


def handshake_error(peer: Endpoint, error: Exception) -> TlsError:
    """What a failed handshake with `peer` means, in a sentence with the next step."""
    match error:
        case ssl.SSLCertVerificationError():
            return TlsError(
                f"the certificate of {peer} is not trusted: {error.verify_message}",
                hint=_NOT_TRUSTED.get(error.verify_code, "name the authority that signed it with --ca"),
            )
        case ssl.SSLError() if error.reason in _PEER_IS_PLAIN:
            return TlsError(f"{peer} does not speak TLS", hint="for a plain port use the scheme without +ssl")
        case ssl.SSLEOFError() | ConnectionError() | EOFError():
            return TlsError(
                f"{peer} hung up during the TLS handshake",
                hint="it may be a plain port (use the scheme without +ssl) or want a client certificate",
            )
        case ssl.SSLError():
            return TlsError(f"TLS with {peer} failed: {_words(error)}")
        case _:
            return TlsError(f"TLS with {peer} failed: {error}")


def closing_words(error: ssl.SSLError) -> str:
    """Why TLS ended an established connection, for people."""
    if error.reason and "CERTIFICATE_REQUIRED" in error.reason:
        return "the broker wants a client certificate"
    return f"TLS failed: {_words(error)}"


def _words(error: ssl.SSLError) -> str:
    return error.reason.replace("_", " ").lower() if error.reason else str(error)
