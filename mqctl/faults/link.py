"""A loopback relay in front of a broker, to break, to stall and to spoil connections on purpose."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from types import TracebackType
from typing import Self

from mqctl.faults.direction import Direction
from mqctl.faults.relay import Gate, Relay
from mqctl.target import Endpoint


class Link:
    """Relays TCP connections to `upstream` from `endpoint`, an address of the loopback interface.

    Attributes:
        endpoint: Where clients connect.
        up: The faults on the way to the broker.
        down: The faults on the way to the client.

    Args:
        upstream: The broker.
        seed: Makes chance repeat itself.
    """

    def __init__(self, upstream: Endpoint, *, seed: int = 0) -> None:
        self._upstream = upstream
        # Bound, and never listening: nobody else gets the port while `refuse` has closed the listener.
        self._reserved = socket.socket()
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reserved.bind(("127.0.0.1", 0))
        self.endpoint = Endpoint(*self._reserved.getsockname())
        self._number = 0
        rng = random.Random(seed)  # noqa: S311 - chance of a test, no secrets
        self.up = Direction(rng, lambda: self._number)
        self.down = Direction(rng, lambda: self._number)
        self._gate = Gate()
        self._lock = threading.Lock()
        self._relays: list[Relay] = []
        self._listener: socket.socket | None = None
        self._acceptor = threading.Thread()
        self.accept()

    def cut(self) -> None:
        """Reset all connections, as a cable or a firewall would. New ones are relayed."""
        for relay in self._alive():
            relay.reset()
        # Last, or what was stalled would get through.
        self.resume()

    def finish(self) -> None:
        """End all connections as a peer that closes would."""
        for relay in self._alive():
            relay.finish()

    def stall(self) -> None:
        """Hold back all bytes until `resume` or `cut`."""
        self._gate.turn(is_open=False)

    def resume(self) -> None:
        """Let the bytes flow again."""
        self._gate.turn(is_open=True)

    def refuse(self) -> None:
        """Let nobody connect until `accept`: connection refused. What is connected stays so."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            self._acceptor.join()

    def accept(self) -> None:
        """Let clients connect."""
        if self._listener is None:
            self._listener = socket.create_server(self.endpoint)
            self._acceptor = threading.Thread(
                target=self._accept, args=(self._listener,), name=f"mqctl.link.{self.endpoint}", daemon=True
            )
            self._acceptor.start()

    def close(self) -> None:
        """Cut, and listen no more."""
        self.refuse()
        self.cut()
        self._reserved.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _alive(self) -> list[Relay]:
        with self._lock:
            self._relays = [relay for relay in self._relays if not relay.gone]
            return list(self._relays)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                try:
                    far = socket.create_connection(self._upstream)
                except OSError:
                    near.close()
                    continue
                self._alive()
                with self._lock:
                    self._number += 1
                    self._relays.append(Relay(near, far, self._number, up=self.up, down=self.down, gate=self._gate))
