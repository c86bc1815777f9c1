"""What carries stomp.py's frames here: its transport interface, with our sockets, codec, threads and heart-beats.

stomp.py composes the frames of each STOMP version. Everything below that is ours, because its own transport has no
deadlines, reads 1 KiB at a time, corrupts binary bodies, escapes no header names and prints passwords in its debug log.
"""

from __future__ import annotations

import contextlib
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any, Final, Protocol

from mqctl.adapters import tls
from mqctl.adapters.heartbeat import HeartBeat
from mqctl.adapters.reader import ReaderThread
from mqctl.adapters.stomp_library import stomp
from mqctl.adapters.stream import Stream
from mqctl.errors import UsageError
from mqctl.protocols.stomp.codec import Frame, FrameError, FrameParser, encode
from mqctl.protocols.stomp.spec import Command, Limits, Version

LIMITS: Final = Limits(frame_bytes=256 * 1024 * 1024, headers=2000, header_line_bytes=1024 * 1024)
"""What we take from a broker: more than any broker's default lets through, so that only nonsense is refused."""


class FrameTaker(Protocol):
    """Whom the reading thread calls."""

    def on_open(self) -> None:
        """The reading thread runs."""
        ...

    def on_frames(self, frames: list[Frame], now_ns: int) -> None:
        """Frames came, at that time of CLOCK_MONOTONIC."""
        ...

    def on_closed(self, reason: str) -> None:
        """Nothing more comes; the last call, once."""
        ...


_FIRST_BYTES: Final = 64
_NS: Final = 1_000_000_000


class _AsIs:
    """Leaves headers as they are: stomp.py escapes only values; our codec escapes names too, and refuses the rest."""

    transport: Transport

    def send_frame(self, cmd: str, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self.transport.transmit(stomp.utils.Frame(cmd, headers, body))


class _Protocol10(_AsIs, stomp.protocol.Protocol10):  # type: ignore[misc]  # stomp.py has no types
    pass


class _Protocol11(_AsIs, stomp.protocol.Protocol11):  # type: ignore[misc]  # stomp.py has no types
    pass


class _Protocol12(_AsIs, stomp.protocol.Protocol12):  # type: ignore[misc]  # stomp.py has no types
    pass


_PROTOCOLS = {Version.V1_0: _Protocol10, Version.V1_1: _Protocol11, Version.V1_2: _Protocol12}


def protocol(transport: Transport) -> Any:
    """stomp.py's vocabulary (send, subscribe, ack, nack, …) in the version that was agreed, over `transport`."""
    # heartbeats=(0, 0), the default, keeps stomp.py's own heart-beat thread from starting.
    return _PROTOCOLS[transport.version](transport, auto_content_length=False)


class Transport(stomp.transport.BaseTransport):  # type: ignore[misc]  # stomp.py has no types
    """One connection's bytes and frames. Before `run`, the thread that connects reads; then a thread of its own.

    Args:
        stream: Connected.
        peer: Host and port, which name the threads.
    """

    def __init__(self, stream: Stream, peer: str) -> None:
        super().__init__(auto_decode=False)
        self.bytes_in = 0
        self.bytes_out = 0
        self.messages_out = 0
        self.running = True
        self._stream = stream
        self._peer = peer
        self._parser = FrameParser(LIMITS)
        self._counting = threading.Lock()
        self._sending = threading.local()
        self._reader = ReaderThread(stream)
        self._stopped = threading.Event()
        self._death = ""
        self._last_write_ns = time.monotonic_ns()
        # Since when the reader waits for bytes; None while it is busy with some, which is no silence of the peer.
        self._quiet_since_ns: int | None = None
        self._early: list[Frame] = []
        self.first_bytes = b""
        self.frames_broken = False

    @property
    def web_server(self) -> str:
        """See `Stream`."""
        return self._stream.web_server

    @property
    def version(self) -> Version:
        """The version that CONNECTED settled."""
        return self._parser.version or Version.V1_0

    def transmit(self, frame: Any) -> None:
        """Send a frame that stomp.py composed.

        Raises:
            UsageError: This version of STOMP cannot carry it; nothing was sent.
            OSError: The connection is broken.
        """
        try:
            data = encode(frame.cmd, frame.headers, frame.body or b"", version=self.version, with_length=False)
        except UnicodeEncodeError as error:
            raise UsageError(f"a header is not valid Unicode: {error.reason}") from None
        self.send(data)
        if frame.cmd == Command.SEND:
            with self._counting:
                self.messages_out += 1

    @contextlib.contextmanager
    def until(self, deadline: float) -> Iterator[None]:
        """Give what this thread sends inside a deadline, on the clock of time.monotonic."""
        self._sending.deadline = deadline
        try:
            yield
        finally:
            self._sending.deadline = None

    def send(self, encoded_frame: bytes) -> None:
        """Send bytes.

        Raises:
            OSError: The connection is broken, or the deadline of `until` passed (TimeoutError).
        """
        self._stream.write(encoded_frame, getattr(self._sending, "deadline", None))
        with self._counting:
            self.bytes_out += len(encoded_frame)
            self._last_write_ns = time.monotonic_ns()

    def first_frame(self, deadline: float) -> Frame:
        """Read the answer to CONNECT, before `run`. What else came with it is kept for `run`.

        Raises:
            EOFError: The peer hung up; with its words, if it said why.
            OSError: The connection broke, or the deadline passed (TimeoutError).
            FrameError: It is not STOMP; `first_bytes` shows what it is.
        """
        while not self._early:
            self._stream.read_timeout(deadline - time.monotonic())
            data = self._stream.read()
            if not data:
                raise EOFError(self._stream.parting)
            self.first_bytes = (self.first_bytes + data[:_FIRST_BYTES])[:_FIRST_BYTES]
            self._early = self._fed(data)
        self._stream.read_timeout(None)
        return self._early.pop(0)

    def run(self, beat: HeartBeat, taker: FrameTaker) -> None:
        """Start the threads, with the heart-beats that were agreed."""
        self.set_connected(True)
        name = f"mqctl.stomp[{self._peer}]"
        self._reader.start(f"{name}.read", lambda: self._read(taker))
        if beat.send_s or beat.receive_s:
            threading.Thread(target=self._beat, args=(beat,), name=f"{name}.beat", daemon=True).start()

    def is_reader(self) -> bool:
        """Whether the caller is the reading thread, which must not wait for itself."""
        return self._reader.is_current

    def _read(self, taker: FrameTaker) -> None:
        try:
            taker.on_open()
            reason = self._read_on(taker)
        except ssl.SSLError as error:
            reason = tls.closing_words(error)
        except OSError as error:
            reason = f"the connection broke: {error.strerror or error}"
        except FrameError as error:
            taker.on_frames(error.frames, time.monotonic_ns())
            reason = f"the broker broke the protocol: {error}"
            self.frames_broken = True
        self._stopped.set()
        self.set_connected(False)
        self._stream.abort()
        parting = f" ({self._stream.parting})" if self._stream.parting else ""
        taker.on_closed((self._death or reason) + parting)

    def _read_on(self, taker: FrameTaker) -> str:
        taker.on_frames(self._early, time.monotonic_ns())
        while True:
            self._quiet_since_ns = time.monotonic_ns()
            data = self._stream.read()
            now_ns, self._quiet_since_ns = time.monotonic_ns(), None
            if not data:
                return "the broker closed the connection"
            taker.on_frames(self._fed(data), now_ns)

    def _fed(self, data: bytes) -> list[Frame]:
        self.bytes_in += len(data)
        return self._parser.feed(data)

    def _beat(self, beat: HeartBeat) -> None:
        while not self._stopped.wait(self._check_pulse(beat)):
            pass

    def _check_pulse(self, beat: HeartBeat) -> float:
        """Send what is due, end the connection if the broker is gone, and tell in how many seconds to look again."""
        now_ns = time.monotonic_ns()
        quiet_since_ns = self._quiet_since_ns or now_ns
        send_in_s = beat.send_in_s((now_ns - self._last_write_ns) / _NS)
        gone_in_s = beat.gone_in_s((now_ns - quiet_since_ns) / _NS)
        if gone_in_s <= 0:
            self.kill(f"no sign of life from the broker for {beat.silence_s:g} s")
        elif send_in_s <= 0:
            self._last_write_ns = now_ns
            with contextlib.suppress(OSError):
                self._stream.poke(b"\n")
            return self._check_pulse(beat)
        return min(send_in_s, gone_in_s)

    def kill(self, reason: str) -> None:
        """End the connection now; the first reason is the one that is told."""
        self._death = self._death or reason
        self._stopped.set()
        self._stream.abort()

    def join(self, timeout_s: float) -> bool:
        """Wait for the reading thread, then free the socket; whether the thread ended in time."""
        return self._reader.join(timeout_s)
