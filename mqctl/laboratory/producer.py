"""A producer: sends its streams in turn, and puts down what becomes of every message."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from mqctl.adapters.base import Connection, PendingPublish, Transaction
from mqctl.experiments.events import Confirmed, ConnectionLost, ConnectionResumed, Event, Publish, Rejected, Unknown
from mqctl.experiments.plan import ProducerPlan
from mqctl.measurement.load import NS_PER_S
from mqctl.measurement.ranges import Ranges
from mqctl.measurement.stamp import Mark
from mqctl.model import Confirmation, ConnectionEvent, Disconnected, Fault, Interrupted, Outgoing, Resumed
from mqctl.model import Confirmed as IsConfirmed
from mqctl.model import Rejected as IsRejected
from mqctl.model import Unknown as IsUnknown

OPEN_IN_FLIGHT: Final = 100_000
"""Messages that an open loop may have unconfirmed: only memory bounds it, or it would be a closed loop."""

CONFIRM_TIMEOUT_S: Final = 10.0
NAP_S: Final = 0.1
"""How long a wait may overlook that the run is over."""


class _Sent(NamedTuple):
    stream: int
    n: int
    begun_ns: int


class _Flight(NamedTuple):
    stream: int
    n: int
    begun_ns: int
    publish: PendingPublish


class Producer:
    """One producer, on a thread of its own.

    Attributes:
        confirmed: The messages of each of its streams that were, by the stream's number.
        handed_over: Those that nobody confirms, and that are on their way.
        attempted: Messages begun so far.
        held: Whether it is to wait for those who receive.
        unknown: Messages of which nobody knows whether the broker has them.
        complaints: What the broker complained about.
        lost: Why its connection is gone for good.
        error: What no broker's answer can explain: a wrong option, a bug.

    Args:
        plan: What it is to do.
        first: The number of its first stream.
        payload: Makes payloads.
        put: Takes what happens.
        every_ns: From one message to the next; None is as fast as confirmations come.
        rng: Draws when within its interval each message is due, so that several producers overtake each other.
    """

    def __init__(
        self,
        plan: ProducerPlan,
        *,
        first: int,
        payload: Callable[[Mark], bytes],
        put: Callable[[Event], None],
        every_ns: float | None,
        rng: random.Random,
    ) -> None:
        self.plan = plan
        self.first = first
        self.confirmed: Sequence[Ranges] = [Ranges() for _ in plan.streams]
        self.attempted = self.unknown = 0
        self.held = False
        self.handed_over: Sequence[Ranges] = [Ranges() for _ in plan.streams]
        self.complaints: list[str] = []
        self.lost: str | None = None
        self.error: BaseException | None = None
        self._payload = payload
        self._put = put
        self._every_ns = every_ns
        self._rng = rng
        self._limit = plan.in_flight if every_ns is None else OPEN_IN_FLIGHT
        self._flights: deque[_Flight] = deque()
        self._transaction: Transaction | None = None
        self._uncommitted: list[_Sent] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(name=f"mqctl.laboratory.{plan.name}", daemon=True)

    def __call__(self, events: Sequence[ConnectionEvent]) -> None:
        """The sink of its connection."""
        for event in events:
            match event:
                case Interrupted(at_ns=at_ns, reason=reason):
                    self._put(ConnectionLost(self.plan.name, at_ns, reason))
                case Resumed(at_ns=at_ns):
                    self._put(ConnectionResumed(self.plan.name, at_ns))
                case Disconnected(expected=False, at_ns=at_ns, reason=reason):
                    self.lost = reason
                    self._put(ConnectionLost(self.plan.name, at_ns, reason))
                case Fault(reason=reason):
                    self.complaints.append(reason)
                case _:
                    pass

    def begin(self, connection: Connection, start_ns: int) -> None:
        """Send, from then on."""
        self._thread = threading.Thread(
            target=self._guarded, args=(connection, start_ns), name=self._thread.name, daemon=True
        )
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether everything is sent and settled."""
        return not self._thread.is_alive()

    def sent(self) -> Iterator[tuple[int, int]]:
        """Of each of its streams, how many messages the broker has, as far as the transport can tell."""
        for number, both in enumerate(zip(self.confirmed, self.handed_over, strict=True), self.first):
            yield number, sum(each.count() for each in both)

    def end(self) -> None:
        """Send no more, and wait for nothing."""
        self._ended.set()

    def join(self) -> None:
        """Wait for the thread, which has nothing more to wait for."""
        if self._thread.ident is not None:
            self._thread.join()

    def _guarded(self, connection: Connection, start_ns: int) -> None:
        try:
            self._run(connection, start_ns)
        except Exception as error:  # noqa: BLE001 - told by the run
            self.error = error

    def _run(self, connection: Connection, start_ns: int) -> None:
        for turn in range(self.plan.count):
            due_ns = self._due_ns(turn, start_ns)
            self._wait_for_room(due_ns)
            if self._ended.is_set() or self.lost is not None:
                break
            self._send(connection, turn, due_ns)
            while self._flights and self._flights[0].publish.done():
                self._settle(0.0)
        self._commit()
        while self._flights and not self._ended.is_set():
            self._settle(NAP_S)

    def _due_ns(self, turn: int, start_ns: int) -> int | None:
        if self._every_ns is None:
            return None
        return start_ns + round((turn + self._rng.random()) * self._every_ns)

    def _wait_for_room(self, due_ns: int | None) -> None:
        while due_ns is not None and (left_ns := due_ns - time.monotonic_ns()) > 0 and not self._ended.is_set():
            self._rest(min(left_ns / NS_PER_S, NAP_S))
        while self.held and not self._ended.is_set():
            self._rest(NAP_S)
        while len(self._flights) >= self._limit and not self._ended.is_set():
            self._settle(NAP_S)

    def _rest(self, seconds: float) -> None:
        if self._flights:
            self._settle(seconds)
        else:
            self._ended.wait(seconds)

    def _send(self, connection: Connection, turn: int, due_ns: int | None) -> None:
        plan = self.plan
        index, n = plan.message(turn)
        stream = plan.streams[index]
        now_ns = time.monotonic_ns()
        intended_ns = now_ns if due_ns is None else due_ns
        payload = self._payload(Mark(1, self.first + index, n, intended_ns, now_ns))
        # Before it can arrive anywhere, or its arrival might stand first.
        self._put(Publish(stream.name, n, stream.label, intended_ns, now_ns))
        self.attempted += 1
        message = Outgoing(
            topic=stream.topic, payload=payload, headers=stream.headers, persistent=plan.persistent, qos=plan.qos
        )
        if plan.transaction:
            self._send_within(connection, message, _Sent(index, n, now_ns))
        else:
            self._flights.append(_Flight(index, n, now_ns, connection.submit(message)))

    def _send_within(self, connection: Connection, message: Outgoing, sent: _Sent) -> None:
        """As a part of a transaction, whose fate is that of its messages."""
        self._transaction = self._transaction or connection.begin()
        self._transaction.submit(message)
        self._uncommitted.append(sent)
        if len(self._uncommitted) == self.plan.transaction:
            self._commit()

    def _commit(self) -> None:
        if self._transaction is None:
            return
        publish, self._transaction = self._transaction.commit(), None
        self._flights.extend(_Flight(*sent, publish) for sent in self._uncommitted)
        self._uncommitted.clear()

    def _settle(self, patience_s: float) -> None:
        """Learn the fate of the oldest message in flight, or wait for it so long."""
        flight = self._flights[0]
        late = time.monotonic_ns() - flight.begun_ns > CONFIRM_TIMEOUT_S * NS_PER_S
        outcome = flight.publish.outcome(patience_s)
        if not flight.publish.done() and not late:
            return
        self._flights.popleft()
        name, now_ns = self.plan.streams[flight.stream].name, time.monotonic_ns()
        match outcome:
            case IsConfirmed(level=level) if level >= Confirmation.BROKER:
                self.confirmed[flight.stream].add(flight.n, flight.n + 1)
                self._put(Confirmed(name, flight.n, now_ns))
            case IsConfirmed():
                # As far as the transport can tell, which is less than that the broker has it.
                self.handed_over[flight.stream].add(flight.n, flight.n + 1)
            case IsRejected(reason=reason):
                self._put(Rejected(name, flight.n, now_ns, reason))
            case IsUnknown(reason=reason):
                self.unknown += 1
                self._put(Unknown(name, flight.n, now_ns, reason))
