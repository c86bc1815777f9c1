"""A STOMP server that misbehaves as told."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

from mqctl.protocols.stomp.codec import Frame, FrameParser, encode, receipt
from mqctl.protocols.stomp.spec import Version

Answer = Callable[[Frame], bytes | None]
"""What to send in answer to a frame; None hangs up."""

CONNECTED = encode("CONNECTED", {"version": "1.2", "server": "mqctl-hub/fake"}, version=Version.V1_2)


def polite(frame: Frame) -> bytes:
    """Accepts everything and confirms what asks for it."""
    if frame.command in ("CONNECT", "STOMP"):
        return CONNECTED
    return receipt(frame.headers["receipt"], Version.V1_2) if "receipt" in frame.headers else b""


def silent(frame: Frame) -> bytes:
    """Accepts everything and confirms nothing."""
    return CONNECTED if frame.command == "CONNECT" else b""


def refusing(text: str) -> Answer:
    """Accepts the connection, and answers every message with an ERROR."""

    def answer(frame: Frame) -> bytes:
        if frame.command != "SEND":
            return polite(frame)
        return encode("ERROR", {"message": text, "receipt-id": frame.headers["receipt"]}, version=Version.V1_2)

    return answer


def dying_after(messages: int) -> Answer:
    """Confirms so many messages, then hangs up in the middle of the next one."""
    left = iter([True] * messages)
    return lambda frame: polite(frame) if frame.command != "SEND" or next(left, False) else None


@contextlib.contextmanager
def fake_server(answer: Answer, *, scheme: str = "stomp") -> Iterator[str]:
    """A server for one connection after another; inside, its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_serve, args=(listener, answer))
        thread.start()
        try:
            yield f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _serve(listener: socket.socket, answer: Answer) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(ConnectionError):
                _talk(connection, answer)


def _talk(connection: socket.socket, answer: Answer) -> None:
    parser = FrameParser()
    while data := connection.recv(65536):
        for frame in parser.feed(data):
            reply = answer(frame)
            if reply is None:
                return
            connection.sendall(reply)
