"""Subscribers: what comes is entered in their books, and acknowledged where that was asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from mqctl.adapters.base import Connection
from mqctl.adapters.inbox import DEFAULT_LIMIT, Inbox
from mqctl.bench.messages import Job
from mqctl.errors import ConnectionLost
from mqctl.measurement.histogram import Buckets, merged
from mqctl.measurement.listening import Heard, Listening
from mqctl.measurement.stamp import reader
from mqctl.model import AckMode, ConnectionEvent, Delivery, Disconnected, Fault, Overflowed

REST_S = 0.05
"""How often the inbox is looked into where nobody waits for an acknowledgement: times are stamped before."""

PATIENCE_S = 0.1
"""How long a wait for messages may overlook that the run is over."""


class Ear:
    """The books of one subscriber, and what it answers.

    Args:
        line: Its own connection, subscribed, and where its events are.
        job: Of its worker.
        subscriber: Its number.
        clocked: For each publisher, whether its clock is ours.
        start_ns: When the run begins.
        remark: Told of complaints.
    """

    def __init__(
        self,
        line: tuple[Connection, Inbox],
        job: Job,
        subscriber: int,
        clocked: Sequence[bool],
        *,
        start_ns: int,
        remark: Callable[[str], None],
    ) -> None:
        self._connection, self._inbox = line
        self._ack = job.ack
        self._remark = remark
        load = job.load
        self.books = Listening(
            subscriber,
            reader(load.run, load.size),
            clocked,
            shared=load.shared,
            from_ns=start_ns + load.warmup_ns,
        )
        self.name = f"subscriber {subscriber}"

    def take_in(self, patience_s: float) -> None:
        """Enter what is there; with patience, what comes next."""
        events = self._inbox.take(patience_s) if patience_s else self._inbox.take(0, DEFAULT_LIMIT)
        deliveries = [event for event in events if isinstance(event, Delivery)]
        self.books.take_in(deliveries)
        self._acknowledge(deliveries)
        if len(deliveries) < len(events):
            self._heed(events)

    def _acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        done = deliveries if self._ack is AckMode.INDIVIDUAL else deliveries[-1:]
        # The inbox tells of a loss too, with its reason, and `_heed` enters that in the books.
        with suppress(ConnectionLost):
            for delivery in done:
                if delivery.ack is not None:
                    self._connection.ack(delivery.ack)

    def _heed(self, events: Sequence[ConnectionEvent]) -> None:
        for event in events:
            match event:
                case Disconnected(expected=False, reason=reason):
                    self.books.lost_connection = f"{self.name}: connection lost: {reason}"
                case Overflowed(dropped=dropped):
                    self.books.dropped += dropped
                case Fault(reason=reason):
                    self._remark(f"the broker says: {reason}")
                case _:
                    pass


class Hearer:
    """Subscribers on a thread of their own.

    Args:
        ears: Several where nobody waits for an acknowledgement: a thread for each would leave no time for the messages.
        waiting: Whether to wait for each message, so that its acknowledgement does not; then there is one ear.
    """

    def __init__(self, ears: Sequence[Ear], *, waiting: bool) -> None:
        self._ears = ears
        self._waiting = waiting
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"mqctl.bench.{ears[0].name}", daemon=True)
        self.error: BaseException | None = None
        """What no broker's answer can explain: a bug."""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    @property
    def came(self) -> int:
        """Messages of this run so far."""
        return sum(ear.books.came for ear in self._ears)

    @property
    def corrected(self) -> Buckets:
        """How long they took so far."""
        return merged(ear.books.corrected.buckets() for ear in self._ears).buckets()

    def end(self) -> None:
        """Take in what is there, and no more."""
        self._ended.set()

    def join(self, timeout_s: float) -> None:
        """Wait for the thread."""
        self._thread.join(timeout_s)

    def results(self) -> tuple[Heard, ...]:
        """The books."""
        return tuple(ear.books.result() for ear in self._ears)

    def _run(self) -> None:
        try:
            while not self._ended.is_set():
                if not self._waiting:
                    self._ended.wait(REST_S)
                for ear in self._ears:
                    ear.take_in(PATIENCE_S if self._waiting else 0)
            for ear in self._ears:
                ear.take_in(0)
        except Exception as error:  # noqa: BLE001 - told by the worker
            self.error = error
