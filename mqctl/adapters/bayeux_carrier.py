"""What carries a Bayeux session, and the WebSocket that does."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Final, NamedTuple, Protocol

from mqctl.adapters.reader import ReaderThread
from mqctl.adapters.stream import Stream
from mqctl.errors import MqctlError
from mqctl.protocols.bayeux.client_actions import Lane
from mqctl.protocols.bayeux.message import MessageError, batch
from mqctl.protocols.bayeux.spec import ConnectionType

END: Final = b"\0"
"""What stands behind each message of WebSocket that is read: JSON has no such byte."""

OWED_S: Final = 0.05
"""How soon the reader tries again to write what it could not."""

_NS: Final = 1_000_000_000


class Piece(NamedTuple):
    """A message as JSON. Some go alone in their request."""

    body: bytes
    alone: bool


class Taker(Protocol):
    """Whom the threads of a carrier call, one at a time but for `wake_ns`."""

    @property
    def wake_ns(self) -> int | None:
        """When to call `on_time`, if nothing comes before."""
        ...

    def on_open(self) -> None:
        """The threads run."""
        ...

    def on_bodies(self, bodies: list[bytes], now_ns: int) -> None:
        """Arrays of messages came.

        Raises:
            MessageError: They are none.
        """
        ...

    def on_time(self) -> None:
        """It is time."""
        ...

    def on_closed(self, reason: str) -> None:
        """Nothing more comes; the last call, once."""
        ...


class Carrier(Protocol):
    """Carries requests, and what answers them. `bytes_in` and `bytes_out` count the bodies."""

    connection_type: ConnectionType
    bytes_in: int
    bytes_out: int

    @property
    def web_server(self) -> str:
        """What the HTTP server calls itself; empty if it does not."""
        ...

    def ask(self, lane: Lane, body: bytes, deadline: float) -> bytes:
        """Send an array and wait for one, before `run`.

        Raises:
            OSError: The connection broke, or the deadline passed (TimeoutError).
            MqctlError: The server does not speak HTTP, or not Bayeux at this path.
        """
        ...

    def listen(self, client_id: str, deadline: float | None = None) -> None:
        """Open the event stream of a session, where this carrier's connection type has one.

        Args:
            client_id: Which session.
            deadline: When to give up waiting for it, on the clock of time.monotonic.

        Raises:
            OSError: The connection broke, or it took too long (TimeoutError).
            MqctlError: The server cannot be reached, or has no such stream.
        """
        ...

    def run(self, taker: Taker) -> None:
        """Start the threads."""
        ...

    def send(self, lane: Lane, piece: Piece, *, written: bool = False, deadline: float | None = None) -> None:
        """Send a message; may wait for the server to read.

        Args:
            lane: Which way it goes.
            piece: The message.
            written: Whether to wait until the system has it, where sending alone does not mean that.
            deadline: When to give up waiting, on the clock of time.monotonic.

        Raises:
            OSError: The connection is broken, or the deadline passed (TimeoutError).
        """
        ...

    def is_reader(self) -> bool:
        """Whether this is one of its threads."""
        ...

    def kill(self, reason: str) -> None:
        """End it now; the first reason is the one that is told."""
        ...

    def join(self, timeout_s: float) -> bool:
        """Wait for its threads, then free its sockets; whether they ended in time."""
        ...


def closing_words(error: Exception) -> str:
    """Why a carrier failed, for people."""
    match error:
        case MessageError():
            return f"the server sent no Bayeux: {error}"
        case ConnectionResetError() | EOFError() if not error.args or not isinstance(error.args[0], int):
            return "the server closed the connection"
        case OSError():
            return f"the connection broke: {error.strerror or error}"
    return str(error)


def wait_s(taker: Taker) -> float | None:
    """How long to wait for something to come."""
    wake_ns = taker.wake_ns
    return None if wake_ns is None else max(0, wake_ns - time.monotonic_ns()) / _NS


class WebSocketCarrier:
    """See `Carrier`. Both lanes are one, and each message is one of WebSocket.

    Args:
        stream: A WebSocket with `END` behind each message that is read.
        peer: Host and port, which name the thread.
    """

    def __init__(self, stream: Stream, peer: str) -> None:
        self.connection_type = ConnectionType.WEBSOCKET
        self.bytes_in = 0
        self.bytes_out = 0
        self.web_server = stream.web_server
        self._stream = stream
        self._peer = peer
        self._counting = threading.Lock()
        self._reader = ReaderThread(stream)
        self._parts: list[bytes] = []
        self._early: list[bytes] = []
        self._owed: deque[bytes] = deque()
        self._death = ""

    def ask(self, lane: Lane, body: bytes, deadline: float) -> bytes:  # noqa: ARG002 - the interface's
        """See `Carrier.ask`."""
        self._write(body, deadline)
        while not self._early:
            self._stream.read_timeout(max(0.0, deadline - time.monotonic()))
            self._early = self._read_some()
        return self._early.pop(0)

    def listen(self, client_id: str, deadline: float | None = None) -> None:
        """Nothing: all that comes for a session comes by its WebSocket."""

    def run(self, taker: Taker) -> None:
        """See `Carrier.run`."""
        self._reader.start(f"mqctl.bayeux[{self._peer}].read", lambda: self._read(taker))

    def send(self, lane: Lane, piece: Piece, *, written: bool = False, deadline: float | None = None) -> None:  # noqa: ARG002 - the interface's
        """See `Carrier.send`."""
        if self.is_reader():
            self._owed.append(batch([piece.body]))
            self._pay()
        else:
            self._write(batch([piece.body]), deadline)

    def _pay(self) -> None:
        """Write what the reader has to say if that takes no waiting: the server may wait until we read."""
        while self._owed and self._stream.poke(self._owed[0]):
            with self._counting:
                self.bytes_out += len(self._owed.popleft())

    def _write(self, array: bytes, deadline: float | None) -> None:
        self._stream.write(array, deadline)
        with self._counting:
            self.bytes_out += len(array)

    def _read_some(self) -> list[bytes]:
        """The arrays that are whole now.

        Raises:
            EOFError: There will be no more.
            OSError: The connection broke, or it is time (TimeoutError).
        """
        data = self._stream.read()
        if not data:
            raise EOFError(self._stream.parting)
        self.bytes_in += len(data)
        first, *rest = data.split(END)
        self._parts.append(first)
        if not rest:
            return []
        whole = [b"".join(self._parts), *rest[:-1]]
        self._parts = [rest[-1]]
        return whole

    def _read(self, taker: Taker) -> None:
        try:
            taker.on_open()
            if self._early:
                taker.on_bodies(self._early, time.monotonic_ns())
            while not self._death:
                self._read_once(taker)
        except (OSError, EOFError, MessageError, MqctlError) as error:
            self.kill(closing_words(error))
        parting = self._stream.parting
        taker.on_closed(f"{self._death} ({parting})" if parting else self._death)

    def _read_once(self, taker: Taker) -> None:
        patience_s = wait_s(taker)
        self._stream.read_timeout(min(patience_s or OWED_S, OWED_S) if self._owed else patience_s)
        try:
            bodies = self._read_some()
        except TimeoutError:
            taker.on_time()
        else:
            if bodies:
                taker.on_bodies(bodies, time.monotonic_ns())
        self._pay()

    def is_reader(self) -> bool:
        """See `Carrier.is_reader`."""
        return self._reader.is_current

    def kill(self, reason: str) -> None:
        """See `Carrier.kill`."""
        self._death = self._death or reason
        self._stream.abort()

    def join(self, timeout_s: float) -> bool:
        """See `Carrier.join`."""
        return self._reader.join(timeout_s)
