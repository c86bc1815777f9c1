"""TLS in front of a server that speaks plain TCP, so that any certificate serves any protocol."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Iterator

from mqctl.target import Endpoint

PATIENCE_S = 25.0


class Front:
    """Listens on loopback and hands on what comes out of TLS; `names` are those that clients asked for by SNI."""

    def __init__(self, context: ssl.SSLContext, behind: Endpoint) -> None:
        self.names: list[str | None] = []
        self._context = context
        self._context.sni_callback = lambda _connection, name, _context: self.names.append(name)
        self._behind = behind
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        """Wait until every client is gone."""
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE_S)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                client.settimeout(PATIENCE_S)
                self._threads.append(threading.Thread(target=self._serve, args=(client,)))
                self._threads[-1].start()

    def _serve(self, client: socket.socket) -> None:
        with (
            client,
            contextlib.suppress(OSError),
            self._context.wrap_socket(client, server_side=True) as clear,
            socket.create_connection(self._behind) as server,
        ):
            _relay(clear, server)


def _relay(clear: ssl.SSLSocket, server: socket.socket) -> None:
    """Both ways in one thread, because OpenSSL's connections are not made for two, until either side ends."""
    while True:
        ready = [clear] if clear.pending() else select.select([clear, server], [], [], PATIENCE_S)[0]
        for source in ready:
            data = source.recv(65536)
            if not data:
                return
            (server if source is clear else clear).sendall(data)
        if not ready:
            return


@contextlib.contextmanager
def tls_front(context: ssl.SSLContext, behind: Endpoint) -> Iterator[Front]:
    """Serve until the end of the block."""
    front = Front(context, behind)
    try:
        yield front
    finally:
        front.close()
