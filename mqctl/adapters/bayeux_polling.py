"""Long-polling: a connection where the connect waits at the server, and one for all other requests.

With a third one, where messages come as events, the connect does not wait and is but a sign of life.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from mqctl.adapters.bayeux_carrier import Piece, Taker, closing_words, wait_s
from mqctl.adapters.bayeux_events import EventLane
from mqctl.adapters.bayeux_http import Cookies, HttpLane, Place, authorization
from mqctl.adapters.stream import Stream
from mqctl.errors import MqctlError
from mqctl.protocols.bayeux.client_actions import SILENT, Lane
from mqctl.protocols.bayeux.message import MessageError, batch
from mqctl.protocols.bayeux.spec import MEDIA_TYPE, ConnectionType
from mqctl.target import Target

BATCH_BYTES: Final = 64 * 1024
BATCH_MESSAGES: Final = 500
"""Most that goes in one request; servers have limits of their own, and one message always goes."""

QUEUED_BYTES_MAX: Final = 1024 * 1024
"""What may wait for the request that is under way; then whoever publishes waits too."""


class PollingCarrier:
    """See `Carrier`.

    Args:
        dial: Connects.
        target: The login that a gateway may want, and how long an answer may take.
        peer: Host and port.
        cookies: What the server wants to hear again.
        event_bytes: How large an event may be, where messages come by an event stream; None is by the connects.
    """

    def __init__(
        self,
        dial: Callable[[], Stream],
        target: Target,
        peer: str,
        *,
        cookies: Cookies | None = None,
        event_bytes: int | None = None,
    ) -> None:
        self.connection_type = ConnectionType.LONG_POLLING if event_bytes is None else ConnectionType.EVENT_SOURCE
        self.bytes_in = 0
        self.bytes_out = 0
        self._peer = peer
        self._grace_s = target.heart_beat_s or None
        where, cookies, login = Place.of(peer, target), cookies or Cookies(), authorization(target)
        headers = {"Content-Type": MEDIA_TYPE, **login}
        self._requests = HttpLane(dial, where, headers, cookies)
        self._connects = HttpLane(dial, where, headers, cookies)
        self._events = None if event_bytes is None else EventLane(dial, where, login, cookies, event_bytes)
        self._changed = threading.Condition()
        self._connect: bytes | None = None
        self._queue: deque[Piece] = deque()
        self._queued_bytes = 0
        self._put = self._written = 0
        """How many messages were put into the queue, and how many of those the system has."""
        self._busy = False
        """Whether a request is under way that others wait for."""
        self._threads: tuple[threading.Thread, ...] = ()
        self._running = 0
        self._death = ""
        self._abandoned = False

    @property
    def web_server(self) -> str:
        """See `Carrier`."""
        return self._requests.web_server

    def ask(self, lane: Lane, body: bytes, deadline: float) -> bytes:
        """See `Carrier.ask`."""
        through = self._connects if lane is Lane.CONNECT else self._requests
        wait_s = max(0.0, deadline - time.monotonic())
        return through.post(body, wait_s=wait_s, sent_by=deadline, on_sent=lambda: None)

    def listen(self, client_id: str, deadline: float | None = None) -> None:
        """See `Carrier.listen`."""
        if self._events is not None:
            wait_s = self._grace_s if deadline is None else max(0.0, deadline - time.monotonic())
            self._events.open(client_id, wait_s)

    def run(self, taker: Taker) -> None:
        """See `Carrier.run`."""
        opened = threading.Event()

        def poll() -> None:
            taker.on_open()
            opened.set()
            self._work(taker, self._poll)

        def behind(turn: Callable[[Taker], None]) -> Callable[[], None]:
            def work() -> None:
                opened.wait()
                self._work(taker, turn)

            return work

        works = {"connect": poll, "request": behind(self._request)}
        if self._events is not None:
            works["events"] = behind(self._listen)
        self._threads = tuple(
            threading.Thread(target=work, name=f"mqctl.bayeux[{self._peer}].{name}", daemon=True)
            for name, work in works.items()
        )
        self._running = len(self._threads)
        for thread in self._threads:
            thread.start()

    def send(self, lane: Lane, piece: Piece, *, written: bool = False, deadline: float | None = None) -> None:
        """See `Carrier.send`."""
        with self._changed:
            if lane is Lane.CONNECT:
                self._connect = batch([piece.body])
            else:
                self._enqueue(piece, written=written, deadline=deadline)
            self._changed.notify_all()

    def _enqueue(self, piece: Piece, *, written: bool, deadline: float | None) -> None:
        # The carrier's own threads are those that make room.
        patient = not self.is_reader()
        if patient:
            self._wait_for(lambda: self._queued_bytes < QUEUED_BYTES_MAX, deadline)
        self._queue.append(piece)
        self._queued_bytes += len(piece.body)
        self._put += 1
        # Where it can leave now, it has left when this returns: what breaks after that makes its fate unknown.
        if patient and (written or not self._busy):
            mine = self._put
            self._changed.notify_all()
            self._wait_for(lambda: self._written >= mine, deadline)

    def _wait_for(self, there: Callable[[], bool], deadline: float | None) -> None:
        timeout_s = None if deadline is None else max(0.0, deadline - time.monotonic())
        if not self._changed.wait_for(lambda: there() or bool(self._death), timeout_s):
            raise TimeoutError("the server does not read")
        if self._death:
            raise ConnectionError(self._death)

    def _work(self, taker: Taker, turn: Callable[[Taker], None]) -> None:
        try:
            while not self._death:
                turn(taker)
        except (OSError, EOFError, MessageError, MqctlError) as error:
            self.kill(closing_words(error))
        with self._changed:
            self._running -= 1
            last = not self._running
        if last:
            taker.on_closed(self._death)
            if self._abandoned:
                self._free()

    def _poll(self, taker: Taker) -> None:
        """A connect, if there is one, or what is due."""
        with self._changed:
            there = self._changed.wait_for(lambda: self._connect is not None or self._death, wait_s(taker))
            body, self._connect = self._connect, None
        if body is None:
            if not there:
                taker.on_time()
            return
        try:
            self._post(self._connects, taker, body, wait_s=wait_s(taker))
        except TimeoutError:
            # What may still come over this connection is late, and of no use.
            self._connects.abandon()
            taker.on_time()

    def _listen(self, taker: Taker) -> None:
        """What the event stream brings."""
        assert self._events is not None
        if bodies := self._events.read():
            now_ns = time.monotonic_ns()
            with self._changed:
                self.bytes_in += sum(map(len, bodies))
            taker.on_bodies(bodies, now_ns)

    def _request(self, taker: Taker) -> None:
        """All that is queued, as far as it goes together."""
        with self._changed:
            self._busy = False
            self._changed.wait_for(lambda: self._queue or self._death)
            if self._death:
                return
            bodies = self._take()
            self._busy = True
        try:
            self._post(self._requests, taker, batch(bodies), count=len(bodies), wait_s=self._grace_s)
        except TimeoutError:
            self.kill(SILENT)

    def _take(self) -> list[bytes]:
        taken = [self._queue.popleft()]
        size = len(taken[0].body)
        while self._queue and len(taken) < BATCH_MESSAGES and not (taken[-1].alone or self._queue[0].alone):
            size += len(self._queue[0].body)
            if size > BATCH_BYTES:
                break
            taken.append(self._queue.popleft())
        self._queued_bytes -= sum(len(piece.body) for piece in taken)
        return [piece.body for piece in taken]

    def _post(self, lane: HttpLane, taker: Taker, body: bytes, *, count: int = 0, wait_s: float | None = None) -> None:
        def on_sent() -> None:
            with self._changed:
                self.bytes_out += len(body)
                self._written += count
                self._changed.notify_all()

        answered = lane.post(body, wait_s=wait_s, on_sent=on_sent)
        now_ns = time.monotonic_ns()
        with self._changed:
            self.bytes_in += len(answered)
        taker.on_bodies([answered], now_ns)
        with self._changed:
            # The time to wake up may be another now.
            self._changed.notify_all()

    def is_reader(self) -> bool:
        """See `Carrier.is_reader`."""
        return threading.current_thread() in self._threads

    def kill(self, reason: str) -> None:
        """See `Carrier.kill`."""
        with self._changed:
            self._death = self._death or reason
            self._changed.notify_all()
        for lane in self._lanes():
            lane.abort()

    def join(self, timeout_s: float) -> bool:
        """See `Carrier.join`."""
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))
        with self._changed:
            self._abandoned = bool(self._running)
        if self._abandoned:
            return False
        self._free()
        return True

    def _free(self) -> None:
        for lane in self._lanes():
            lane.abandon()

    def _lanes(self) -> tuple[HttpLane | EventLane, ...]:
        lanes = (self._requests, self._connects)
        return lanes if self._events is None else (*lanes, self._events)
