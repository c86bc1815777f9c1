"""One MQTT connection's bytes: a thread that reads, and one that writes what nobody may wait for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from mqctl.adapters.heartbeat import HeartBeat
from mqctl.adapters.reader import ReaderThread
from mqctl.adapters.stream import Stream
from mqctl.errors import MqctlError

PIECE_BYTES: Final = 64 * 1024
"""Most that is written at once. Whoever takes a long message slowly, piece by piece, is alive."""

POSTED_MAX: Final = 64 * 1024
"""Bytes of messages that may wait to be sent."""

HUNG_UP: Final = "the broker closed the connection"
"""Why a connection is over that the broker ended without a word."""

_NS: Final = 1_000_000_000


class _BusyError(TimeoutError):
    """Another write was under way all the time; nothing was written."""


class ByteTaker(Protocol):
    """Whom the reading thread calls."""

    def on_open(self) -> None:
        """The reading thread runs."""
        ...

    def on_bytes(self, data: bytes, now_ns: int) -> str | None:
        """Bytes came, at that time of CLOCK_MONOTONIC; why the connection is over, if it is."""
        ...

    def on_closed(self, reason: str) -> None:
        """Nothing more comes; the last call, once."""
        ...


class Transport:
    """Reads and writes. Before `run`, the thread that connects does both.

    Acknowledgements and pings are left to a thread: a broker that reads nothing while we do not read, as some do, would
    otherwise wait for us for ever, and we for it.

    Args:
        stream: Connected.
        peer: Host and port, which name the threads.
    """

    def __init__(self, stream: Stream, peer: str) -> None:
        self.bytes_in = 0
        self.bytes_out = 0
        self._stream = stream
        self.peer = peer
        self._sending = threading.Lock()
        self._got_on_ns = 0
        self._reader = ReaderThread(stream)
        self._posted: list[bytes] = []
        self._posted_bytes = 0
        self._posting = threading.Condition()
        self._writing_posted = False
        self._stopped = False
        self._death = ""
        self._pinging = False
        self._last_write_ns = time.monotonic_ns()
        self._last_read_ns = time.monotonic_ns()
        # Since when the reader waits for bytes; None while it is busy with some, which is no silence of the broker.
        self._quiet_since_ns: int | None = None

    @property
    def parting(self) -> str:
        """Why the peer ended the connection, if it said so below MQTT."""
        return self._stream.parting

    def write(self, data: bytes, deadline: float | None = None) -> None:
        """Send bytes behind all that was posted, which may wait for the broker to read.

        Raises:
            OSError: The connection is broken, or the deadline passed (TimeoutError).
        """
        if not self.flush(deadline) and not self._stopped:
            raise _BusyError("what was posted is stuck")
        self._send(data, deadline)

    def _send(self, data: bytes, deadline: float | None) -> None:
        if not self._sending.acquire(timeout=-1 if deadline is None else max(0.0, deadline - time.monotonic())):
            raise _BusyError("another write is stuck")
        try:
            self._write_pieces(data, deadline)
            self.bytes_out += len(data)
            self._last_write_ns = time.monotonic_ns()
        finally:
            self._sending.release()

    def _write_pieces(self, data: bytes, deadline: float | None) -> None:
        if len(data) <= PIECE_BYTES:
            self._stream.write(data, deadline)
            return
        try:
            for at in range(0, len(data), PIECE_BYTES):
                self._stream.write(data[at : at + PIECE_BYTES], deadline)
                self._got_on_ns = time.monotonic_ns()
        except BaseException:
            # What follows would become a part of what was begun.
            self._stream.abort()
            raise

    def read(self, deadline: float) -> bytes:
        """What comes next, before `run`; empty at the end.

        Raises:
            OSError: The connection broke, or the deadline passed (TimeoutError).
        """
        self._stream.read_timeout(max(0.0, deadline - time.monotonic()))
        data = self._stream.read()
        self.bytes_in += len(data)
        self._stream.read_timeout(None)
        return data

    def post(self, data: bytes) -> None:
        """Send bytes soon, in order of these calls."""
        with self._posting:
            self._posted.append(data)
            self._posting.notify_all()

    def leave(self, data: bytes) -> None:
        """As `post`, but waits while much is posted. What is posted during a write is sent in one piece."""
        with self._posting:
            self._posting.wait_for(lambda: self._posted_bytes < POSTED_MAX or self._stopped)
            self._posted.append(data)
            self._posted_bytes += len(data)
            self._posting.notify_all()

    def flush(self, deadline: float | None = None) -> bool:
        """Wait until what was posted is sent, or cannot be; whether it is."""
        with self._posting:
            timeout_s = None if deadline is None else max(0.0, deadline - time.monotonic())
            self._posting.wait_for(lambda: self._stopped or not (self._posted or self._writing_posted), timeout_s)
            return not (self._posted or self._writing_posted)

    def run(self, beat: HeartBeat, ping: Callable[[], bytes], taker: ByteTaker) -> None:
        """Start the threads; `ping` makes the packet that asks for a sign of life."""
        name = f"mqctl.mqtt[{self.peer}]"
        self._reader.start(f"{name}.read", lambda: self._read(taker))
        threading.Thread(target=self._write, args=(beat, ping), name=f"{name}.write", daemon=True).start()

    def is_reader(self) -> bool:
        """Whether this is the reading thread."""
        return self._reader.is_current

    def _read(self, taker: ByteTaker) -> None:
        try:
            taker.on_open()
            reason = self._read_on(taker)
        except OSError as error:
            reason = f"the connection broke: {error.strerror or error}"
        except MqctlError as error:
            reason = str(error)
        self.kill(reason)
        taker.on_closed(f"{self._death} ({self.parting})" if self.parting else self._death)

    def _read_on(self, taker: ByteTaker) -> str:
        while True:
            self._quiet_since_ns = time.monotonic_ns()
            data = self._stream.read()
            now_ns, self._quiet_since_ns = time.monotonic_ns(), None
            if not data:
                return HUNG_UP
            self.bytes_in += len(data)
            self._last_read_ns = now_ns
            self._pinging = False
            ended = taker.on_bytes(data, now_ns)
            if ended is not None:
                return ended

    def _write(self, beat: HeartBeat, ping: Callable[[], bytes]) -> None:
        while not self._stopped:
            data = self._next_to_write(self._check_pulse(beat, ping))
            if data:
                self._write_posted(data, beat.silence_s)

    def _write_posted(self, data: bytes, silence_s: float) -> None:
        while not self._stopped:
            try:
                self._send(data, time.monotonic() + silence_s if silence_s else None)
            except _BusyError:
                if time.monotonic_ns() - self._got_on_ns < silence_s * _NS:
                    continue
                self.kill(f"the broker stopped reading, for {silence_s:g} s")
            except TimeoutError:
                self.kill(f"the broker stopped reading, for {silence_s:g} s")
            except OSError as error:
                self.kill(f"the connection broke: {error.strerror or error}")
            return

    def _next_to_write(self, wait_s: float) -> bytes:
        with self._posting:
            self._writing_posted = False
            if not self._posted:
                self._posting.notify_all()
                self._posting.wait_for(lambda: self._posted or self._stopped, min(wait_s, threading.TIMEOUT_MAX))
            posted, self._posted, self._posted_bytes = self._posted, [], 0
            self._posting.notify_all()
            self._writing_posted = bool(posted)
            return b"".join(posted)

    def _check_pulse(self, beat: HeartBeat, ping: Callable[[], bytes]) -> float:
        """Post a ping if it is due, end the connection if the broker is gone, and tell when to look again, in seconds.

        A ping is due when we sent nothing for a while, which is what the broker watches (MQTT 3.1.1, 3.1.2.10), and
        when nothing came, which is what we watch.
        """
        now_ns = time.monotonic_ns()
        quiet_since_ns = max(self._quiet_since_ns or now_ns, self._got_on_ns)
        idle_since_ns = self._last_write_ns if self._pinging else min(self._last_write_ns, self._last_read_ns)
        ping_in_s = beat.send_in_s((now_ns - idle_since_ns) / _NS)
        gone_in_s = beat.gone_in_s((now_ns - quiet_since_ns) / _NS)
        if gone_in_s <= 0:
            self.kill(f"no sign of life from the broker for {beat.silence_s:g} s")
        elif ping_in_s <= 0:
            self._pinging = True
            self._last_write_ns = now_ns
            self.post(ping())
            return self._check_pulse(beat, ping)
        return min(ping_in_s, gone_in_s)

    def kill(self, reason: str) -> None:
        """End the connection now; the first reason is the one that is told."""
        self._death = self._death or reason
        with self._posting:
            self._stopped = True
            self._posting.notify_all()
        self._stream.abort()

    def ended_within(self, timeout_s: float) -> bool:
        """Wait for the broker to end the connection; whether it did."""
        return self._reader.ended_within(timeout_s)

    def join(self, timeout_s: float) -> bool:
        """Wait for the reading thread, then free the socket; whether the thread ended in time."""
        return self._reader.join(timeout_s)
