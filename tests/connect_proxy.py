"""A small HTTP proxy that knows nothing but CONNECT, and where the hosts that it is asked for really are."""

from __future__ import annotations

import base64
import contextlib
import re
import socket
import threading
from collections.abc import Iterator, Mapping

from mqctl.target import Endpoint

OPEN = b"HTTP/1.1 200 Connection established\r\nVia: 1.1 proxy\r\n\r\n"


class ConnectProxy:
    """Listens on loopback.

    Args:
        hosts: Names that it resolves, and the endpoints behind them; for others it answers 502.
        login: `user:password` without which it answers 407.
        answer: Sent instead of all that, to whatever comes; then it hangs up.

    Attributes:
        endpoint: Where it listens.
        asked: The hosts that it was asked for.
        passed_on: What clients said through it.
    """

    def __init__(
        self, hosts: Mapping[str, Endpoint] | None = None, *, login: str | None = None, answer: bytes | None = None
    ) -> None:
        self._hosts = hosts or {}
        self._login = login
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = Endpoint(*self._listener.getsockname())
        self.asked: list[str] = []
        self.passed_on = b""
        self._sockets = [self._listener]
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> ConnectProxy:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for sock in self._sockets:
            sock.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self._sockets.append(near)
                self._begin(self._serve, near)

    def _begin(self, work: object, *args: socket.socket) -> None:
        self._threads.append(threading.Thread(target=work, args=args))
        self._threads[-1].start()

    def _serve(self, near: socket.socket) -> None:
        with contextlib.suppress(OSError), near:
            request = b""
            while b"\r\n\r\n" not in request:
                if not (data := near.recv(65536)):
                    return
                request += data
            answer, far = self._answered(request.decode())
            near.sendall(answer)
            if far is None:
                return
            self._sockets.append(far)
            self._begin(self._relay, far, near)
            self._relay(near, far, note=True)

    def _answered(self, request: str) -> tuple[bytes, socket.socket | None]:
        if self._answer is not None:
            return self._answer, None
        asked = re.match(r"CONNECT (\S+):\d+ HTTP/1.1\r\n", request)
        assert asked is not None, request
        self.asked.append(asked[1])
        if self._login is not None and f"Basic {base64.b64encode(self._login.encode()).decode()}" not in request:
            return b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 6\r\n\r\nWho's?", None
        if asked[1] not in self._hosts:
            return b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 12\r\n\r\nno such host", None
        return OPEN, socket.create_connection(self._hosts[asked[1]])

    def _relay(self, source: socket.socket, drain: socket.socket, *, note: bool = False) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self.passed_on += data if note else b""
                drain.sendall(data)
            drain.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def proxied(*hosts: str, to: Endpoint, **options: str) -> Iterator[ConnectProxy]:
    """A proxy that knows hosts which nobody else knows, all at one endpoint."""
    with ConnectProxy(dict.fromkeys(hosts, to), **options) as proxy:
        yield proxy
