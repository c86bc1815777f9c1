"""A connection that outlives its connections: one that is lost is made again, with its subscriptions, by one policy.

What was published and not confirmed when a connection was lost is unknown, and stays so. Messages that were not
acknowledged come again. While there is no connection, calls wait for one.
"""

from __future__ import annotations

import contextlib
import functools
import random
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from itertools import count
from types import TracebackType
from typing import Final, Self

from mqctl.adapters.again import session_forgotten, target_after
from mqctl.adapters.base import Adapter, ConnectionStats, EventSink, PendingPublish, SubscribeSpec, Transaction
from mqctl.adapters.ending import refuse_in_sink
from mqctl.adapters.line import Line, LineTransaction, added, stamped
from mqctl.adapters.pending import Settled
from mqctl.adapters.repeats import Repeats
from mqctl.backoff import Backoff, Policy
from mqctl.durations import format_duration
from mqctl.errors import (
    ConnectError,
    ConnectionLost,
    MqctlError,
    OperationTimeout,
    RefusedError,
    TlsError,
    UnsupportedError,
)
from mqctl.model import (
    AckToken,
    Confirmation,
    Connected,
    ConnectionEvent,
    Disconnected,
    Fault,
    Interrupted,
    Outgoing,
    Resumed,
    SubscriptionId,
    Unknown,
    UnknownCause,
)
from mqctl.target import Target

SUBSCRIBE_TIMEOUT_S: Final = 10.0
"""How long the broker may take to confirm a subscription again."""

_LAST_TRY_S: Final = 1.0
"""What the last try gets at least, however little time is left."""

_JOIN_S: Final = 0.2
"""How long `close` waits for a try under way; it goes on alone, and leads to nothing."""

_NONE_LASTED: Final = ", in which no connection lasted"


def connect(
    adapter: Adapter, target: Target, *, sink: EventSink, rng: random.Random | None = None
) -> ReconnectingConnection:
    """Connect as `Adapter.connect`; what is lost afterwards is made again, as `target.reconnect` says.

    The first connection is not tried again: whoever cannot connect at all wants to know that at once.

    Args:
        adapter: The transport.
        target: Where to. After a loss, the endpoint after the one that was lost is tried first.
        sink: Takes the events. `Connected` comes first and once, then `Interrupted` and `Resumed` in turn.
        rng: Draws the pauses.

    Raises:
        MqctlError: As `Adapter.connect`.
    """
    return ReconnectingConnection(adapter, target, sink, rng or random.Random())  # noqa: S311 - pauses, no secrets


class ReconnectingConnection:
    """See `mqctl.adapters.base.Connection`, which this implements.

    `ack` and `nack` do nothing for a message that came over a connection since lost: the broker delivers it again.
    """

    def __init__(self, adapter: Adapter, target: Target, sink: EventSink, rng: random.Random) -> None:
        within_s, pause_max_s, _ = target.reconnect
        self._adapter = adapter
        self._target = target
        self._sink = sink
        self._backoff = Backoff(Policy(within_s=within_s, pause_max_s=pause_max_s), rng)
        self._specs: dict[SubscriptionId, SubscribeSpec] = {}
        self._repeats = Repeats()
        self._numbers = count(1)
        self._past = ConnectionStats(0, 0, 0, 0)
        self._line: Line | None = None
        """What carries calls now; None during an outage and at the end."""
        self._last_line: Line | None = None
        """The one that was lost for good; `close` frees what it holds."""
        self._over: Disconnected | None = None
        self._sink_failed = False
        self._lost = ""
        """Why the last connection was lost."""
        self._told = ""
        """Why the last try failed, where that was told."""
        self._resumer: threading.Thread | None = None
        self._closing = threading.Event()
        self._subscribing = threading.Lock()
        self._telling = threading.RLock()
        """Held while the sink is called, ahead of `_changed` where both are needed."""
        self._changed = threading.Condition()
        """Guards `_line` and `_over`."""
        line = self._open(target)
        self.greeting = line.connection.greeting
        self._adopt(line, lambda events: events)

    def submit(self, message: Outgoing, *, confirmation: Confirmation = Confirmation.BROKER) -> PendingPublish:
        """See `Connection.submit`; waits for a connection as long as one is sought."""
        line = self._line or self._next_line(None)
        if line is None:
            return Settled(Unknown(self._end_reason(), UnknownCause.LOST))
        return line.connection.submit(message, confirmation=confirmation)

    def subscribe(self, spec: SubscribeSpec, *, timeout_s: float) -> SubscriptionId:
        """See `Connection.subscribe`."""
        outer = SubscriptionId(str(next(self._numbers)))

        def subscribe(line: Line, left_s: float) -> None:
            with self._subscribing:
                self._subscribe(line, outer, spec, left_s)

        def remember() -> None:
            self._specs[outer] = spec

        self._on_a_line("subscribe", subscribe, remember, timeout_s)
        return outer

    def unsubscribe(self, subscription: SubscriptionId, *, timeout_s: float, forget: bool = False) -> None:
        """See `Connection.unsubscribe`."""

        def unsubscribe(line: Line, left_s: float) -> None:
            line.connection.unsubscribe(line.inner(subscription), timeout_s=left_s, forget=forget)
            line.forget(subscription)

        self._on_a_line("unsubscribe", unsubscribe, lambda: self._specs.pop(subscription, None), timeout_s)

    def _on_a_line(
        self, what: str, act: Callable[[Line, float], None], then: Callable[[], object], timeout_s: float
    ) -> None:
        """Act on a connection, and again on the next one if that was lost before `then` could be noted."""
        deadline = time.monotonic() + timeout_s
        line: Line | None = None
        while True:
            line = self._next_line(line, deadline)
            if line is None:
                if self._is_over():
                    raise ConnectionLost(f"there is no connection to {what}: {self._end_reason()}")
                lost = f"; the last was lost: {self._lost}" if self._lost else ""
                raise OperationTimeout(f"there was no connection to {what} within {timeout_s:g} s{lost}")
            try:
                act(line, deadline - time.monotonic())
            except ConnectionLost:
                continue
            with self._changed:
                if not line.gone:
                    then()
                    return

    def ack(self, token: AckToken) -> None:
        """See `Connection.ack`."""
        self._acknowledge(token, "ack")

    def nack(self, token: AckToken) -> None:
        """See `Connection.nack`."""
        self._acknowledge(token, "nack")

    def _acknowledge(self, token: AckToken, verb: str) -> None:
        line, inner = stamped(token, self)
        if self._is_over():
            raise ConnectionLost(self._end_reason())
        try:
            getattr(line.connection, verb)(inner)
        except ConnectionLost:
            if self._is_over():
                raise

    def begin(self) -> Transaction:
        """See `Connection.begin`; waits for a connection as long as one is sought."""
        line = self._line or self._next_line(None)
        if line is None:
            raise ConnectionLost(self._end_reason())
        return LineTransaction(line, line.connection.begin())

    def stats(self) -> ConnectionStats:
        """See `Connection.stats`; of all connections together."""
        line = self._line
        return self._past if line is None else added(self._past, line.connection.stats())

    def close(self, *, timeout_s: float = 5.0) -> None:
        """See `Connection.close`; ends an outage at once."""
        with self._changed:
            self._closing.set()
            line = self._line or self._last_line
            self._changed.notify_all()
        if line is not None:
            line.connection.close(timeout_s=timeout_s)
        self._end(Disconnected(time.monotonic_ns(), True, "closed"))
        if self._resumer is not None and not self._is_resumer():
            self._resumer.join(_JOIN_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _is_over(self) -> bool:
        return self._over is not None or self._closing.is_set()

    def _end_reason(self) -> str:
        return "closed" if self._over is None else self._over.reason

    def _is_resumer(self) -> bool:
        return threading.current_thread() is self._resumer

    def _next_line(self, after: Line | None, deadline: float | None = None) -> Line | None:
        """Wait for a connection other than `after`; None at the end of all, or past the deadline."""
        refuse_in_sink(self._is_resumer())
        with self._changed:
            self._changed.wait_for(
                lambda: self._is_over() or self._line not in (None, after),
                None if deadline is None else deadline - time.monotonic(),
            )
            return None if self._is_over() or self._line is after else self._line

    def _open(self, target: Target) -> Line:
        line = Line(self, self._repeats)
        line.connection = self._adapter.connect(target, sink=functools.partial(self._take, line))
        return line

    def _subscribe(self, line: Line, outer: SubscriptionId, spec: SubscribeSpec, timeout_s: float) -> None:
        with self._telling:
            line.hold()
        try:
            line.name(line.connection.subscribe(spec, timeout_s=timeout_s), outer)
        finally:
            with self._telling:
                self._pass_on(line, line.let_go())

    def _take(self, line: Line, events: Sequence[ConnectionEvent]) -> None:
        """The sink of a connection, called from its thread."""
        with self._telling:
            self._pass_on(line, line.passing(events))

    def _pass_on(self, line: Line, events: list[ConnectionEvent]) -> None:
        if events and isinstance(events[-1], Disconnected):
            self._tell(events[:-1])
            self._lose(line, events[-1])
        else:
            self._tell(events)

    def _tell(self, events: list[ConnectionEvent]) -> None:
        if not events or self._over is not None:
            return
        try:
            self._sink(events)
        except Exception:
            # The transport ends the connection for this, and another one would end no better.
            self._sink_failed = True
            raise

    def _end(self, last: Disconnected) -> None:
        with self._telling:
            if self._over is None:
                with contextlib.suppress(Exception):
                    self._tell([last])
                with self._changed:
                    self._over = last
                    self._line = None
                    self._changed.notify_all()

    def _lose(self, line: Line, event: Disconnected) -> None:
        with self._changed:
            line.gone = True
            if self._line is not line:
                return
            self._line = None
            self._past = added(self._past, line.connection.stats())
            self._lost = event.reason
        if event.expected or event.error is not None or self._sink_failed or self._closing.is_set():
            self._last_line = line
            self._end(event)
            return
        self._repeats.connection_lost()
        self._backoff.lost(event.at_ns)
        left_s = self._backoff.left_s(event.at_ns)
        if left_s > 0:
            self._tell([Interrupted(event.at_ns, event.reason, left_s)])
        self._resumer = threading.Thread(target=self._resume, args=(line, event), name="mqctl.reconnect", daemon=True)
        self._resumer.start()

    def _resume(self, lost: Line, event: Disconnected) -> None:
        """Seek another connection until there is one, or there cannot be one, or the time is over."""
        try:
            lost.connection.close(timeout_s=0.0)
            last = self._seek(event)
        except Exception as error:  # noqa: BLE001 - the thread must not end in silence
            last = Disconnected(time.monotonic_ns(), False, f"{event.reason}; reconnecting failed: {error!r}")
        if last is not None:
            self._end(last)

    def _seek(self, lost: Disconnected) -> Disconnected | None:
        attempts, latest = 0, ""
        while (pause_s := self._backoff.pause_s(time.monotonic_ns())) is not None:
            if self._closing.wait(pause_s):
                return None
            attempts += 1
            try:
                line = self._open_again()
            except MqctlError as error:
                if not (self._target.reconnect.stubborn or self._may_pass(error)):
                    return Disconnected(time.monotonic_ns(), False, f"{lost.reason}; and then: {error}", error)
                self._tell_why(error)
                latest = f" and {attempts} tries; the last: {error}"
            else:
                self._adopt_again(line, lost.at_ns, attempts)
                return None
        gave_up = f"gave up after {format_duration(self._target.reconnect.within_s)}"
        return Disconnected(time.monotonic_ns(), False, f"{lost.reason}; {gave_up}{latest or _NONE_LASTED}")

    def _tell_why(self, error: MqctlError) -> None:
        """Whoever goes on although the broker answers says what is in the way."""
        reason = str(error)
        nobody = isinstance(error, ConnectError | OperationTimeout) and self._may_pass(error)
        if not nobody and reason != self._told:
            self._told = reason
            with self._telling:
                self._tell([Fault(time.monotonic_ns(), reason)])

    def _open_again(self) -> Line:
        """A connection with every subscription, in the order in which they were made."""
        left_s = max(self._backoff.left_s(time.monotonic_ns()), _LAST_TRY_S)
        line = self._open(target_after(self._target, self.greeting.peer, left_s))
        try:
            for outer, spec in self._specs.items():
                line.name(line.connection.subscribe(spec, timeout_s=min(SUBSCRIBE_TIMEOUT_S, left_s)), outer)
        except BaseException:
            line.connection.close(timeout_s=0.0)
            raise
        return line

    def _adopt_again(self, line: Line, lost_ns: int, attempts: int) -> None:
        now_ns = time.monotonic_ns()
        self._backoff.resumed(now_ns)
        self._told = ""
        self.greeting = line.connection.greeting
        first: list[ConnectionEvent] = [Resumed(now_ns, self.greeting.peer, attempts, now_ns - lost_ns)]
        if self._specs and (lack := session_forgotten(self._target, self.greeting)):
            first.append(Fault(now_ns, lack))
        self._adopt(line, lambda events: first + [each for each in events if not isinstance(each, Connected)])
        if self._closing.is_set():
            line.connection.close(timeout_s=0.0)

    def _adopt(self, line: Line, told: Callable[[list[ConnectionEvent]], list[ConnectionEvent]]) -> None:
        """Let calls go over this connection, and what it held back to the sink, as `told` makes it."""
        with self._telling:
            with self._changed:
                self._line = line
                self._changed.notify_all()
            self._pass_on(line, told(line.let_go()))

    def _may_pass(self, error: MqctlError) -> bool:
        """Whether the same may work later. A broker takes a client id for used until it has noticed our loss."""
        match error:
            case TlsError():
                return not isinstance(error.__cause__, ssl.SSLCertVerificationError)
            case UnsupportedError():
                return False
            case RefusedError():
                return self._target.client_id is not None
            case _:
                return isinstance(error, ConnectError | OperationTimeout)
