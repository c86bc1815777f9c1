"""The event stream of a session: what is published comes by an answer that does not end, as Faye has it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Final

from mqctl.adapters.bayeux_http import Cookies, HttpSocket, Place, no_http, refused
from mqctl.adapters.stream import READ_BYTES, RulesError, Stream
from mqctl.adapters.wire import http_host
from mqctl.errors import ProtocolError
from mqctl.protocols.bayeux.spec import EVENT_STREAM
from mqctl.protocols.event_stream import EventStreamError, Reader

_SHOWN_BYTES: Final = 4096


class _Source:
    """One stream, past its head."""

    def __init__(self, stream: Stream, response: HTTPResponse, limit_bytes: int) -> None:
        self.stream = stream
        self._response = response
        self._reader = Reader(limit_bytes)

    def read(self) -> list[bytes]:
        """The data of the events that came, if any is whole.

        Raises:
            EOFError: The server ended the stream.
            OSError: The connection broke, or what came is no event stream.
        """
        try:
            data = self._response.read1(READ_BYTES)
            if not data:
                raise EOFError
            return [event.data for event in self._reader.feed(data)]
        except (HTTPException, EventStreamError) as error:
            raise RulesError(f"the server broke the rules of event streams: {error}") from error


class EventLane:
    """Event streams, one in place of the other. Any thread may call `open` and `abort`, one calls `read`.

    Args:
        dial: Connects.
        where: The server and its path.
        headers: Of each request.
        cookies: Shared with the lanes of the same client.
        limit_bytes: Most that one event may hold.
    """

    def __init__(
        self,
        dial: Callable[[], Stream],
        where: Place,
        headers: Mapping[str, str],
        cookies: Cookies,
        limit_bytes: int,
    ) -> None:
        self._dial = dial
        self._where = where
        self._headers = {"Host": http_host(where.peer), "Accept": EVENT_STREAM, "Cache-Control": "no-store", **headers}
        self._cookies = cookies
        self._limit_bytes = limit_bytes
        self._changing = threading.Lock()
        self._source: _Source | None = None
        self._aborted = False

    def open(self, client_id: str, wait_s: float | None) -> None:
        """Ask for the stream of a session, and wait until the server has begun it.

        Raises:
            OSError: The connection broke, or it took too long (TimeoutError).
            MqctlError: The server cannot be reached, or has no such stream.
        """
        stream = self._dial()
        try:
            source = _Source(stream, self._begun(stream, client_id, wait_s), self._limit_bytes)
        except BaseException:
            stream.abort()
            stream.close()
            raise
        with self._changing:
            old, self._source = self._source, source
            aborted = self._aborted
        for each in (old, source if aborted else None):
            if each is not None:
                each.stream.abort()

    def _begun(self, stream: Stream, client_id: str, wait_s: float | None) -> HTTPResponse:
        sock = HttpSocket(stream, None if wait_s is None else time.monotonic() + wait_s)
        http = HTTPConnection("")
        http.sock = sock
        try:
            http.request(
                "GET", self._where.below(client_id).asked_for, headers={**self._headers, **self._cookies.header()}
            )
            sock.transmit(wait_s)
            response = http.getresponse()
        except HTTPException as error:
            if isinstance(error, OSError):
                raise
            # The library's words quote the server's.
            raise no_http(self._where, sock.first, error) from None if self._where.secrets else error
        # Its id is a secret.
        shown = self._where.below("…")
        if response.status != HTTPStatus.OK:
            raise refused(shown, response, response.read(_SHOWN_BYTES))
        kind = response.headers.get_content_type()
        if kind != EVENT_STREAM:
            raise ProtocolError(f"{shown.peer} has no event stream at {shown.path}, but {kind}")
        sock.patience(None)
        return response

    def read(self) -> list[bytes]:
        """Wait for arrays of messages.

        Raises:
            EOFError: The server ended the stream.
            OSError: The connection broke, or what came is no event stream.
        """
        source = self._source
        assert source is not None
        try:
            return source.read()
        except (OSError, EOFError):
            if source is self._source:
                raise
        # Another stream took its place meanwhile.
        source.stream.close()
        return []

    def abort(self) -> None:
        """End what is under way, for good."""
        with self._changing:
            self._aborted = True
            source = self._source
        if source is not None:
            source.stream.abort()

    def abandon(self) -> None:
        """Free the socket, when nobody reads any more."""
        if self._source is not None:
            with contextlib.suppress(OSError):
                self._source.stream.close()
