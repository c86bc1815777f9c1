"""How a connection speaks to its sink and how it ends, which is the same whatever protocol it speaks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, Protocol, assert_never

from mqctl.adapters.base import EventSink
from mqctl.errors import ConnectionLost, OperationTimeout, RefusedError, UsageError
from mqctl.model import Confirmed, ConnectionEvent, PublishOutcome, Rejected, Unknown, UnknownCause

_JOIN_AT_LEAST_S: Final = 0.5


class Carrier(Protocol):
    """What carries a connection, with the thread that reads from it."""

    def is_reader(self) -> bool:
        """Whether the caller is that thread, which must not wait for itself."""
        ...

    def kill(self, reason: str) -> None:
        """End it now; the first reason is the one that is told."""
        ...

    def join(self, timeout_s: float) -> bool:
        """Wait for that thread; whether it ended in time."""
        ...


class Ending:
    """Passes events to the sink until the connection is closed, which the first who asks does and all others wait for.

    Args:
        carrier: Of the connection.
        sink: Takes the events.
    """

    def __init__(self, carrier: Carrier, sink: EventSink) -> None:
        self.begun = False
        self._carrier = carrier
        self._sink = sink
        self._closing = threading.Lock()
        self._closed = threading.Event()
        self._muted = False

    def emit(self, events: list[ConnectionEvent]) -> None:
        """Tell the sink, which must not raise: a thread that ended in silence would look like a quiet broker."""
        if self._muted:
            return
        try:
            self._sink(events)
        except Exception as error:  # noqa: BLE001 - whatever it raises, the connection is over and says so
            self._carrier.kill(f"the receiver of events failed: {error!r}")

    def refuse_in_sink(self) -> None:
        """See the function of that name."""
        refuse_in_sink(self._carrier.is_reader())

    def close(self, timeout_s: float, say_goodbye: Callable[[float], None]) -> None:
        """Say goodbye until a deadline on the clock of time.monotonic, then end the connection and its thread."""
        deadline = time.monotonic() + timeout_s
        with self._closing:
            first, self.begun = not self.begun, True
        if not first:
            self._closed.wait(timeout_s)
            return
        try:
            if not self._carrier.is_reader():
                say_goodbye(deadline)
        finally:
            # Ctrl-C may end the goodbye; who asks again must not wait for one that nobody says.
            self._carrier.kill("closed")
            self._muted = not self._carrier.join(max(_JOIN_AT_LEAST_S, deadline - time.monotonic()))
            self._closed.set()


def refuse_in_sink(inside: bool) -> None:
    """Whoever takes events and asks for something would wait for itself.

    Raises:
        UsageError: The caller is `inside`: the thread that brings them.
    """
    if inside:
        raise UsageError("the receiver of events must not call back into the connection")


def demand(outcome: PublishOutcome, what: str, timeout_s: float, *, peer: str = "broker") -> None:
    """Accept nothing but a confirmation of what was asked for.

    Raises:
        RefusedError: The peer said no.
        OperationTimeout: It did not answer in time.
        ConnectionLost: It went away first.
    """
    match outcome:
        case Confirmed():
            return
        case Rejected(reason):
            raise RefusedError(f"the {peer} refused to {what}: {reason}")
        case Unknown(_, UnknownCause.TIMEOUT):
            raise OperationTimeout(f"the {peer} did not confirm within {timeout_s:g} s: {what}")
        case Unknown(reason):
            raise ConnectionLost(f"the connection was lost before the {peer} confirmed: {what} ({reason})")
        case _:
            assert_never(outcome)
