"""One publisher: sends by its schedule, and follows every message until its fate is known."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import NamedTuple

from mqctl.adapters.base import Connection, PendingPublish
from mqctl.bench.messages import Job
from mqctl.durations import format_duration
from mqctl.measurement.load import NS_PER_S, Due, schedule_of
from mqctl.measurement.sending import Sending, Sent
from mqctl.measurement.stamp import Mark, writer
from mqctl.model import Confirmation, Outgoing, Unknown, UnknownCause

OPEN_IN_FLIGHT = 100_000
"""Messages that an open loop may have unconfirmed: only memory bounds it, or it would be a closed loop."""

NAP_S = 0.1
"""How long a wait may overlook that the run is over."""


class _Flight(NamedTuple):
    sequence: int
    begun_ns: int
    measured: bool
    publish: PendingPublish


class Sender:
    """A publisher on a thread of its own.

    Args:
        connection: Its own.
        job: Of its worker.
        publisher: Its number.
        start_ns: When the run begins.
    """

    def __init__(self, connection: Connection, job: Job, publisher: int, start_ns: int) -> None:
        self._connection = connection
        self._job = job
        self._publisher = publisher
        self._schedule = schedule_of(job.load, publisher, start_ns)
        self._books = Sending(publisher, start_ns + job.load.warmup_ns)
        self._payload = writer(job.load.run, job.load.size)
        self._limit = job.load.in_flight if job.load.rate is None else OPEN_IN_FLIGHT
        self._timeout_ns = round(job.confirm_timeout_s * NS_PER_S)
        self._in_flight: deque[_Flight] = deque()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"mqctl.bench.publisher[{publisher}]", daemon=True)
        self.error: BaseException | None = None
        """What no broker's answer can explain: a wrong option, a bug."""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether everything is sent and settled."""
        return not self._thread.is_alive()

    @property
    def attempted(self) -> int:
        """Messages begun so far."""
        return self._books.attempted

    def end(self) -> None:
        """Send no more, and wait for nothing."""
        self._ended.set()

    def join(self, timeout_s: float) -> None:
        """Wait for the thread."""
        self._thread.join(timeout_s)

    def result(self) -> Sent:
        """The books."""
        return self._books.result()

    def _run(self) -> None:
        try:
            while not self._ended.is_set() and (due := self._schedule(time.monotonic_ns())) is not None:
                if self._wait_until(due.at_ns):
                    self._send(due)
                    self._settle_known()
            while self._in_flight and not self._ended.is_set():
                self._settle(NAP_S)
            self._settle_known()
        except Exception as error:  # noqa: BLE001 - told by the worker
            self.error = error

    def _wait_until(self, due_ns: int) -> bool:
        """Wait for the time of a message with an eye on those before; whether it is to be sent at all."""
        while (left_ns := due_ns - time.monotonic_ns()) > 0 and not self._ended.is_set():
            self._rest(left_ns / NS_PER_S)
        while len(self._in_flight) >= self._limit and not self._ended.is_set():
            self._settle(NAP_S)
        return not self._ended.is_set()

    def _rest(self, seconds: float) -> None:
        if self._in_flight:
            self._settle(min(seconds, NAP_S))
        else:
            self._ended.wait(seconds)

    def _send(self, due: Due) -> None:
        now_ns = time.monotonic_ns()
        intended_ns = due.at_ns if self._job.load.rate is not None else now_ns
        sequence = self._books.begin(due._replace(at_ns=intended_ns), now_ns)
        payload = self._payload(Mark(due.measured, self._publisher, sequence, intended_ns, now_ns))
        publish = self._connection.submit(self._outgoing(payload), confirmation=self._job.confirm)
        self._books.handed_over(time.monotonic_ns() - now_ns)
        self._in_flight.append(_Flight(sequence, now_ns, due.measured, publish))

    def _outgoing(self, payload: bytes) -> Outgoing:
        job = self._job
        return Outgoing(topic=job.topic, payload=payload, persistent=job.persistent, qos=job.qos, as_text=False)

    def _settle_known(self) -> None:
        while self._in_flight and self._in_flight[0].publish.done():
            self._settle(0)

    def _settle(self, timeout_s: float) -> None:
        """Wait a while for the oldest message's fate."""
        sequence, begun_ns, measured, publish = self._in_flight[0]
        outcome = publish.outcome(timeout_s)
        waited_ns = time.monotonic_ns() - begun_ns
        if isinstance(outcome, Unknown) and outcome.cause is UnknownCause.TIMEOUT:
            if waited_ns < self._timeout_ns:
                return
            outcome = Unknown(f"no confirmation within {format_duration(self._job.confirm_timeout_s)}", outcome.cause)
            self._stop(outcome.reason)
        elif isinstance(outcome, Unknown):
            self._stop(f"connection lost: {outcome.reason}")
        self._in_flight.popleft()
        timed = measured and self._job.confirm is Confirmation.BROKER
        self._books.settled(sequence, outcome, waited_ns if timed else None)

    def _stop(self, reason: str) -> None:
        self._books.stopped = self._books.stopped or f"publisher {self._publisher}: {reason}"
        self._ended.set()
