"""STOMP frames by hand, below any client library: what a broker really says, in which order."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections import deque
from collections.abc import Iterator, Mapping

from mqctl.protocols.stomp.codec import Frame, FrameParser, encode
from mqctl.protocols.stomp.spec import Version
from tests.brokers.process import HOST, Broker

REPLY_LIMIT_S = 10.0
QUIET_S = 0.5
"""Nothing coming for this long counts as nothing coming."""


class Wire:
    """One connection; `closed` once the broker has ended it."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        peer = socket.create_connection((HOST, port), timeout=REPLY_LIMIT_S)
        self.socket = tls.wrap_socket(peer, server_hostname="localhost") if tls else peer
        self.closed = False
        self._parser = FrameParser(version=Version.V1_2)
        self._frames: deque[Frame] = deque()

    def send(self, command: str, headers: Mapping[str, str], body: bytes = b"", *, as_text: bool = True) -> None:
        """Send one frame; with `as_text`, without its length."""
        self.socket.sendall(encode(command, headers, body, version=Version.V1_2, with_length=not as_text))

    def ask(self, command: str, headers: Mapping[str, str], body: bytes = b"") -> Frame | None:
        """Send a frame that wants a receipt; the frame that comes next."""
        self.send(command, {**headers, "receipt": "asked"}, body)
        return self.next()

    def next(self, limit_s: float = REPLY_LIMIT_S) -> Frame | None:
        """The next frame; None when none comes in time, or the broker has closed the connection."""
        deadline_s = time.monotonic() + limit_s
        while not self._frames and not self.closed and (left_s := deadline_s - time.monotonic()) > 0:
            self._read(left_s)
        return self._frames.popleft() if self._frames else None

    def rest(self) -> list[Frame]:
        """All that comes until it is quiet."""
        return list(iter(lambda: self.next(QUIET_S), None))

    def _read(self, limit_s: float) -> None:
        self.socket.settimeout(limit_s)
        try:
            data = self.socket.recv(1 << 16)
        except TimeoutError:
            return
        except ConnectionResetError:
            data = b""
        self.closed = not data
        self._frames.extend(self._parser.feed(data))


@contextlib.contextmanager
def wire(
    broker: Broker,
    headers: Mapping[str, str] | None = None,
    *,
    tls: ssl.SSLContext | None = None,
    limited: bool = False,
    listener: str = "stomp",
) -> Iterator[Wire]:
    """A connection past CONNECTED, dropped without DISCONNECT at the end."""
    who = broker.credentials
    login = (who.limited_user, who.limited_password) if limited else (who.user, who.password)
    opening = {"accept-version": "1.2", "host": "/", "login": login[0], "passcode": login[1]}
    connection = Wire(broker.ports["stomp+ssl" if tls else listener], tls)
    with connection.socket:
        connection.send("CONNECT", {**opening, **(headers or {})})
        greeting = connection.next()
        assert greeting is not None, "no answer to CONNECT"
        assert greeting.command == "CONNECTED", greeting
        yield connection
