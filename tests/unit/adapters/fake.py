"""A STOMP broker that does what a test tells it: it logs clients in, answers receipts, and keeps what it gets."""

from __future__ import annotations

import contextlib
import queue
import socket
import ssl
from collections.abc import Iterator, Mapping
from typing import Any

from mqctl.adapters.base import Connection
from mqctl.adapters.stomp import StompAdapter
from mqctl.protocols.stomp.codec import Frame, FrameParser, encode
from mqctl.protocols.stomp.spec import Version
from mqctl.target import Target
from mqctl.testing.recorder import Recorder
from tests.unit.adapters.loopback import PATIENCE_S, Loopback

RABBITMQ = "RabbitMQ/3.10.8"
CLASSIC = "ActiveMQ/5.18.3"
ARTEMIS = "ActiveMQ-Artemis/2.56.0 ActiveMQ Artemis Messaging Engine"


class Peer:
    """The broker's end of one connection."""

    def __init__(self, sock: socket.socket, version: Version, receipts: frozenset[str]) -> None:
        self.sock = sock
        self.raw = b""
        self._version = version
        self._receipts = receipts
        self._frames: queue.Queue[Frame | None] = queue.Queue()

    def send(self, command: str, headers: Mapping[str, str], body: bytes = b"") -> None:
        self.sock.sendall(encode(command, headers, body, version=self._version))

    def message(self, body: bytes = b"", **headers: str) -> None:
        """A MESSAGE for subscription 1, as STOMP 1.2 has it."""
        usual = {"destination": "/topic/t", "message-id": "m1", "subscription": "1"}
        self.send("MESSAGE", usual | {name.replace("_", "-"): value for name, value in headers.items()}, body)

    def next(self, command: str) -> Frame:
        """The next frame of that kind that the client sent."""
        while frame := self._frames.get(timeout=PATIENCE_S):
            if frame.command == command:
                return frame
        raise AssertionError(f"the client hung up before {command}")

    def serve(self, parser: FrameParser) -> None:
        """Read until the client hangs up."""
        with contextlib.suppress(OSError):
            while data := self.sock.recv(65536):
                self.raw += data
                for frame in parser.feed(data):
                    if frame.command in self._receipts and "receipt" in frame.headers:
                        self.send("RECEIPT", {"receipt-id": frame.headers["receipt"]})
                    self._frames.put(frame)
        self._frames.put(None)


class FakeBroker:
    """Listens on loopback.

    Args:
        connected: Headers of CONNECTED; `version` decides how frames are escaped.
        greeting: Sent instead of CONNECTED, to whatever the client says first.
        receipts: Commands whose receipts are answered at once.
        context: Makes it speak TLS.
    """

    def __init__(
        self,
        connected: Mapping[str, str] | None = None,
        *,
        greeting: bytes | None = None,
        receipts: frozenset[str] = frozenset({"SUBSCRIBE", "UNSUBSCRIBE", "DISCONNECT"}),
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.connected = {"version": "1.2", **(connected or {})}
        self._greeting = greeting
        self._receipts = receipts
        self._context = context
        self._loopback = Loopback(self._welcome)
        self.endpoint = self._loopback.endpoint
        self._peers: queue.Queue[Peer] = queue.Queue()

    def peer(self) -> Peer:
        """The next client that is logged in."""
        return self._peers.get(timeout=PATIENCE_S)

    @property
    def accepted(self) -> int:
        """How many clients came."""
        return self._loopback.accepted

    def __enter__(self) -> FakeBroker:
        self._loopback.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._loopback.__exit__()

    def _welcome(self, sock: socket.socket) -> None:
        if self._context is not None:
            sock = self._context.wrap_socket(sock, server_side=True)
            self._loopback.wrapped(sock)
        version = Version(self.connected["version"])
        peer = Peer(sock, version, self._receipts)
        if self._greeting is not None:
            peer.raw = sock.recv(65536)
            sock.sendall(self._greeting)
            self._peers.put(peer)
            return
        parser = FrameParser()
        first = sock.recv(65536)
        peer.raw += first
        for frame in parser.feed(first):
            peer._frames.put(frame)
        parser.version = version
        peer.send("CONNECTED", self.connected)
        self._peers.put(peer)
        peer.serve(parser)


def target(*brokers: FakeBroker, **changes: Any) -> Target:
    """Where the fake brokers are, without heart-beats unless asked for."""
    options: dict[str, Any] = {"scheme": "stomp", "heart_beat_s": 0.0, "connect_timeout_s": PATIENCE_S}
    return Target(**options | {"endpoints": tuple(broker.endpoint for broker in brokers)} | changes)


@contextlib.contextmanager
def session(broker: FakeBroker, **changes: Any) -> Iterator[tuple[Connection, Peer, Recorder]]:
    """A client's connection, the broker's end of it, and the client's events."""
    recorder = Recorder(PATIENCE_S)
    connection = StompAdapter().connect(target(broker, **changes), sink=recorder)
    try:
        yield connection, broker.peer(), recorder
    finally:
        connection.close(timeout_s=0.2)
