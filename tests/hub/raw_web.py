"""WebSocket by hand, for what no library sends: the handshake's bytes, frames of any kind, and what comes back."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from mqctl.target import Endpoint
from tests.hub.client import PATIENCE_S

MASK = b"\x01\x02\x03\x04"


def frame(payload: bytes, opcode: int = 2, *, fin: bool = True, first: int = 0) -> bytes:
    """A client's frame."""
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2) if size < 2**16 else b""
    length = length or b"\xff" + size.to_bytes(8)
    body = bytes(byte ^ MASK[at % 4] for at, byte in enumerate(payload))
    return bytes([0x80 * fin | first | opcode]) + length + MASK + body


def handshake(endpoint: Endpoint, headers: Mapping[str, str | None] | None = None, path: str = "/stomp") -> bytes:
    """A request for an upgrade; headers replace those of a good one, or with None leave them out."""
    good = {
        "Host": str(endpoint),
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
    }
    lines = [f"{name}: {value}\r\n" for name, value in {**good, **(headers or {})}.items() if value is not None]
    return f"GET {path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode()


class Raw:
    """A connection after its upgrade."""

    def __init__(self, sock: socket.socket, head: bytes, buffer: bytes) -> None:
        self.socket = sock
        self.head = head
        self._buffer = buffer

    def raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.socket.sendall(data)

    def send(self, payload: bytes) -> None:
        """Send a message."""
        self.raw(frame(payload))

    def message(self) -> tuple[int, bytes]:
        """Opcode and payload of the next frame."""
        first, second = self._take(2)
        size = second if second < 126 else int.from_bytes(self._take(2 if second == 126 else 8))
        return first & 15, self._take(size)

    def ended(self) -> bool:
        """Whether nothing comes any more."""
        return not self._buffer and not self.socket.recv(1)

    def _take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            data = self.socket.recv(65_536)
            assert data, "the hub closed the connection"
            self._buffer += data
        data, self._buffer = self._buffer[:count], self._buffer[count:]
        return data

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.socket.close()


def ask(endpoint: Endpoint, request: bytes) -> tuple[int, bytes, bytes, socket.socket]:
    """Send a request; the status, the head and what came of the body so far, and the socket."""
    sock = socket.create_connection((endpoint.host, endpoint.port), timeout=PATIENCE_S)
    try:
        sock.sendall(request)
        got = b""
        while b"\r\n\r\n" not in got:
            data = sock.recv(65_536)
            assert data, got
            got += data
    except BaseException:
        sock.close()
        raise
    head, _, rest = got.partition(b"\r\n\r\n")
    return int(head.split()[1]), head, rest, sock


def upgrade(endpoint: Endpoint, headers: Mapping[str, str | None] | None = None, path: str = "/stomp") -> Raw:
    """An upgraded connection."""
    status, head, rest, sock = ask(endpoint, handshake(endpoint, headers, path))
    assert status == 101, head + rest
    return Raw(sock, head, rest)
