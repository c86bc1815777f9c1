"""What a failed handshake means: each cause its own sentence, with what the certificate says, and the next step."""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from mqctl.errors import ConnectError, TlsError
from mqctl.target import Endpoint

Dial = Callable[[], socket.socket]
"""Opens one more connection to the peer."""

LOOK_S: Final = 1.0
"""How long to look at a certificate that was refused; what it says only makes the message better."""

NAMES_MAX: Final = 5
TEXT_MAX: Final = 80
"""What we quote of a certificate that nobody vouches for."""

PLAIN_HINT: Final = "for a plain port use the scheme without +ssl, or +ws in place of +wss"

_PEER_IS_PLAIN: Final = frozenset(
    {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG"}
)
"""What OpenSSL says of an answer that is no TLS at all."""

_NO_CHECK_TIME: Final = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME, which the module ssl has no name for."""


_NOT_YET: Final = "is not valid yet"
_EXPIRED: Final = "has expired"


class _Shown(NamedTuple):
    """What a certificate says, or words that fit where nobody could look. The texts go into `_VERDICTS`."""

    names: str = "another host"
    issuer: str = "an authority"
    since: str = _NOT_YET
    until: str = _EXPIRED


class _Verdict(NamedTuple):
    sentence: str
    hint: str


_NAME = _Verdict("the certificate of {peer} is for {names}, not for {host}", "connect by a name that it carries")
_ISSUER = _Verdict(
    "the certificate of {peer} was issued by {issuer}, which is not trusted here",
    "if it is yours, name the file of its certificate with --ca",
)
_LIST = "so it is unknown whether the certificate of {peer} was revoked"
_FORGED_LIST = _Verdict(f"a list in the --crl file was not signed by its authority, {_LIST}", "fetch it once more")
_WEAK = _Verdict(
    "the certificate of {peer} is too weak: {words}", "whoever runs the broker must get one with a longer key"
)

_VERDICTS: Final[Mapping[int, _Verdict]] = {
    2: _ISSUER,
    3: _Verdict(
        f"the --crl file lacks the list of an authority above {{peer}}, {_LIST}",
        "it must hold the list of every authority in the chain; this certificate was issued by {issuer}",
    ),
    8: _FORGED_LIST,
    9: _Verdict("the certificate of {peer} {since}", "compare this machine's clock with the broker's"),
    10: _Verdict(
        "the certificate of {peer} {until}",
        "whoever runs the broker must renew it; if it is new, this machine's clock is wrong",
    ),
    11: _Verdict(f"a list in the --crl file is not valid yet, {_LIST}", "compare this machine's clock with others"),
    12: _Verdict(f"a list in the --crl file has expired, {_LIST}", "fetch the newest from the authority"),
    18: _Verdict(
        "{peer} shows a certificate that it signed itself",
        "if you know that it is the broker's own, name the file of that certificate with --ca",
    ),
    19: _ISSUER,
    20: _ISSUER,
    21: _ISSUER,
    23: _Verdict(
        "the certificate of {peer}, or one above it, was revoked by its authority",
        "do not log in there; whoever runs the broker must replace it",
    ),
    26: _Verdict(
        "the certificate of {peer} is not meant for servers",
        "whoever runs the broker must get one with the extended key usage serverAuth",
    ),
    33: _FORGED_LIST,
    35: _FORGED_LIST,
    62: _NAME,
    64: _NAME,
    66: _WEAK,
    67: _WEAK,
    68: _WEAK,
}
"""By OpenSSL's X509_V_ERR_*, as in its x509_vfy.h."""

_OURS = "see --cert and --key"
_SHOW_ONE = "show one: --cert FILE --key FILE"
_OLD = ("it speaks no TLS from 1.2 on", "whoever runs the broker must switch on TLS 1.2 or 1.3")

_REASONS: Final[Mapping[str, tuple[str, str]]] = {
    "CERTIFICATE_REQUIRED": ("it wants a client certificate", _SHOW_ONE),
    # Java sends this, and OpenSSL before TLS 1.3 the next, to a client that shows none.
    "BAD_CERTIFICATE": ("it wants a client certificate, or another than ours", _SHOW_ONE),
    "HANDSHAKE_FAILURE": ("it wants a client certificate, or a cipher that we lack", _SHOW_ONE),
    "UNKNOWN_CA": ("it does not trust the authority of our client certificate", _OURS),
    "CERTIFICATE_EXPIRED": ("our client certificate has expired", _OURS),
    "CERTIFICATE_REVOKED": ("our client certificate was revoked", _OURS),
    "CERTIFICATE_UNKNOWN": ("it does not accept our client certificate", _OURS),
    "UNSUPPORTED_CERTIFICATE": ("our client certificate is not meant for clients", _OURS),
    "ACCESS_DENIED": ("it does not let our client certificate in", _OURS),
    "UNRECOGNIZED_NAME": ("it serves no host of that name", "connect by a name that the broker knows"),
    "PROTOCOL_VERSION": _OLD,
    "UNSUPPORTED_PROTOCOL": _OLD,
}
"""By OpenSSL's reason, without what it says of the protocol's version: (what the peer wants, the next step)."""

_ALERT_OF: Final = re.compile(r"(SSLV3|TLSV1|TLSV13)_(ALERT_)?")


def handshake_error(peer: Endpoint, error: Exception, dial: Dial | None = None) -> TlsError:
    """What a failed handshake means, in a sentence with the next step.

    Args:
        peer: Who was to be reached.
        error: How the handshake failed.
        dial: Where given, a certificate that was not trusted is looked at once more, to quote it.
    """
    match error:
        case ssl.SSLCertVerificationError():
            return _not_trusted(peer, error, _look(dial, peer.host.removesuffix(".")) if dial else _Shown())
        case ssl.SSLError() if error.reason in _PEER_IS_PLAIN:
            return TlsError(f"{peer} does not speak TLS", hint=PLAIN_HINT)
        case ssl.SSLEOFError() | ConnectionError() | EOFError():
            return TlsError(
                f"{peer} hung up during the TLS handshake",
                hint=f"it may want a client certificate (--cert, --key); {PLAIN_HINT}",
            )
        case ssl.SSLError():
            return ended(str(peer), error)
        case _:
            return TlsError(f"TLS with {peer} failed: {error}")


def ended(peer: str, error: ssl.SSLError) -> TlsError:
    """What it means when a peer ends TLS in the handshake or right after.

    In TLS 1.3 a client certificate is judged when the client's handshake is over (RFC 8446, 4.4.2.4), so that the first
    read tells of it.
    """
    words, hint = _meaning(error)
    return TlsError(f"{peer} ended the TLS handshake: {words}", hint=hint)


def closing_words(error: ssl.SSLError) -> str:
    """Why TLS ended an established connection, for people."""
    return f"TLS failed: {_meaning(error)[0]}"


def _meaning(error: ssl.SSLError) -> tuple[str, str | None]:
    if error.reason is None:
        return str(error), None
    name = _ALERT_OF.sub("", error.reason)
    return _REASONS.get(name) or (name.replace("_", " ").lower(), None)


def _not_trusted(peer: Endpoint, error: ssl.SSLCertVerificationError, shown: _Shown) -> TlsError:
    unknown = _Verdict("the certificate of {peer} is not trusted: {words}", _ISSUER.hint)
    verdict = _VERDICTS.get(error.verify_code, unknown)
    facts = {"peer": peer, "host": peer.host, "words": error.verify_message, **shown._asdict()}
    return TlsError(verdict.sentence.format_map(facts), hint=verdict.hint.format_map(facts))


def _look(dial: Dial, host: str) -> _Shown:
    """What the certificate says, true or not.

    Two connections that end with the handshake: the first fetches the certificate; the module ssl tells what is in one
    only when it is trusted, so the second trusts that one alone. Nothing is sent over either.
    """
    fetching = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    fetching.check_hostname = False
    fetching.verify_mode = ssl.CERT_NONE
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
    try:
        trusting.load_verify_locations(cadata=_certificate(fetching, dial, host, binary=True))
        return _read(_certificate(trusting, dial, host, binary=False))
    except (OSError, ValueError, ConnectError):
        return _Shown()


def _certificate(context: ssl.SSLContext, dial: Dial, host: str, *, binary: bool) -> Any:
    with dial() as connection:
        connection.settimeout(LOOK_S)
        with context.wrap_socket(connection, server_hostname=host) as encrypted:
            return encrypted.getpeercert(binary_form=binary)


def _read(certificate: Mapping[str, Any]) -> _Shown:
    """Args: as `ssl.SSLSocket.getpeercert` gives it."""
    names = [text for kind, text in certificate.get("subjectAltName", ()) if kind in ("DNS", "IP Address")]
    names = names or _common_names(certificate["subject"])
    more = f" and {len(names) - NAMES_MAX} more" if len(names) > NAMES_MAX else ""
    issuer = _common_names(certificate["issuer"]) or [text for ((_, text),) in certificate["issuer"]]
    since, until = (ssl.cert_time_to_seconds(certificate[key]) for key in ("notBefore", "notAfter"))
    now = time.time()
    return _Shown(
        names=", ".join(map(_plain, names[:NAMES_MAX])) + more if names else _Shown().names,
        issuer=repr(_plain(issuer[0])) if issuer else _Shown().issuer,
        # Otherwise it is not this one that has its time wrong, but one above it.
        since=f"is valid from {_date(since)} only" if since > now else f"has one above it that {_NOT_YET}",
        until=f"expired on {_date(until)}" if until < now else f"has one above it that {_EXPIRED}",
    )


def _common_names(name: Iterable[Iterable[tuple[str, str]]]) -> list[str]:
    return [text for part in name for key, text in part if key == "commonName"]


def _date(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def _plain(text: str) -> str:
    """Of a text that anybody may have written: what is safe to print, and not too much of it."""
    shown = "".join(each if each.isprintable() else "?" for each in text)
    return shown if len(shown) <= TEXT_MAX else shown[:TEXT_MAX] + "…"
