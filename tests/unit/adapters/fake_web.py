"""The other end of a WebSocket: a server that agrees to every upgrade, and then does what a test tells it."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Iterator

import websocket

from mqctl.adapters.dialing import Dialer
from mqctl.adapters.stream import Stream
from mqctl.protocols.websocket import Opcode, accept_key
from mqctl.target import Endpoint, Target

PATIENCE_S = 20.0
SUBPROTOCOLS = ("v12.stomp", "v11.stomp")


class WebPeer:
    """The server's end of one connection, read by websocket-client. `request` is the head of the upgrade."""

    def __init__(self, sock: socket.socket, *, early: bytes = b"", headers: str = "") -> None:
        self.sock = sock
        self._frames = websocket.frame_buffer(sock.recv, skip_utf8_validation=False)
        self.request = b""
        while b"\r\n\r\n" not in self.request:
            self.request += sock.recv(65536)
        key = re.search(rb"Sec-WebSocket-Key: (\S+)", self.request)
        assert key is not None
        sock.sendall(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept_key(key[1].decode())}\r\n{headers}\r\n".encode()
            + early
        )

    def next(self) -> tuple[Opcode, bytes]:
        """The next message, or control frame, that came."""
        first = frame = self._frames.recv_frame()
        assert first.mask_value, "a client's frame has a mask"
        payload = bytes(first.data)
        while not frame.fin:
            frame = self._frames.recv_frame()
            assert frame.opcode == Opcode.CONTINUATION
            payload += frame.data
        return Opcode(first.opcode), payload


@contextlib.contextmanager
def web_pair(*, text: bool = True, early: bytes = b"", headers: str = "") -> Iterator[tuple[Stream, WebPeer]]:
    """Both ends of a connection: our stream, and the server's."""
    with socket.create_server(("127.0.0.1", 0)) as listener, contextlib.ExitStack() as held:
        peers: list[WebPeer] = []

        def serve() -> None:
            sock, _ = listener.accept()
            held.enter_context(sock)
            sock.settimeout(PATIENCE_S)
            peers.append(WebPeer(sock, early=early, headers=headers))

        thread = threading.Thread(target=serve)
        thread.start()
        endpoint = Endpoint(*listener.getsockname())
        dialer = Dialer(Target(scheme="stomp+ws", endpoints=(endpoint,)), subprotocols=SUBPROTOCOLS, text=text)
        stream = dialer.dial(endpoint, time.monotonic() + PATIENCE_S)
        thread.join()
        try:
            yield stream, peers[0]
        finally:
            stream.abort()
            stream.close()
