"""Who publishes and who receives in a history that a test writes."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Literal

from mqctl.adapters.base import Connection, PendingPublish, SubscribeSpec
from mqctl.errors import UsageError
from mqctl.experiments import events
from mqctl.experiments.planting import Planter
from mqctl.model import (
    Confirmation,
    Confirmed,
    ConnectionEvent,
    Delivery,
    Disconnected,
    Interrupted,
    Outgoing,
    PublishOutcome,
    Rejected,
    Resumed,
    SubscriptionId,
    Topic,
    Unknown,
)
from mqctl.testing.verdict import Hinted

IN_FLIGHT_MAX: Final = 20
"""So many messages of a producer are unconfirmed at once; more is more than some brokers take."""

PATIENCE_S: Final = 10.0

Read = Callable[[bytes], tuple[str, int] | None]
"""From a payload to its producer and number; None for a message of somebody else."""


class Producer:
    """Somebody who publishes. By hand: `publish`, send what it says, then `confirmed`, `rejected` or `unknown`.

    It is an `EventSink` too, and then tells when its connection breaks.

    Attributes:
        name: In the history.
    """

    def __init__(self, name: str, token: str, put: Callable[..., None]) -> None:
        self.name = name
        self._token = token
        self._put = put
        self._last = 0
        self._topic: str | None = None

    def publish(self, topic: str = "") -> int:
        """A message is about to be sent; returns its number.

        Raises:
            UsageError: The others went to another topic.
        """
        if self._topic not in (None, topic):
            raise UsageError(
                f"{self.name} publishes to {self._topic}, and now to {topic}",
                hint="a producer is one stream to one topic: take another one for each",
            )
        self._topic = topic
        self._last += 1
        now_ns = time.monotonic_ns()
        self._put(events.Publish(self.name, self._last, topic, now_ns, now_ns))
        return self._last

    def payload(self, n: int) -> bytes:
        """What message `n` carries, so that consumers know it, and faults can be placed behind it."""
        return f"{self.name} {n} {self._token}".encode()

    def confirmed(self, n: int) -> None:
        """The broker took it."""
        self._put(events.Confirmed(self.name, n, time.monotonic_ns()))

    def rejected(self, n: int, reason: str = "") -> None:
        """The broker certainly did not take it."""
        self._put(events.Rejected(self.name, n, time.monotonic_ns(), reason))

    def unknown(self, n: int, reason: str = "") -> None:
        """Nobody knows whether the broker took it."""
        self._put(events.Unknown(self.name, n, time.monotonic_ns(), reason))

    def send(
        self, connection: Connection, topic: Topic, *, count: int = 1, timeout_s: float = PATIENCE_S, **more: Any
    ) -> None:
        """Publish messages, and wait for what becomes of each.

        Args:
            connection: By which.
            topic: Where to.
            count: So many.
            timeout_s: So long for each; then its fate is unknown.
            more: Of `Outgoing`, such as `qos` or `persistent`.

        Raises:
            UnsupportedError, UsageError: As `Connection.submit`.
        """
        flights: deque[tuple[int, PendingPublish]] = deque()
        for _ in range(count):
            if len(flights) == IN_FLIGHT_MAX:
                self._settle(*flights.popleft(), timeout_s)
            n = self.publish(_written(topic))
            flights.append((n, connection.submit(Outgoing(topic=topic, payload=self.payload(n), **more))))
        while flights:
            self._settle(*flights.popleft(), timeout_s)

    def __call__(self, happened: Sequence[ConnectionEvent]) -> None:
        """The sink of its connection."""
        for event in happened:
            self._put(*_presence(self.name, event))

    def _settle(self, n: int, publish: PendingPublish, timeout_s: float) -> None:
        outcome: PublishOutcome = publish.outcome(timeout_s)
        match outcome:
            case Confirmed(level=level):
                # Less than that the broker has it is no outcome: docs/history.md.
                if level >= Confirmation.BROKER:
                    self.confirmed(n)
            case Rejected(reason=reason):
                self.rejected(n, reason)
            case Unknown(reason=reason):
                self.unknown(n, reason)


class Consumer:
    """Somebody who receives. By hand: `subscribed`, then `delivered` for each message.

    It is an `EventSink` too: give it to the connection that it receives by.

    Attributes:
        name: In the history.
        away: Whether its connection is lost, and another is sought.
        gone: Whether its connection is lost for good.
    """

    def __init__(self, name: str, read: Read, planter: Planter, put: Callable[..., None]) -> None:
        self.name = name
        self.away = self.gone = False
        self._read = read
        self._planter = planter
        self._put = put
        self._recording = threading.RLock()

    def subscribe(
        self,
        connection: Connection,
        what: Topic | SubscribeSpec,
        *,
        group: str = "",
        exclusive: bool = False,
        timeout_s: float = PATIENCE_S,
    ) -> SubscriptionId:
        """Subscribe by a connection whose sink this is.

        Args:
            connection: By which.
            what: To what, and how.
            group: Who shares the messages with it: the name of a queue.
            exclusive: Whether only one of them is served at a time.
            timeout_s: As `Connection.subscribe`.

        Raises:
            MqctlError: As `Connection.subscribe`.
        """
        __tracebackhide__ = True
        spec = what if isinstance(what, SubscribeSpec) else SubscribeSpec(topic=what)
        # Messages may come before the broker's answer does; whose they are must be known by then.
        self.subscribed(
            _written(spec.topic),
            group=group or spec.shared or "",
            exclusive=exclusive,
            ack=spec.ack_mode.value,
            prefetch=spec.prefetch,
        )
        with Hinted():
            return connection.subscribe(spec, timeout_s=timeout_s)

    def subscribed(
        self,
        topic: str = "",
        *,
        group: str = "",
        exclusive: bool = False,
        ack: Literal["auto", "client", "individual"] = "auto",
        prefetch: int | None = None,
    ) -> None:
        """It gets from here on what is published to `topic`; docs/history.md says what the rest means."""
        self._put(events.Subscribed(self.name, topic, group, exclusive, ack, prefetch, time.monotonic_ns()))

    def unsubscribed(self) -> None:
        """It gets nothing more."""
        self._put(events.Unsubscribed(self.name, time.monotonic_ns()))

    def delivered(self, producer: str, n: int, *, redelivered: bool = False, received_ns: int | None = None) -> None:
        """A message came: that with this number of this producer."""
        at_ns = time.monotonic_ns() if received_ns is None else received_ns
        with self._recording:
            self._put(
                *self._planter.take(events.Delivered(self.name, producer, n, at_ns, None, redelivered=redelivered))
            )

    def foreign(self) -> None:
        """Something came that is no message of this test, or was changed on its way."""
        self._put(events.Foreign(self.name, time.monotonic_ns()))

    def acked(self, producer: str, n: int, *, confirmed: bool = False) -> None:
        """It acknowledged a message."""
        self._put(events.Acked(self.name, producer, n, time.monotonic_ns(), confirmed))

    def nacked(self, producer: str, n: int, *, requeue: bool = True) -> None:
        """It refused a message, which is to come again with `requeue`."""
        self._put(events.Nacked(self.name, producer, n, time.monotonic_ns(), requeue))

    def settle(self) -> None:
        """Put down what was held back to be planted: nothing more comes."""
        with self._recording:
            self._put(*self._planter.rest())

    def __call__(self, happened: Sequence[ConnectionEvent]) -> None:
        """The sink of its connection."""
        for event in happened:
            match event:
                case Delivery(payload=payload, received_ns=received_ns, redelivered=redelivered):
                    self._take(payload, received_ns, redelivered=bool(redelivered))
                case Interrupted() | Disconnected(expected=False):
                    self.settle()
                    self.away, self.gone = isinstance(event, Interrupted), isinstance(event, Disconnected)
                case Resumed():
                    self.away = False
                case _:
                    pass
            self._put(*_presence(self.name, event))

    def _take(self, payload: bytes, received_ns: int, *, redelivered: bool) -> None:
        if (message := self._read(payload)) is None:
            self.foreign()
        else:
            self.delivered(*message, redelivered=redelivered, received_ns=received_ns)


def _presence(client: str, event: ConnectionEvent) -> Iterator[events.Event]:
    """What an event says about whether a client is connected."""
    match event:
        case Interrupted(at_ns=at_ns, reason=reason) | Disconnected(at_ns=at_ns, reason=reason, expected=False):
            yield events.ConnectionLost(client, at_ns, reason)
        case Resumed(at_ns=at_ns):
            yield events.ConnectionResumed(client, at_ns)
        case _:
            pass


def _written(topic: Topic) -> str:
    """How a topic stands in a history; "" is any: a pattern, or what has one name to publish and another to read."""
    return "" if {"*", "**"} & set(topic.levels) else ".".join(topic.levels)
