"""A proxy in front of a hub that lets some requests not through, as some proxies do."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from mqctl.target import Endpoint

PATIENCE_S = 25.0
_NO = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Refusing:
    """Listens on loopback, at `endpoint`.

    Args:
        behind: The hub.
        words: What a request that is refused has in its head, in small letters.
    """

    def __init__(self, behind: Endpoint, words: Sequence[bytes]) -> None:
        self.words = words
        self._behind = behind
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = Endpoint(*self._listener.getsockname())
        self.refused: list[bytes] = []
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self.cut()
        for thread in self._threads:
            thread.join(PATIENCE_S)
        self._listener.close()

    def cut(self) -> None:
        """End every connection that is open."""
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._open.append(client)
                self._threads.append(threading.Thread(target=self._serve, args=(client,)))
                self._threads[-1].start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError), socket.create_connection(self._behind) as hub:
            while True:
                for source in select.select([client, hub], [], [])[0]:
                    data = source.recv(65_536)
                    if not data:
                        return
                    found = [word for word in self.words if source is client and word in data.lower()]
                    if found:
                        self.refused += found
                        client.sendall(_NO)
                        return
                    (hub if source is client else client).sendall(data)
