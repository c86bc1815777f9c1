"""One relayed connection: two threads for each direction, one that reads and one that writes what is due."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from mqctl.faults.direction import Direction, Trigger

_CHUNK_BYTES: Final = 64 * 1024
_CHUNKS_AHEAD: Final = 256
_RESET: Final = struct.pack("ii", 1, 0)


class Gate:
    """Open, or shut: then those who come to it wait."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._open = True

    def turn(self, *, is_open: bool) -> None:
        """Open or shut it."""
        with self._changed:
            self._open = is_open
            self._changed.notify_all()

    def look_again(self) -> None:
        """Let those who wait see whether they still want to."""
        with self._changed:
            self._changed.notify_all()

    def wait(self, unless: Callable[[], bool]) -> None:
        """Wait until it is open, or `unless` is true."""
        with self._changed:
            self._changed.wait_for(lambda: self._open or unless())


class _Due:
    """What was read and is due at some time, in order; None is the end."""

    def __init__(self) -> None:
        self._items: deque[tuple[float, bytes | Trigger] | None] = deque()
        self._changed = threading.Condition()
        self._over = False

    def put(self, item: tuple[float, bytes | Trigger] | None) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._over or len(self._items) < _CHUNKS_AHEAD)
            self._items.append(item)
            self._changed.notify_all()

    def get(self) -> tuple[float, bytes | Trigger] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._over or self._items)
            self._changed.notify_all()
            return None if self._over else self._items.popleft()

    def abandon(self) -> None:
        with self._changed:
            self._over = True
            self._changed.notify_all()


class Relay:
    """Carries bytes between two sockets until both directions have ended, or it is reset.

    Args:
        near: Towards the client.
        far: Towards the broker.
        number: Of the connection, for the faults.
        up: The faults on the way from `near` to `far`.
        down: The faults on the way back.
        gate: Where bytes wait that are held back.
    """

    def __init__(
        self, near: socket.socket, far: socket.socket, number: int, *, up: Direction, down: Direction, gate: Gate
    ) -> None:
        self._sockets = (near, far)
        self._number = number
        self._gate = gate
        self._gone = threading.Event()
        self._ending = threading.Lock()
        self._open_ways = 2
        # Readable once the relay is reset, so that nobody waits for a socket in vain.
        self._alarm, self._bell = socket.socketpair()
        for sock in self._sockets:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._dues = (_Due(), _Due())
        self._threads = [
            threading.Thread(target=self._guarded, args=(work, *way), name=f"mqctl.link.{number}", daemon=True)
            for way in ((near, far, up, self._dues[0]), (far, near, down, self._dues[1]))
            for work in (self._read, self._write)
        ]
        # Who ends it early must find them all begun.
        with self._ending:
            for thread in self._threads:
                thread.start()

    @property
    def gone(self) -> bool:
        """Whether it has ended."""
        return self._gone.is_set()

    def reset(self) -> None:
        """Break the connection on both sides; what is under way is lost."""
        self._end(_RESET)

    def finish(self) -> None:
        """Tell both sides that nothing more comes."""
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_WR)

    def _end(self, linger: bytes | None) -> None:
        with self._ending:
            first = not self.gone
            self._gone.set()
        if not first:
            return
        self._bell.send(b"!")
        for due in self._dues:
            due.abandon()
        self._gate.look_again()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()
        for sock in self._sockets:
            if linger is not None:
                with contextlib.suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            sock.close()
        self._alarm.close()
        self._bell.close()

    def _guarded(
        self,
        work: Callable[[socket.socket, socket.socket, Direction, _Due], None],
        source: socket.socket,
        drain: socket.socket,
        direction: Direction,
        due: _Due,
    ) -> None:
        try:
            work(source, drain, direction, due)
        except OSError:
            self.reset()

    def _read(self, source: socket.socket, _drain: socket.socket, direction: Direction, due: _Due) -> None:
        while self._is_ready(source, select.POLLIN):
            with contextlib.suppress(BlockingIOError):
                data = source.recv(_CHUNK_BYTES)
                if not data:
                    due.put(None)
                    return
                self._gate.wait(self._gone.is_set)
                for piece in direction.passing(data, self._number):
                    due.put((direction.due_s(time.monotonic()), piece))

    def _write(self, _source: socket.socket, drain: socket.socket, direction: Direction, due: _Due) -> None:
        while (item := due.get()) is not None:
            due_s, piece = item
            self._gone.wait(max(0.0, due_s - time.monotonic()))
            if isinstance(piece, Trigger):
                piece.fire(self.reset)
            else:
                self._send(drain, piece)
                self._gone.wait(direction.rest_s(len(piece)))
        if not self.gone:
            drain.shutdown(socket.SHUT_WR)
            self._one_way_less()

    def _one_way_less(self) -> None:
        with self._ending:
            self._open_ways -= 1
        if not self._open_ways:
            self._end(None)

    def _send(self, drain: socket.socket, data: bytes) -> None:
        rest = memoryview(data)
        while rest and self._is_ready(drain, select.POLLOUT):
            with contextlib.suppress(BlockingIOError):
                rest = rest[drain.send(rest) :]

    def _is_ready(self, sock: socket.socket, event: int) -> bool:
        """Wait until a socket can be read or written, or the relay is reset; whether it was not."""
        poll = select.poll()
        poll.register(sock, event)
        poll.register(self._alarm, select.POLLIN)
        poll.poll()
        return not self.gone
