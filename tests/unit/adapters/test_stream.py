"""What a stream owes to the frames that cross it."""

from __future__ import annotations

import signal
import socket
import threading
import time

import pytest

from mqctl.adapters import dialing
from mqctl.adapters.stream import plain
from mqctl.target import Endpoint


def test_a_write_that_is_interrupted_half_way_breaks_the_connection():
    """What is sent later must not become a part of the message that was cut short."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stream = plain(dialing.connect(Endpoint(*listener.getsockname()), time.monotonic() + 10))
        peer, _ = listener.accept()
        with peer:
            ours, data = threading.get_ident(), b"x" * 50_000_000

            def interrupt() -> None:
                # The peer takes no more than a look, so that the write stands half done when the signal comes.
                peer.recv(1, socket.MSG_PEEK)
                signal.pthread_kill(ours, signal.SIGINT)

            alarm = threading.Thread(target=interrupt)
            alarm.start()
            with pytest.raises(KeyboardInterrupt):
                stream.write(data)
            alarm.join()
            with pytest.raises(OSError, match=r"[Bb]roken pipe"):
                stream.write(b"DISCONNECT\n\n\0")
            received = bytearray()
            while part := peer.recv(1_000_000):
                received += part
            assert set(received) == {ord("x")}
        stream.close()


@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="the system has no such option")
def test_what_was_read_is_acknowledged_at_once():
    """After many turns of question and answer Linux delays its acknowledgements, and brokers wait for them."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
        with theirs:
            stream = plain(ours)
            for _ in range(50):
                stream.write(b"question")
                theirs.recv(100)
                theirs.sendall(b"answer")
                stream.read()
            assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK) == 1
            stream.close()
