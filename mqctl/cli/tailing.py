"""Receiving messages and writing them out: in batches when they come fast, one by one when they do not.

A message is acknowledged after it was written and flushed, so that what a broken pipe or a full disk swallows is still
the broker's.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from mqctl.adapters.base import Connection
from mqctl.adapters.inbox import Inbox
from mqctl.cli.formats import Formatter, Record
from mqctl.errors import ConnectionLost, MeasuredWrong, OperationTimeout
from mqctl.model import AckMode, ConnectionEvent, Delivery, Disconnected, Fault, Overflowed, SubscriptionId


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When a run ends by itself; None is never."""

    count: int | None = None
    timeout_s: float | None = None
    idle_s: float | None = None


@dataclass(slots=True, kw_only=True)
class Tailer:
    """Writes what the inbox receives until a limit is reached or the connection is gone."""

    connection: Connection
    inbox: Inbox
    out: BinaryIO
    formatter: Formatter
    ack_modes: dict[SubscriptionId, AckMode]
    limits: Limits
    complain: Callable[[str], None]
    received: int = 0
    dropped: int = 0
    _deadline: float = field(init=False)
    _idle_deadline: float = field(init=False)

    def __post_init__(self) -> None:
        now = time.monotonic()
        self._deadline = now + (float("inf") if self.limits.timeout_s is None else self.limits.timeout_s)
        self._idle_deadline = self._next_idle(now)

    def run(self) -> None:
        """Write messages until the end.

        Raises:
            OperationTimeout: `timeout_s` is over.
            MeasuredWrong: `idle_s` passed before `count` messages came, or messages were dropped.
            ConnectionLost: The connection went away.
            BrokenPipeError: The reader of our output has gone.
        """
        while self.received != self.limits.count and not self._is_over():
            events = self.inbox.take(self._patience_s())
            self._write([event for event in events if isinstance(event, Delivery)])
            self._heed([event for event in events if not isinstance(event, Delivery)])
        if self.dropped:
            raise MeasuredWrong(f"{self.dropped} messages came faster than they could be written and were dropped")

    def _patience_s(self) -> float:
        return max(0.0, min(self._deadline, self._idle_deadline, time.monotonic() + 3600) - time.monotonic())

    def _next_idle(self, now: float) -> float:
        return now + (float("inf") if self.limits.idle_s is None else self.limits.idle_s)

    def _is_over(self) -> bool:
        now = time.monotonic()
        if now >= self._deadline:
            raise OperationTimeout(f"--timeout is over; {self.received} messages came")
        if now < self._idle_deadline:
            return False
        if self.limits.count is not None:
            raise MeasuredWrong(f"{self.received} of {self.limits.count} messages came before --idle was over")
        return True

    def _write(self, deliveries: list[Delivery]) -> None:
        if self.limits.count is not None:
            del deliveries[self.limits.count - self.received :]
        if not deliveries:
            return
        # One offset for the batch: the wall clock may be set while we run, and a call per message would cost.
        epoch_ns = time.time_ns() - time.monotonic_ns()
        first = self.received + 1
        formatter, modes = self.formatter, self.ack_modes
        self._put(
            b"".join(
                [
                    formatter(Record(delivery, n, delivery.received_ns + epoch_ns, modes[delivery.subscription]))
                    for n, delivery in enumerate(deliveries, first)
                ]
            )
        )
        self.received += len(deliveries)
        self._idle_deadline = self._next_idle(time.monotonic())
        self._acknowledge(deliveries)

    def _put(self, data: bytes) -> None:
        try:
            self.out.write(data)
            self.out.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            reason = "no space left" if error.errno == errno.ENOSPC else error.strerror
            raise MeasuredWrong(
                f"cannot write to standard output: {reason}; {self.received} messages were written before"
            ) from error

    def _acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Each message in individual mode; in client mode the last of each subscription, which covers all before."""
        last = {delivery.subscription: delivery for delivery in deliveries}
        for delivery in deliveries:
            if delivery.ack is None:
                continue
            if self.ack_modes[delivery.subscription] is AckMode.INDIVIDUAL or last[delivery.subscription] is delivery:
                self.connection.ack(delivery.ack)

    def _heed(self, events: Sequence[ConnectionEvent]) -> None:
        for event in events:
            match event:
                case Disconnected(reason=reason):
                    raise ConnectionLost(f"connection lost after {self.received} messages: {reason}")
                case Overflowed(dropped=dropped):
                    self.dropped += dropped
                case Fault(reason=reason):
                    self.complain(f"the broker says: {reason}")
                case _:
                    pass
