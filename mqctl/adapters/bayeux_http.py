"""One persistent HTTP connection over our streams: a request at a time, and its answer. `http.client` does the HTTP."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from mqctl.adapters.stream import Stream
from mqctl.adapters.wire import basic, discreet, http_host, plain_words, request_target, secrets_of
from mqctl.errors import MqctlError, ProtocolError, RefusedError, TlsError
from mqctl.target import Secret, Target

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_TLS_RECORDS: Final = (b"\x15\x03", b"\x16\x03")
KEPT_AT_LEAST_S: Final = 1.0
"""No server gives up an idle connection sooner: one that is gone by then was broken."""

_BUFFER_BYTES: Final = 64 * 1024
_FIRST_BYTES: Final = 4096
_SHOWN_CHARACTERS: Final = 24
_HINTS: Final = {
    401: "whatever stands in front of the server wants credentials: see --user and --password",
    403: "the server, or what stands in front of it, lets only some addresses or origins in",
    404: "name the path in the URL: CometD serves /cometd as a rule, Faye /bayeux or /faye",
    405: "something else than Bayeux is at this path: CometD serves /cometd as a rule, Faye /bayeux or /faye",
    502: "a gateway answers, but not the server behind it",
    503: "a gateway answers, but not the server behind it",
    504: "a gateway answers, but not the server behind it",
}


class Cookies:
    """What the server wants to hear again. One server, one path: every cookie goes with every request.

    Threads share it, so `values` is never changed, but replaced.
    """

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self.values = dict(values or {})

    def keep(self, response: HTTPResponse) -> None:
        """Take what a response sets."""
        for line in response.headers.get_all("Set-Cookie", []):
            try:
                parsed = SimpleCookie(line)
            except CookieError:
                continue
            for name, morsel in parsed.items():
                others = {known: value for known, value in self.values.items() if known != name}
                self.values = others if morsel["max-age"] == "0" else {**others, name: morsel.coded_value}

    def header(self) -> dict[str, str]:
        """The header that gives them back; none while there are none."""
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in self.values.items())} if self.values else {}


def authorization(target: Target) -> dict[str, str]:
    """For a gateway that asks for it; servers that know the extension find the same in the handshake."""
    if target.user is None:
        return {}
    return {"Authorization": f"Basic {basic(target.user, target.password)}"}


class Place(NamedTuple):
    """What a server serves Bayeux at: its host and port, path and query. `secrets` it may say, but not we."""

    peer: str
    path: str
    query: Secret | None
    secrets: tuple[str, ...]

    @classmethod
    def of(cls, peer: str, target: Target) -> Self:
        """A peer's, as the target has it."""
        return cls(peer, target.path, target.query, secrets_of(target))

    def below(self, name: str) -> Place:
        """A place in it."""
        return self._replace(path=f"{self.path.rstrip('/')}/{name}")

    @property
    def asked_for(self) -> str:
        """How a request names it."""
        return request_target(self.path, self.query)


class HttpLane:
    """Requests to one path, one after the other. `abort` may be called by any thread, the rest by one.

    Args:
        dial: Connects.
        where: The server and its path.
        headers: Of each request.
        cookies: Shared with other lanes of the same client.
    """

    def __init__(self, dial: Callable[[], Stream], where: Place, headers: Mapping[str, str], cookies: Cookies) -> None:
        self._dial = dial
        self._where = where
        self._headers = {"Host": http_host(where.peer), **headers}
        self._cookies = cookies
        self._stream: Stream | None = None
        self._aborted = False
        self._used = 0.0
        self.web_server = ""

    def post(
        self, body: bytes, *, wait_s: float | None, sent_by: float | None = None, on_sent: Callable[[], None]
    ) -> bytes:
        """The body of the answer.

        Args:
            body: Of the request.
            wait_s: How long to wait for the answer, once the request is sent.
            sent_by: When it is to be sent, on the clock of time.monotonic.
            on_sent: Called when the system has the request.

        Raises:
            OSError: The connection broke, or it took too long (TimeoutError). It must not be used again then.
            MqctlError: The server cannot be reached, speaks no HTTP, or has no Bayeux there.
        """
        sock = HttpSocket(self._fresh(), sent_by)
        http = HTTPConnection("")
        http.sock = sock
        try:
            http.request("POST", self._where.asked_for, body, {**self._headers, **self._cookies.header()})
            sock.transmit(wait_s)
            on_sent()
            response = http.getresponse()
            self._cookies.keep(response)
            self.web_server = response.headers.get("Server", "")
            answered = response.read()
        except HTTPException as error:
            if isinstance(error, OSError):
                raise
            # The library's words quote the server's.
            raise no_http(self._where, sock.first, error) from None if self._where.secrets else error
        self._used = time.monotonic()
        if response.will_close:
            self.abandon()
        if response.status != HTTPStatus.OK:
            raise refused(self._where, response, answered)
        return answered

    def _fresh(self) -> Stream:
        """The connection, or a new one where the server has ended it meanwhile, as servers do with idle ones."""
        if self._stream is not None and not _is_idle(self._stream):
            self.abandon()
            if time.monotonic() - self._used < KEPT_AT_LEAST_S:
                raise ConnectionResetError
        if self._stream is None:
            self._stream = self._dial()
            if self._aborted:
                self._stream.abort()
        return self._stream

    def abandon(self) -> None:
        """Let go of the connection; the next request has another."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.abort()
            stream.close()

    def abort(self) -> None:
        """End what is under way, for good."""
        self._aborted = True
        if (stream := self._stream) is not None:
            stream.abort()


class HttpSocket(io.RawIOBase):
    """The methods of a socket that `http.client` calls, over a stream.

    Args:
        stream: The connection.
        sent_by: When a request is to be sent, on the clock of time.monotonic; None is whenever.
    """

    def __init__(self, stream: Stream, sent_by: float | None) -> None:
        super().__init__()
        self.first = b""
        self._stream = stream
        self._deadline: float | None = None
        self._sent_by = sent_by
        self._rest = b""
        self._out = b""

    def sendall(self, data: bytes) -> None:
        """Keep it until `transmit`, so that head and body leave together."""
        self._out += data

    def transmit(self, wait_s: float | None) -> None:
        """Send it, and wait so long for the answer."""
        # Who hangs up early may have said why, which the answer tells.
        with contextlib.suppress(ConnectionError):
            self._stream.write(self._out, self._sent_by)
        self._out = b""
        self.patience(wait_s)

    def patience(self, wait_s: float | None) -> None:
        """Wait so long from now on for what is read; None is for ever."""
        self._deadline = None if wait_s is None else time.monotonic() + wait_s

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What comes."""
        return io.BufferedReader(self, _BUFFER_BYTES)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Wait for bytes; 0 at the end."""
        if not self._rest:
            self._stream.read_timeout(None if self._deadline is None else max(0.0, self._deadline - time.monotonic()))
            self._rest = self._stream.read()
            self.first = self.first or self._rest[:_FIRST_BYTES]
        view = memoryview(buffer)
        part, self._rest = self._rest[: len(view)], self._rest[len(view) :]
        view[: len(part)] = part
        return len(part)

    def close(self) -> None:
        """Nothing: the stream is the lane's."""


def _is_idle(stream: Stream) -> bool:
    """Whether nothing came, not even the end, where nothing was asked."""
    stream.read_timeout(0)
    try:
        stream.read()
    except TimeoutError:
        return True
    except OSError:
        return False
    return False


def no_http(where: Place, first: bytes, error: HTTPException) -> MqctlError:
    """What it means that an answer is none in HTTP."""
    if first.startswith(_TLS_RECORDS):
        return TlsError(f"{where.peer} speaks TLS, and this was a plain connection", hint="use the scheme bayeux+https")
    shown = discreet(first.decode("latin-1"), where.secrets)[:_SHOWN_CHARACTERS]
    return ProtocolError(f"{where.peer} does not speak HTTP: it says {shown!a} ({type(error).__name__})")


def refused(where: Place, response: HTTPResponse, body: bytes) -> MqctlError:
    """What an answer means that is not the one."""
    said = discreet(f"{response.status} {response.reason}".rstrip(), where.secrets)
    words = plain_words(body, where.secrets)
    return RefusedError(
        f"{where.peer} has no Bayeux for us at {where.path}: {said}{f': {words}' if words else ''}",
        hint=_HINTS.get(response.status),
    )
