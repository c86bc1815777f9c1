"""A consumer: puts down what comes in the thread that brought it, and acknowledges in another."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from mqctl.adapters.base import Connection, SubscribeSpec
from mqctl.errors import ConnectionLost as LostConnection
from mqctl.experiments.book import Book, Due
from mqctl.experiments.events import Acked, ConnectionLost, ConnectionResumed, Delivered, Event, Requeued
from mqctl.experiments.plan import Break, ConsumerPlan
from mqctl.experiments.planting import Planter
from mqctl.laboratory.tally import Tally
from mqctl.measurement.stamp import Mark
from mqctl.model import (
    AckMode,
    AckToken,
    Confirmed,
    ConnectionEvent,
    Delivery,
    Disconnected,
    Fault,
    Interrupted,
    Resumed,
    SubscriptionId,
)

SUBSCRIBE_TIMEOUT_S: Final = 10.0
COMMIT_TIMEOUT_S: Final = 10.0

REST_S: Final = 0.05
"""After so much silence, what waits to be acknowledged in a batch is acknowledged without one."""

AWAY: Final = "it is away until all was sent"


class Consumer:
    """One consumer.

    Attributes:
        away: Whether it lost its connection, and seeks another.
        lost: Why its connection is gone for good.
        doomed: Whether that is what the plan wants.
        complaints: What the broker complained about.
        subscription: By which its messages come.
        most: How many messages waited at most to be acknowledged, of one that takes its time.

    Args:
        plan: What it is to do.
        names: Of the streams, by number.
        read: Reads the payloads.
        put: Takes what happens.
        tally: Counts what came, for it or its group.
        planter: Spoils its record.
    """

    def __init__(
        self,
        plan: ConsumerPlan,
        *,
        names: Sequence[str],
        read: Callable[[bytes], Mark | None],
        put: Callable[[Event], None],
        tally: Tally,
        planter: Planter,
    ) -> None:
        self.plan = plan
        self.tally = tally
        self.away = False
        self.lost: str | None = None
        self.doomed = plan.trouble is not None and plan.trouble.how is Break.KILL
        self.complaints: list[str] = []
        self.most = 0
        self.subscription: SubscriptionId | None = None
        self.planter = planter
        self._put = put
        self._due: queue.SimpleQueue[Due[AckToken] | None] = queue.SimpleQueue()
        self._book: Book[AckToken] = Book(plan, planter, names=names, read=read, put=put, owe=self._due.put)
        self._recording = threading.RLock()
        self._thread: threading.Thread | None = None
        self._withholds = plan.withholds
        self._transactions = 0
        self._aborts = plan.abort_every > 0
        self._announced = False

    @property
    def spec(self) -> SubscribeSpec:
        """What it subscribes to, and how."""
        plan = self.plan
        return SubscribeSpec(
            topic=plan.topic,
            ack_mode=plan.ack,
            prefetch=plan.prefetch,
            durable=plan.owner if plan.durable else None,
            qos=plan.qos,
            shared=plan.shared,
            headers=plan.headers,
        )

    def announce(self) -> None:
        """Tell that what is published from now on is for it."""
        self._announced = True
        self._book.subscribed(time.monotonic_ns())

    def leave(self) -> None:
        """Tell that it is away."""
        self._book.tell(ConnectionLost(self.plan.name, time.monotonic_ns(), AWAY))

    def withhold(self) -> None:
        """Acknowledge nothing until its connection was broken: what it holds by then was certainly not acknowledged."""
        self._withholds = True

    def relent(self) -> None:
        """Acknowledge what was withheld."""
        self._withholds = False

    def begin(self, connection: Connection) -> None:
        """Subscribe on a connection whose sink this is.

        Raises:
            MqctlError: As `Connection.subscribe`.
        """
        plan = self.plan
        if plan.ack is not AckMode.AUTO:
            name = f"mqctl.laboratory.{plan.name}"
            self._thread = threading.Thread(target=self._acknowledge, args=(connection,), name=name, daemon=True)
            self._thread.start()
        # Messages may come before the broker's answer does; whose they are must be known by then.
        if self._announced:
            self._book.tell(ConnectionResumed(plan.name, time.monotonic_ns()))
        else:
            self.announce()
        self.subscription = connection.subscribe(self.spec, timeout_s=SUBSCRIBE_TIMEOUT_S)

    def settle(self) -> None:
        """Put down what was held back: nothing more comes."""
        with self._recording:
            self._book.finish(time.monotonic_ns())

    def end(self) -> None:
        """Acknowledge what waits, and no more."""
        if self._thread is not None:
            self._due.put(None)
            self._thread.join()

    def __call__(self, events: Sequence[ConnectionEvent]) -> None:
        """The sink of its connection."""
        for event in events:
            match event:
                case Delivery():
                    self._deliver(event)
                case Interrupted(at_ns=at_ns, reason=reason):
                    self.away = True
                    self._abort_no_more()
                    self.settle()
                    self._book.tell(ConnectionLost(self.plan.name, at_ns, reason))
                case Resumed(at_ns=at_ns):
                    self.away = self._withholds = False
                    self.tally.touch(at_ns)
                    self._book.tell(ConnectionResumed(self.plan.name, at_ns))
                case Disconnected(expected=False, at_ns=at_ns, reason=reason):
                    self.settle()
                    self.lost = reason
                    self._book.tell(ConnectionLost(self.plan.name, at_ns, reason))
                case Fault(reason=reason):
                    self.complaints.append(reason)
                case _:
                    pass

    def _deliver(self, delivery: Delivery) -> None:
        if self.plan.silent:
            return
        with self._recording:
            mark = self._book.came(
                delivery.payload, delivery.ack, delivery.received_ns, redelivered=bool(delivery.redelivered)
            )
        if mark is not None:
            self.tally.add(mark.publisher, mark.sequence, delivery.received_ns)

    def _acknowledge(self, connection: Connection) -> None:
        """The acknowledging thread."""
        waiting: list[Due[AckToken]] = []
        while True:
            try:
                due = self._due.get(timeout=REST_S if waiting else None)
            except queue.Empty:
                self._settle(connection, waiting)
                continue
            if due is None:
                self._settle(connection, waiting)
                return
            waiting.append(due)
            if self.plan.pause_s:
                time.sleep(self.plan.pause_s)
                self.most = max(self.most, len(waiting) + self._due.qsize())
            if len(waiting) >= self.plan.ack_batch:
                self._settle(connection, waiting)

    def _settle(self, connection: Connection, waiting: list[Due[AckToken]]) -> None:
        if self._withholds:
            return
        given_back, refused, done = self._book.settling(waiting)
        # The record first: what the broker does next may come before this thread could tell.
        with contextlib.suppress(LostConnection):
            self._book.refused(given_back, time.monotonic_ns())
            for token in refused:
                connection.nack(token)
            if self.plan.abort_every:
                self._ack_together(connection, done)
            else:
                for token in self._book.acked(done, time.monotonic_ns()):
                    connection.ack(token)
        waiting.clear()

    def _ack_together(self, connection: Connection, done: Sequence[Due[AckToken]]) -> None:
        """In a transaction. What is spoiled is acknowledged for sure: it is not to come again."""
        for due in done:
            if due.event is None:
                connection.ack(due.token)
        told = [(due.token, due.event) for due in done if due.event is not None]
        transaction = connection.begin()
        aborted = self._gives_back(event for _, event in told)
        within: list[Delivered] = []
        for token, event in told:
            if not aborted:
                self._put(Acked(event.consumer, event.producer, event.n, time.monotonic_ns()))
            # What came over a connection since lost comes again.
            with contextlib.suppress(LostConnection):
                transaction.ack(token)
                within.append(event)
        if aborted:
            transaction.abort()
        elif isinstance(transaction.commit().outcome(COMMIT_TIMEOUT_S), Confirmed):
            for event in within:
                self._put(Acked(event.consumer, event.producer, event.n, time.monotonic_ns(), confirmed=True))

    def _gives_back(self, events: Iterable[Delivered]) -> bool:
        """Whether the next transaction is to be aborted; then that is put down, before a loss of the connection is."""
        with self._recording:
            self._transactions += 1
            if not self._aborts or self._transactions % self.plan.abort_every:
                return False
            for event in events:
                self._put(Requeued(event.consumer, event.producer, event.n, time.monotonic_ns()))
            return True

    def _abort_no_more(self) -> None:
        with self._recording:
            self._aborts = False


class Company:
    """The sink of consumers that share a connection: a message is for who subscribed, all else for everybody."""

    def __init__(self, members: Sequence[Consumer]) -> None:
        self._members = members

    def __call__(self, events: Sequence[ConnectionEvent]) -> None:
        """Take what happened."""
        for event in events:
            for member in self._members:
                if not isinstance(event, Delivery) or event.subscription == member.subscription:
                    member((event,))
