"""A stream as libraries that speak HTTP want a socket, and the answer of an HTTP server over it."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from mqctl.adapters.stream import Stream

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_RECEIVED_MAX: Final = 64 * 1024
"""Most that a server may say before a connection stands; more counts as the end."""

_BODY_BYTES: Final = 4096
_SHOWN_CHARACTERS: Final = 200
_BODY_WAIT_S: Final = 1.0

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
        """Send all of it."""
        self._stream.write(data, self._deadline)
        return len(data)

    def gettimeout(self) -> float | None:
        """None: the deadline is kept by `recv` and `send`, and no waiting is needed around them."""
        return None

    def makefile(self, _mode: str) -> io.BufferedReader:
        """For `http.client`."""
        return io.BufferedReader(self)

    def rewind(self) -> None:
        """Begin again with what came first; what is missing is waited for shortly."""
        self._at = 0
        self._deadline = min(self._deadline, time.monotonic() + _BODY_WAIT_S)

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
        ValueError: It is no HTTP.
        OSError: The connection broke, or the deadline passed.
    """
    from http import client  # noqa: PLC0415 - only a proxy or a failure needs it

    response = client.HTTPResponse(wire, method=method)  # type: ignore[arg-type]  # it calls makefile alone
    try:
        response.begin()
    except client.RemoteDisconnected:
        raise
    except client.HTTPException as error:
        raise ValueError(str(error)) from error
    try:
        body = response.read1(_BODY_BYTES)
    except (OSError, client.HTTPException):
        body = b""
    return Answer(
        response.status,
        _printable(response.reason),
        {name.lower(): value for name, value in response.headers.items()},
        _words(body),
    )


def _words(body: bytes) -> str:
    return _printable(" ".join(_TAG.sub(" ", body.decode(errors="replace")).split()))[:_SHOWN_CHARACTERS]


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)
