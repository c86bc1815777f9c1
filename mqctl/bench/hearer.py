"""One subscriber: enters what comes in its books, and acknowledges it where that was asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from mqctl.adapters.base import Connection
from mqctl.adapters.inbox import DEFAULT_LIMIT, Inbox
from mqctl.bench.messages import Job
from mqctl.errors import ConnectionLost
from mqctl.measurement.histogram import Buckets
from mqctl.measurement.listening import Heard, Listening
from mqctl.measurement.stamp import reader
from mqctl.model import AckMode, ConnectionEvent, Delivery, Disconnected, Fault, Overflowed

REST_S = 0.05
"""How often the inbox is looked into where nobody waits for an acknowledgement: times are stamped before."""

PATIENCE_S = 0.1
"""How long a wait for messages may overlook that the run is over."""


class Hearer:
    """A subscriber on a thread of its own.

    Args:
        ear: Its own connection, subscribed, and where its events are.
        job: Of its worker.
        subscriber: Its number.
        clocked: For each publisher, whether its clock is ours.
        start_ns: When the run begins.
        remark: Told of complaints.
    """

    def __init__(
        self,
        ear: tuple[Connection, Inbox],
        job: Job,
        subscriber: int,
        clocked: Sequence[bool],
        *,
        start_ns: int,
        remark: Callable[[str], None],
    ) -> None:
        self._connection, self._inbox = ear
        self._ack = job.ack
        self._remark = remark
        load = job.load
        self._books = Listening(
            subscriber,
            reader(load.run, load.size),
            clocked,
            shared=load.shared,
            from_ns=start_ns + load.warmup_ns,
        )
        self._name = f"subscriber {subscriber}"
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"mqctl.bench.{self._name}", daemon=True)
        self.error: BaseException | None = None
        """What no broker's answer can explain: a bug."""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    @property
    def came(self) -> int:
        """Messages of this run so far."""
        return self._books.came

    @property
    def corrected(self) -> Buckets:
        """How long they took so far."""
        return self._books.corrected.buckets()

    def end(self) -> None:
        """Take in what is there, and no more."""
        self._ended.set()

    def join(self, timeout_s: float) -> None:
        """Wait for the thread."""
        self._thread.join(timeout_s)

    def result(self) -> Heard:
        """The books."""
        return self._books.result()

    def _run(self) -> None:
        try:
            while not self._ended.is_set():
                self._take_in(self._events())
            self._take_in(self._inbox.take(0, DEFAULT_LIMIT))
        except Exception as error:  # noqa: BLE001 - told by the worker
            self.error = error

    def _events(self) -> list[ConnectionEvent]:
        if self._ack is AckMode.AUTO:
            self._ended.wait(REST_S)
            return self._inbox.take(0, DEFAULT_LIMIT)
        return self._inbox.take(PATIENCE_S)

    def _take_in(self, events: list[ConnectionEvent]) -> None:
        deliveries = [event for event in events if isinstance(event, Delivery)]
        self._books.take_in(deliveries)
        self._acknowledge(deliveries)
        if len(deliveries) < len(events):
            self._heed(events)

    def _acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        done = deliveries if self._ack is AckMode.INDIVIDUAL else deliveries[-1:]
        try:
            for delivery in done:
                if delivery.ack is not None:
                    self._connection.ack(delivery.ack)
        except ConnectionLost:
            pass  # The inbox says so too, with the reason.

    def _heed(self, events: Sequence[ConnectionEvent]) -> None:
        for event in events:
            match event:
                case Disconnected(expected=False, reason=reason):
                    self._books.lost_connection = f"{self._name}: connection lost: {reason}"
                case Overflowed(dropped=dropped):
                    self._books.dropped += dropped
                case Fault(reason=reason):
                    self._remark(f"the broker says: {reason}")
                case _:
                    pass
