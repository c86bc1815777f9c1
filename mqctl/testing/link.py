"""A loopback relay in front of a broker, to break and to stall connections on purpose."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from types import TracebackType
from typing import Self

from mqctl.target import Endpoint

_CHUNK_BYTES = 256 * 1024
_RESET = struct.pack("ii", 1, 0)


class Link:
    """Relays TCP connections to `upstream` from `endpoint`, an address of the loopback interface.

    Args:
        upstream: The broker.
    """

    def __init__(self, upstream: Endpoint) -> None:
        self._upstream = (upstream.host, upstream.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = Endpoint(*self._listener.getsockname())
        self._flowing = threading.Event()
        self._flowing.set()
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, name=f"mqctl.link.{self.endpoint}", daemon=True).start()

    def cut(self) -> None:
        """Reset all connections, as a cable or a firewall would. New ones are relayed."""
        with self._lock:
            broken, self._sockets = self._sockets, []
        for sock in broken:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                # Wakes the relaying threads, which a mere close would not.
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        # Last, or what was stalled would get through.
        self._flowing.set()

    def stall(self) -> None:
        """Hold back all bytes until `resume` or `cut`."""
        self._flowing.clear()

    def resume(self) -> None:
        """Let the bytes flow again."""
        self._flowing.set()

    def close(self) -> None:
        """Cut, and listen no more."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                try:
                    far = socket.create_connection(self._upstream)
                except OSError:
                    near.close()
                    continue
                with self._lock:
                    self._sockets += [near, far]
                for source, drain in ((near, far), (far, near)):
                    source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    threading.Thread(target=self._relay, args=(source, drain), name="mqctl.link", daemon=True).start()

    def _relay(self, source: socket.socket, drain: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK_BYTES):
                self._flowing.wait()
                drain.sendall(data)
            drain.shutdown(socket.SHUT_WR)
