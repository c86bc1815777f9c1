"""What carries a session over a WebSocket, with a server that reads late."""

from __future__ import annotations

import socket
import threading

from mqctl.adapters.bayeux_carrier import END, Piece, WebSocketCarrier
from mqctl.adapters.stream import plain
from mqctl.protocols.bayeux.client_actions import Lane

PATIENCE_S = 20.0
LARGE = Piece(b"x" * 10_000_000, alone=False)
CONNECT = Piece(b'"connect"', alone=True)


class Taker:
    """Answers each array with a connect, as a session does."""

    wake_ns = None

    def __init__(self, carrier):
        self.carrier = carrier
        self.came = threading.Semaphore(0)

    def on_open(self):
        pass

    def on_bodies(self, bodies, now_ns):
        for _ in bodies:
            self.carrier.send(Lane.CONNECT, CONNECT)
            self.came.release()

    def on_time(self):
        pass

    def on_closed(self, reason):
        pass


def test_the_reader_reads_on_while_the_server_reads_nothing():
    """A server may take no more before it is read; what was to be said then is said as soon as it does."""
    near, far = socket.socketpair()
    near.settimeout(PATIENCE_S)
    far.settimeout(PATIENCE_S)
    carrier = WebSocketCarrier(plain(near), "here")
    taker = Taker(carrier)
    carrier.run(taker)
    writer = threading.Thread(target=carrier.send, args=(Lane.REQUEST, LARGE))
    with far:
        writer.start()
        assert far.recv(1) == b"["
        for _ in range(3):
            far.sendall(b"[]" + END)
            assert taker.came.acquire(timeout=PATIENCE_S)
        wanted = b"]" + b"[%b]" % CONNECT.body * 3
        tail = b""
        while tail != wanted:
            tail = (tail + far.recv(1_000_000))[-len(wanted) :]
        writer.join(PATIENCE_S)
        carrier.kill("the test is over")
        assert carrier.join(PATIENCE_S)
        assert carrier.bytes_out == len(LARGE.body) + 2 + 3 * (len(CONNECT.body) + 2)
