"""The same client over WebSocket, by websocket-client, which knows nothing of our code."""

from __future__ import annotations

import socket

import websocket

from mqctl.target import Endpoint
from tests.hub.client import PATIENCE_S, Client

TEXT, BINARY = websocket.ABNF.OPCODE_TEXT, websocket.ABNF.OPCODE_BINARY
CLOSE = websocket.ABNF.OPCODE_CLOSE


class WebClient(Client):
    """One connection. `closed_with` is the code and reason of the hub's close frame, once it has come."""

    closed_with: tuple[int, str] | None = None

    def open(self, endpoint: Endpoint) -> socket.socket:
        """Connect and upgrade."""
        self.web = websocket.create_connection(f"ws://{endpoint}/stomp", timeout=PATIENCE_S)
        return self.web.sock

    def raw(self, data: bytes) -> None:
        """Send bytes, as one message."""
        self.web.send_binary(data)

    def message(self) -> tuple[int, bytes]:
        """The opcode and payload of the next message or control frame."""
        return self.web.recv_data(control_frame=True)

    def read(self) -> bytes:
        """The next message, which must hold exactly one STOMP frame or a heart-beat."""
        try:
            opcode, data = self.message()
        except websocket.WebSocketConnectionClosedException:
            return b""
        if opcode == CLOSE:
            self.closed_with = int.from_bytes(data[:2]), data[2:].decode()
            return b""
        assert data == b"\n" or (data.endswith(b"\0") and data[0] != ord("\n")), data[-20:]
        return data
