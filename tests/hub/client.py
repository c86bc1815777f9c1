"""A STOMP client that hides nothing: a blocking socket, our codec, and every frame in the order in which it came."""

from __future__ import annotations

import socket
from collections import deque
from types import TracebackType
from typing import Self

from mqctl.protocols.stomp.codec import Frame, FrameParser, encode
from mqctl.protocols.stomp.spec import Version
from mqctl.target import Endpoint

PATIENCE_S = 10.0
"""For what must come. Nothing waits this long where all is well."""


class Client:
    """One connection; `connect=False` leaves out the handshake.

    Args:
        endpoint: The hub.
        version: What to connect with.
        connect: Whether to connect.
        headers: Further headers of CONNECT.
    """

    def __init__(
        self, endpoint: Endpoint, version: str = "1.2", *, connect: bool = True, headers: dict[str, str] | None = None
    ) -> None:
        self.version = Version(version)
        self.socket = self.open(endpoint)
        self.greeting: Frame | None = None
        self.parser = FrameParser()
        self._waiting: deque[Frame] = deque()
        self._receipts = 0
        if connect:
            offered = {} if self.version is Version.V1_0 else {"accept-version": version, "host": "hub"}
            self.send("CONNECT", {**offered, **(headers or {})})
            self.greeting = self.expect("CONNECTED")

    def open(self, endpoint: Endpoint) -> socket.socket:
        """Connect, up to where STOMP begins."""
        return socket.create_connection((endpoint.host, endpoint.port), timeout=PATIENCE_S)

    def raw(self, data: bytes) -> None:
        """Send bytes."""
        self.socket.sendall(data)

    def read(self) -> bytes:
        """What comes next; empty at the end."""
        return self.socket.recv(1 << 20)

    def encoded(self, command: str, headers: dict[str, str], body: bytes = b"") -> bytes:
        """A frame as this client sends it."""
        return encode(command, headers, body, version=self.version)

    def send(self, command: str, headers: dict[str, str], body: bytes = b"") -> None:
        """Send a frame."""
        self.raw(self.encoded(command, headers, body))

    def ask(self, command: str, headers: dict[str, str], body: bytes = b"") -> list[Frame]:
        """Send a frame and wait for its receipt; returns what came before that."""
        self._receipts += 1
        receipt = f"r{self._receipts}"
        self.send(command, {**headers, "receipt": receipt}, body)
        before = []
        while (frame := self.frame()).command != "RECEIPT":
            before.append(frame)
            assert frame.command != "ERROR", frame
        assert frame.headers["receipt-id"] == receipt
        return before

    def subscribe(self, destination: str, key: str = "s", **headers: str) -> list[Frame]:
        """Subscribe, and wait until that is so; returns what came before the receipt."""
        return self.ask("SUBSCRIBE", {"destination": destination, "id": key, **_dashed(headers)})

    def publish(self, destination: str, *bodies: bytes, **headers: str) -> None:
        """Send messages, and wait until the hub has the last."""
        for body in bodies[:-1]:
            self.send("SEND", {"destination": destination, **_dashed(headers)}, body)
        self.ask("SEND", {"destination": destination, **_dashed(headers)}, bodies[-1])

    def ack(self, message: Frame, command: str = "ACK", **more: str) -> None:
        """Acknowledge, or with NACK refuse, a MESSAGE in the manner of this client's version."""
        if self.version is Version.V1_2:
            headers = {"id": message.headers["ack"]}
        else:
            headers = {name: message.headers[name] for name in ("message-id", "subscription")}
        self.ask(command, {**headers, **more})

    def frame(self) -> Frame:
        """The next frame."""
        while not self._waiting:
            data = self.read()
            assert data, "the hub closed the connection"
            self._waiting.extend(self.parser.feed(data))
        return self._waiting.popleft()

    def expect(self, command: str) -> Frame:
        """The next frame, which must be of that kind."""
        frame = self.frame()
        assert frame.command == command, frame
        return frame

    def bodies(self, count: int) -> list[bytes]:
        """The bodies of the next messages."""
        return [self.expect("MESSAGE").body for _ in range(count)]

    def between(self) -> list[Frame]:
        """What has come and not been read yet; the answer to a request marks the end of it."""
        return self.ask("SEND", {"destination": "/topic/nobody.is.here"})

    def unread(self) -> list[Frame]:
        """Frames that have come and that nobody asked for yet."""
        frames = list(self._waiting)
        self._waiting.clear()
        return frames

    def refusal(self) -> str:
        """Read until ERROR and the end of the connection; returns what the ERROR says."""
        while (frame := self.frame()).command != "ERROR":
            pass
        self.end()
        return frame.headers["message"]

    def end(self) -> None:
        """Read until the hub has closed, whatever comes before."""
        try:
            while self.read():
                pass
        except ConnectionResetError:
            pass
        self.close()

    def close(self) -> None:
        """Hang up."""
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _dashed(headers: dict[str, str]) -> dict[str, str]:
    """Keywords as header names: `content_type` is content-type, `activemq__x` is activemq.x."""
    return {name.replace("__", ".").replace("_", "-"): value for name, value in headers.items()}
