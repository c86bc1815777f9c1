"""A TCP or TLS connection that one thread reads while others write, each write with a deadline of its own."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final, Protocol

READ_BYTES = 256 * 1024
"""Most bytes taken from the kernel at once."""

_ENCRYPT_BYTES = 256 * 1024
"""Most bytes encrypted before they are sent, so that a read waits for the cipher only shortly."""


class RulesError(OSError):
    """The peer broke the rules of a protocol between TCP and messaging."""


class Stream(Protocol):
    """Bytes both ways. `read` is called by one thread only; `write` and `abort` by any."""

    web_server: str
    """What the HTTP server of a WebSocket calls itself; empty if it does not, or there is none."""

    parting: str
    """Why the peer ended it, if it said so."""

    def read(self) -> bytes:
        """Wait for bytes; empty at the end of the stream.

        Raises:
            OSError: The connection broke, or the time set by `read_timeout` is over (TimeoutError).
        """
        ...

    def read_timeout(self, seconds: float | None) -> None:
        """How long `read` waits from now on; None is for ever."""
        ...

    def write(self, data: bytes, deadline: float | None = None) -> None:
        """Write all of it, or fail; what was begun and not finished breaks the connection.

        Args:
            data: What to write.
            deadline: When to give up, on the clock of time.monotonic.

        Raises:
            OSError: The connection broke, or the deadline passed (TimeoutError).
        """
        ...

    def poke(self, data: bytes) -> bool:
        """Write a few bytes if that takes no waiting, and tell whether it did not.

        Raises:
            OSError: The connection broke.
        """
        ...

    def abort(self) -> None:
        """Break the connection now: every `read` and `write` under way ends. May be called again."""
        ...

    def close(self) -> None:
        """Free the descriptor, after `abort` and when nobody reads any more."""
        ...


_QUICK: Final = getattr(socket, "TCP_QUICKACK", None)
"""Linux only; the system forgets it soon, so that it is asked for at each read."""


class _PlainStream:
    """TCP as it is."""

    web_server = parting = ""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._sending = threading.Lock()
        sock.setblocking(False)
        self._readable = select.poll()
        self._readable.register(sock, select.POLLIN)
        self._read_timeout_ms: float | None = None

    def read_timeout(self, seconds: float | None) -> None:
        self._read_timeout_ms = None if seconds is None else max(0.0, seconds) * 1000

    def read(self) -> bytes:
        # Asked first: where messages come one by one, a vain recv and its exception cost more than this call.
        while self._readable.poll(self._read_timeout_ms):
            with contextlib.suppress(BlockingIOError):
                data = self._socket.recv(READ_BYTES)
                self._acknowledge_at_once()
                return data
        raise TimeoutError("nothing to read")

    def _acknowledge_at_once(self) -> None:
        """Keep the system from delaying TCP's own acknowledgement, for which a broker with Nagle's algorithm waits.

        ActiveMQ and Mosquitto hold back a message while an earlier small one is not acknowledged: 40 ms at a time.
        """
        if _QUICK is not None:
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.IPPROTO_TCP, _QUICK, 1)

    def write(self, data: bytes, deadline: float | None = None) -> None:
        with _writing(self._sending, self._socket, deadline):
            _send_all(self._socket, data, deadline)

    def poke(self, data: bytes) -> bool:
        return _poke(self._sending, self._socket, lambda: _send_all(self._socket, data, None))

    def abort(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        # A write under way keeps the descriptor, which the system would hand to somebody else.
        with self._sending:
            self._socket.close()


class _TlsStream:
    """TLS over a plain stream's socket.

    OpenSSL's objects are not made for two threads, and a read holds one while it waits. So the cipher works on memory
    under a lock that nobody holds while waiting for the network, and the socket itself is read without it. What a read
    makes TLS want to say (a KeyUpdate's answer) leaves ahead of the next write, which is when it is due.
    """

    web_server = parting = ""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, host: str) -> None:
        self._plain = _PlainStream(sock)
        self._socket = sock
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        # The dot at the end of a full name is no part of it here (RFC 6066, 3).
        name = host.removesuffix(".")
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        self._cipher = threading.Lock()
        self._sending = threading.Lock()

    def handshake(self, deadline: float) -> None:
        """Agree on keys and check the certificate.

        Raises:
            OSError: It failed (ssl.SSLError), broke, or was not done by the deadline.
        """
        while True:
            try:
                self._object.do_handshake()
            except ssl.SSLWantReadError:
                self._flush(deadline)
                self._plain.read_timeout(deadline - time.monotonic())
                self._feed(self._plain.read())
            except ssl.SSLError:
                # The alert tells the peer why we hang up.
                with contextlib.suppress(OSError):
                    self._flush(deadline)
                raise
            else:
                break
        self._flush(deadline)
        self._plain.read_timeout(None)

    def read_timeout(self, seconds: float | None) -> None:
        self._plain.read_timeout(seconds)

    def read(self) -> bytes:
        while True:
            with self._cipher:
                clear = self._decrypted()
            if clear is not None:
                return clear
            received = self._plain.read()
            with self._cipher:
                self._feed(received)

    def _feed(self, received: bytes) -> None:
        if received:
            self._incoming.write(received)
        else:
            self._incoming.write_eof()

    def _decrypted(self) -> bytes | None:
        """All that can be decrypted now; empty at the end, None when more is needed."""
        parts: list[bytes] = []
        try:
            while part := self._object.read(READ_BYTES):
                parts.append(part)
        except ssl.SSLWantReadError:
            return b"".join(parts) or None
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            pass
        return b"".join(parts)

    def write(self, data: bytes, deadline: float | None = None) -> None:
        with _writing(self._sending, self._socket, deadline):
            self._encrypt_and_send(data, deadline)

    def _encrypt_and_send(self, data: bytes, deadline: float | None) -> None:
        view = memoryview(data)
        while view:
            with self._cipher:
                done = self._object.write(view[:_ENCRYPT_BYTES])
                encrypted = self._outgoing.read()
            _send_all(self._socket, encrypted, deadline)
            view = view[done:]

    def poke(self, data: bytes) -> bool:
        return _poke(self._sending, self._socket, lambda: self._encrypt_and_send(data, None))

    def _flush(self, deadline: float) -> None:
        if encrypted := self._outgoing.read():
            _send_all(self._socket, encrypted, deadline)

    def abort(self) -> None:
        self._plain.abort()

    def close(self) -> None:
        with self._sending:
            self._plain.close()


def plain(sock: socket.socket) -> Stream:
    """A connected socket as it is."""
    return _PlainStream(sock)


def encrypted(sock: socket.socket, context: ssl.SSLContext, host: str, deadline: float) -> Stream:
    """TLS over a connected socket, once keys are agreed and the certificate is checked. A failure closes the socket.

    Args:
        sock: Connected.
        context: How the peer's certificate is checked.
        host: The name in it.
        deadline: On the clock of time.monotonic.

    Raises:
        OSError: It failed (ssl.SSLError), broke, or was not done by the deadline (TimeoutError).
    """
    try:
        stream = _TlsStream(sock, context, host)
        stream.handshake(deadline)
    except OSError:
        sock.close()
        raise
    return stream


def _poke(sending: threading.Lock, sock: socket.socket, write: Callable[[], None]) -> bool:
    """Run `write`, of a few bytes, if nobody else is writing and the kernel has room."""
    if not sending.acquire(blocking=False):
        return False
    try:
        writable = select.poll()
        if sock.fileno() < 0:
            return False
        writable.register(sock, select.POLLOUT)
        if not writable.poll(0):
            return False
        write()
    finally:
        sending.release()
    return True


@contextlib.contextmanager
def _writing(sending: threading.Lock, sock: socket.socket, deadline: float | None) -> Iterator[None]:
    """Let one write through at a time, and break the connection where one ends half-way, be it by Ctrl-C.

    The frame that follows would become a part of the one cut short, and the broker would deliver both as one message.
    """
    if not sending.acquire(timeout=-1 if deadline is None else max(0.0, deadline - time.monotonic())):
        raise TimeoutError("another write is stuck")
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        raise
    finally:
        sending.release()


def _send_all(sock: socket.socket, data: bytes, deadline: float | None) -> None:
    try:
        sent = sock.send(data)
    except BlockingIOError:
        sent = 0
    if sent == len(data):
        return
    writable = select.poll()
    writable.register(sock, select.POLLOUT)
    view = memoryview(data)[sent:]
    while view:
        if not writable.poll(None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000):
            raise TimeoutError("the peer does not read")
        with contextlib.suppress(BlockingIOError):
            view = view[sock.send(view) :]
