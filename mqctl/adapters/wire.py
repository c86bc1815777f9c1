"""A stream as libraries that speak HTTP want a socket, and the answer of an HTTP server over it."""

from __future__ import annotations

import contextlib
import io
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from mqctl.adapters.stream import Stream

if TYPE_CHECKING:
    from http.client import HTTPResponse

    from _typeshed import WriteableBuffer

_RECEIVED_MAX: Final = 64 * 1024
"""Most that a server may say before a connection stands; more counts as the end."""

_BODY_BYTES: Final = 4096
_SHOWN_CHARACTERS: Final = 200
_SHOWN_BYTES: Final = 24
_BODY_WAIT_S: Final = 1.0

OK: Final = range(200, 300)

_HTTP: Final = b"HTTP/"
"""How every answer begins (RFC 9112, 4)."""

_TAG: Final = re.compile(r"<[^>]*>")


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


def answer(wire: Wire, method: str) -> Answer:
    """Read a response and the beginning of its body.

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
        raise ValueError(f"it says {wire.received[:_SHOWN_BYTES].decode('ascii', 'backslashreplace')!r}") from error
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status, _printable(response.reason), headers, plain_words(_body(wire, response, method)))


def _body(wire: Wire, response: HTTPResponse, method: str) -> bytes:
    if method == "CONNECT" and response.status in OK:
        return b""  # what follows is the tunnel's (RFC 9110, 9.3.6)
    from http.client import HTTPException  # noqa: PLC0415

    wire.hurry(_BODY_WAIT_S)
    try:
        return response.read1(_BODY_BYTES)
    except (OSError, HTTPException):
        return b""


def plain_words(body: bytes) -> str:
    """How the body of an answer begins, without tags and fit to print."""
    return _printable(" ".join(_TAG.sub(" ", body.decode(errors="replace")).split()))[:_SHOWN_CHARACTERS]


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)
