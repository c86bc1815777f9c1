"""What the fake brokers listen with: each client is welcomed in a thread of its own, and none outlives the test."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Self

from mqctl.target import Endpoint

PATIENCE_S = 20.0


class Loopback:
    """Accepts while it is entered. `welcome` may close its socket, or find it closed at the end."""

    def __init__(self, welcome: Callable[[socket.socket], None]) -> None:
        self._welcome = welcome
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = Endpoint(*self._listener.getsockname())
        self._sockets = [self._listener]
        self._threads: list[threading.Thread] = []

    @property
    def accepted(self) -> int:
        """How many came."""
        return len(self._threads) - 1

    def wrapped(self, sock: socket.socket) -> None:
        """What a socket of ours became is to be closed too."""
        self._sockets.append(sock)

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE_S)
        for sock in self._sockets:
            sock.close()

    def _start(self, work: Callable[..., None], *args: socket.socket) -> None:
        self._threads.append(threading.Thread(target=work, args=args, daemon=True))
        self._threads[-1].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self._sockets.append(sock)
                self._start(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self._welcome(sock)
