"""A stream as libraries that speak HTTP want a socket, and the answer of an HTTP server over it."""

from __future__ import annotations

import base64
import contextlib
import io
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote, unquote

from mqctl.adapters.stream import Stream
from mqctl.errors import ConnectError
from mqctl.target import Secret, Target

if TYPE_CHECKING:
    from http.client import HTTPResponse

    from _typeshed import WriteableBuffer

_RECEIVED_MAX: Final = 64 * 1024
"""Most that a server may say before a connection stands; more counts as the end."""

_BODY_BYTES: Final = 4096
_SHOWN_CHARACTERS: Final = 200
_SHOWN_BYTES: Final = 24
_BODY_WAIT_S: Final = 1.0

_HIDDEN_CHARACTERS: Final = 4
"""Shorter values of a query are no secrets, and may be a part of any word."""

_PATH_SAFE: Final = "/%:@!$&'()*+,;=~"
_QUERY_SAFE: Final = f"{_PATH_SAFE}?"

OK: Final = range(200, 300)

_HTTP: Final = b"HTTP/"
"""How every answer begins (RFC 9112, 4)."""

_TAG: Final = re.compile(r"<(script|style)\b.*?(?:</\1\s*>|\Z)|<!--.*?-->|<[^>]*>", re.DOTALL | re.IGNORECASE)
"""What of a page is not for its readers."""

_ZIPPED: Final = ("gzip", "x-gzip", "deflate")
_ZLIB_OR_GZIP: Final = 47
"""Either, with any window, as zlib counts."""


def http_host(peer: str) -> str:
    """Host and port as HTTP names them, in ASCII (RFC 5890, 2.3.2.1).

    Raises:
        ConnectError: No host can have this name.
    """
    if peer.isascii():
        return peer
    try:
        return peer.encode("idna").decode()
    except UnicodeError as error:
        raise ConnectError(f"no such host: {peer!r} ({error})") from error


def request_target(path: str, query: Secret | None) -> str:
    """What a request asks for (RFC 9112, 3.2.1). The query may hold a token, so that this is not to be printed."""
    return _quoted(path, _PATH_SAFE) + (f"?{_quoted(query.reveal(), _QUERY_SAFE)}" if query else "")


def _quoted(text: str, safe: str) -> str:
    """Percent-encoded, what a shell gave us that is no text too."""
    return quote(text, safe, errors="surrogateescape")


def basic(user: str, password: Secret | None) -> str:
    """User and password as HTTP carries them (RFC 7617, 2)."""
    return base64.b64encode(f"{user}:{password.reveal() if password else ''}".encode(errors="surrogateescape")).decode()


def secrets_of(target: Target) -> tuple[str, ...]:
    """What no message of ours may say again, though a server does: query and password, whole, in part and encoded."""
    query = target.query.reveal() if target.query else ""
    values = [pair.partition("=")[2] or pair for pair in query.split("&")]
    plain = [query, *(value for value in values if len(value) >= _HIDDEN_CHARACTERS)]
    password = target.password.reveal() if target.password else ""
    # As a part of the user's name it gives nothing away.
    if password and password not in (target.user or ""):
        plain += [password, basic(target.user or "", target.password)]
    return forms_of(*plain)


def forms_of(*secrets: str) -> tuple[str, ...]:
    """What secrets look like when a server repeats them, the longest first: percent-encoded or not, in Latin-1 too."""
    quoted = {
        form
        for text in secrets
        for form in (text, unquote(text, errors="surrogateescape"), _quoted(text, _QUERY_SAFE), _quoted(text, ""))
    }
    # As a body is read, and as http.client reads the head of an answer.
    data = [form.encode(errors="surrogateescape") for form in quoted]
    forms = {text for each in data for text in (each.decode(errors="replace"), each.decode("latin-1"))}
    return tuple(sorted(forms - {""}, key=len, reverse=True))


def discreet(text: str, secrets: Iterable[str]) -> str:
    """A text of a server's without the secrets that it repeats."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


class Wire(io.RawIOBase):
    """The methods of a socket that `websocket` and `http.client` call, until a deadline on the clock of time.monotonic.

    What came is kept in `received`, and `rewind` lets it be read once more.
    """

    def __init__(self, stream: Stream, deadline: float) -> None:
        super().__init__()
        self.received = b""
        self._stream = stream
        self._deadline = deadline
        self._at = 0

    def recv(self, size: int) -> bytes:
        """What is there and not read yet, or what comes; empty at the end."""
        if self._at == len(self.received) and len(self.received) < _RECEIVED_MAX:
            self._stream.read_timeout(max(0.0, self._deadline - time.monotonic()))
            self.received += self._stream.read()
        if not _HTTP.startswith(self.received[: len(_HTTP)]):
            # To wait for the end of its first line would be in vain.
            return b""
        part = self.received[self._at : self._at + size]
        self._at += len(part)
        return part

    def readinto(self, buffer: WriteableBuffer) -> int:
        """See `io.RawIOBase`."""
        view = memoryview(buffer)
        part = self.recv(len(view))
        view[: len(part)] = part
        return len(part)

    def readable(self) -> bool:
        """See `io.RawIOBase`."""
        return True

    def send(self, data: bytes) -> int:
        """Send all of it. Who hangs up early may have said why, which `recv` tells."""
        with contextlib.suppress(ConnectionError):
            self._stream.write(data, self._deadline)
        return len(data)

    def gettimeout(self) -> float | None:
        """None: the deadline is kept by `recv` and `send`, and no waiting is needed around them."""
        return None

    def makefile(self, _mode: str) -> io.BufferedReader:
        """For `http.client`."""
        return io.BufferedReader(self)

    def close(self) -> None:
        """Nothing: both libraries close what failed, and the stream is not theirs."""

    def rewind(self) -> None:
        """Begin again with what came first."""
        self._at = 0

    def hurry(self, seconds: float) -> None:
        """Wait no longer than that for what is missing."""
        self._deadline = min(self._deadline, time.monotonic() + seconds)

    @property
    def rest(self) -> bytes:
        """What came and was not read."""
        return self.received[self._at :]


class Answer(NamedTuple):
    """An HTTP response. Header names are in small letters; `words` begin the body, without tags and fit to print."""

    status: int
    reason: str
    headers: Mapping[str, str]
    words: str

    def __str__(self) -> str:
        head = f"{self.status} {self.reason}".rstrip()
        return f"{head}: {self.words}" if self.words else head


def answer(wire: Wire, method: str, secrets: Sequence[str] = ()) -> Answer:
    """Read a response and the beginning of its body.

    Args:
        wire: From where.
        method: Of the request.
        secrets: What of it is not to be repeated.

    Raises:
        ValueError: It is no HTTP; says what it is.
        OSError: The connection broke, or the deadline passed.
    """
    from http import client  # noqa: PLC0415 - only a proxy or a failure needs it

    response = client.HTTPResponse(wire, method=method)  # type: ignore[arg-type]  # it calls makefile alone
    try:
        response.begin()
    except client.HTTPException as error:
        if not wire.received:
            raise
        said = discreet(wire.received.decode("latin-1"), secrets)
        # The library's words quote the server's.
        raise ValueError(f"it says {said[:_SHOWN_BYTES]!a}") from None if secrets else error
    headers = {name.lower(): discreet(value, secrets) for name, value in response.headers.items()}
    reason = _printable(discreet(response.reason, secrets))
    return Answer(response.status, reason, headers, plain_words(_body(wire, response, method), secrets))


def _body(wire: Wire, response: HTTPResponse, method: str) -> bytes:
    if method == "CONNECT" and response.status in OK:
        return b""  # what follows is the tunnel's (RFC 9110, 9.3.6)
    from http.client import HTTPException  # noqa: PLC0415

    wire.hurry(_BODY_WAIT_S)
    try:
        return _unzipped(response.read1(_BODY_BYTES), response.headers.get("Content-Encoding", "identity").lower())
    except (OSError, HTTPException):
        return b""


def _unzipped(body: bytes, coding: str) -> bytes:
    """The same to read; some servers compress though nobody asked for it. Empty where it cannot be read."""
    if coding == "identity":
        return body
    import zlib  # noqa: PLC0415 - hardly ever needed

    try:
        return zlib.decompressobj(_ZLIB_OR_GZIP).decompress(body, _BODY_BYTES) if coding in _ZIPPED else b""
    except zlib.error:
        return b""


def plain_words(body: bytes, secrets: Iterable[str] = ()) -> str:
    """How the body of an answer begins, without tags and secrets and fit to print."""
    from html import unescape  # noqa: PLC0415 - only a failure needs it

    text = discreet(unescape(_TAG.sub(" ", body.decode(errors="replace"))), secrets)
    return _printable(" ".join(text.split()))[:_SHOWN_CHARACTERS]


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)
