"""The transport `mem://NAME`: a broker inside this process, and the smallest complete example of an adapter.

All connections to one name meet at one broker for as long as the process lives. Nothing is dropped: a publisher waits
for slow subscribers, or is refused at the broker's limits.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import ClassVar, Final, Self, assert_never

from mqctl import __version__
from mqctl.adapters.base import AdapterInfo, ConnectionStats, EventSink, PendingPublish, SubscribeSpec, Transaction
from mqctl.adapters.ending import refuse_in_sink
from mqctl.adapters.features import Refusals
from mqctl.adapters.mailbox import Mailbox
from mqctl.adapters.pending import Settled
from mqctl.broker import (
    Address,
    AddressKind,
    Broker,
    DeadLettered,
    Deliver,
    Dropped,
    DurableEnded,
    Effect,
    Evict,
    FanOut,
    Hold,
    Message,
    NotOpen,
    Release,
    SlowConsumer,
    Subscriber,
    Unfinished,
    UnknownDelivery,
    UnknownSubscription,
)
from mqctl.errors import ConnectionLost, RefusedError, TopicError, UnsupportedError, UsageError
from mqctl.model import (
    AckMode,
    AckToken,
    Confirmation,
    Confirmed,
    Connected,
    Delivery,
    Dialect,
    Disconnected,
    Outgoing,
    Rejected,
    SubscriptionId,
    Topic,
    Unknown,
    UnknownCause,
)
from mqctl.target import Target
from mqctl.topics import STOMP_QUEUE_PREFIX, STOMP_TOPIC_PREFIX, from_stomp, parse_stomp_pattern, to_stomp

_CONTENT_TYPE: Final = "content-type"


class MemoryAdapter:
    """See `mqctl.adapters.base.Adapter`."""

    info: ClassVar[AdapterInfo] = AdapterInfo(
        name="mem://",
        schemes=frozenset({"mem"}),
        ack_modes=frozenset(AckMode),
        confirmation=Confirmation.BROKER,
        features=frozenset({"headers", "content-type", "wildcards", "durable", "prefetch", "nack", "expires"}),
    )

    def connect(self, target: Target, *, sink: EventSink) -> MemoryConnection:
        """See `Adapter.connect`. There is always somebody, and everybody may come in."""
        return MemoryConnection(_meeting(target.endpoints[0].host), target, sink)


_REFUSALS: Final = Refusals(MemoryAdapter.info)


class _Meeting:
    """A broker and its lock: whoever calls the broker also does what it wants done."""

    def __init__(self) -> None:
        self._broker = Broker(slow_consumer=SlowConsumer.BLOCK)
        self._lock = threading.Lock()
        self._ids = itertools.count(1)

    def next_id(self) -> str:
        return str(next(self._ids))

    def open(self, connection: MemoryConnection, client_id: str | None) -> None:
        with self._lock:
            self._broker.open(connection, client_id)

    def act(self, call: Callable[[Broker, int], list[Effect]]) -> None:
        with self._lock:
            now_ns = time.monotonic_ns()
            deadline_ns = self._broker.next_deadline_ns()
            if deadline_ns is not None and deadline_ns <= now_ns:
                self._apply(self._broker.tick(now_ns))
            self._apply(call(self._broker, now_ns))

    def _apply(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case FanOut(message, subscribers):
                    for subscriber in subscribers:
                        self._deliver(subscriber, _delivery(subscriber, message))
                case Deliver(subscriber, message, delivery_id, redelivered, _):
                    self._deliver(subscriber, _delivery(subscriber, message, delivery_id, redelivered=redelivered))
                case Hold(connection):
                    connection.flowing.clear()
                case Release(connection):
                    connection.flowing.set()
                case Unfinished(connection):
                    connection.mailbox.ask_for_more()
                case Dropped() | DeadLettered() | DurableEnded() | Evict():
                    pass  # expired, or in the dead-letter queue; the policy `block` evicts nobody
                case _:
                    assert_never(effect)

    def _deliver(self, subscriber: Subscriber, delivery: Delivery) -> None:
        connection: MemoryConnection = subscriber.session
        if connection.mailbox.put(delivery):
            self._broker.pause(connection)


_meetings: dict[str, _Meeting] = {}
_meetings_lock = threading.Lock()


def _meeting(name: str) -> _Meeting:
    with _meetings_lock:
        return _meetings.setdefault(name, _Meeting())


@dataclass(frozen=True, slots=True)
class _Native:
    """What an `AckToken` of ours carries."""

    connection: MemoryConnection
    delivery_id: int


class MemoryConnection:
    """See `mqctl.adapters.base.Connection`. To the broker, it is the session."""

    def __init__(self, meeting: _Meeting, target: Target, sink: EventSink) -> None:
        self.greeting = Connected(
            at_ns=time.monotonic_ns(), peer=target.name, server=f"mqctl/{__version__}", dialect=Dialect.HUB
        )
        self.flowing = threading.Event()
        self.flowing.set()
        self.mailbox = Mailbox(target.client_id or "", sink, self._refill, self._lost)
        self._meeting = meeting
        self._keys = itertools.count(1)
        self._durable: dict[SubscriptionId, bool] = {}
        self._counting = threading.Lock()
        self._messages_out = 0
        self._bytes_out = 0
        meeting.open(self, target.client_id)
        self.mailbox.start(self.greeting)

    def submit(self, message: Outgoing, *, confirmation: Confirmation = Confirmation.BROKER) -> PendingPublish:
        """See `Connection.submit`. The outcome is known when this returns."""
        refuse_in_sink(self.mailbox.is_current_thread())
        address = _address(message.topic, subscribing=False)
        _REFUSALS.refuse_message(message)
        self.flowing.wait()
        try:
            self._meeting.act(
                lambda broker, now_ns: broker.publish(self, self._message(message, address, now_ns), now_ns)
            )
        except NotOpen:
            return Settled(Unknown("the connection is closed", UnknownCause.LOST))
        except RefusedError as error:
            return Settled(Rejected(str(error)))
        with self._counting:
            self._messages_out += 1
            self._bytes_out += len(message.payload)
        return Settled(Confirmed(confirmation))

    def _message(self, message: Outgoing, address: Address, now_ns: int) -> Message:
        headers = tuple(message.headers.items())
        if message.content_type is not None:
            headers += ((_CONTENT_TYPE, message.content_type),)
        return Message(
            id=self._meeting.next_id(),
            address=address,
            payload=message.payload,
            headers=headers,
            expires_at_ns=None if message.expires_ms is None else now_ns + message.expires_ms * 1_000_000,
        )

    def subscribe(self, spec: SubscribeSpec, *, timeout_s: float) -> SubscriptionId:  # noqa: ARG002 - never waits
        """See `Connection.subscribe`."""
        refuse_in_sink(self.mailbox.is_current_thread())
        address = _address(spec.topic, subscribing=True)
        _REFUSALS.refuse_subscription(spec)
        if spec.headers:
            raise UnsupportedError(f"mem:// knows no headers of a subscription: {', '.join(spec.headers)}")
        key = SubscriptionId(str(next(self._keys)))
        self._ask(
            lambda broker, now_ns: broker.subscribe(
                self,
                key,
                address,
                ack_mode=spec.ack_mode,
                prefetch=spec.prefetch,
                durable=spec.durable,
                now_ns=now_ns,
            )
        )
        self._durable[key] = spec.durable is not None
        return key

    def unsubscribe(self, subscription: SubscriptionId, *, timeout_s: float, forget: bool = False) -> None:  # noqa: ARG002 - never waits
        """See `Connection.unsubscribe`."""
        refuse_in_sink(self.mailbox.is_current_thread())
        if forget and not self._durable.get(subscription, True):
            raise UsageError("only a durable subscription can be forgotten")
        try:
            self._ask(lambda broker, now_ns: broker.unsubscribe(self, subscription, forget=forget, now_ns=now_ns))
        except UnknownSubscription as error:
            raise UsageError(f"no such subscription: {subscription!r}") from error
        self._durable.pop(subscription, None)

    def ack(self, token: AckToken) -> None:
        """See `Connection.ack`."""
        self._settle(token, Broker.ack)

    def nack(self, token: AckToken) -> None:
        """See `Connection.nack`: the message comes again, and after too many refusals goes to the queue `DLQ`."""
        self._settle(token, Broker.nack)

    def begin(self) -> Transaction:
        """There are none here."""
        raise _REFUSALS.no_transactions()

    def stats(self) -> ConnectionStats:
        """See `Connection.stats`. Bytes are payload only."""
        return ConnectionStats(
            messages_in=self.mailbox.messages,
            messages_out=self._messages_out,
            bytes_in=self.mailbox.bytes,
            bytes_out=self._bytes_out,
        )

    def close(self, *, timeout_s: float = 5.0) -> None:
        """See `Connection.close`."""
        self._end(Disconnected(time.monotonic_ns(), expected=True, reason="closed"))
        self.mailbox.join(timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _end(self, last: Disconnected) -> None:
        self._meeting.act(lambda broker, now_ns: broker.close(self, now_ns))
        self.mailbox.end(last)
        self.flowing.set()

    def _lost(self, reason: str) -> None:
        self._end(Disconnected(time.monotonic_ns(), expected=False, reason=reason))

    def _refill(self) -> None:
        self._meeting.act(lambda broker, now_ns: broker.resume(self, now_ns))

    def _settle(self, token: AckToken, verb: Callable[[Broker, object, int, int], list[Effect]]) -> None:
        refuse_in_sink(self.mailbox.is_current_thread())
        native = token.native
        if not isinstance(native, _Native) or native.connection is not self:
            raise UsageError("this token is of another connection")
        try:
            self._ask(lambda broker, now_ns: verb(broker, self, native.delivery_id, now_ns))
        except UnknownDelivery as error:
            raise UsageError("this token was used before") from error

    def _ask(self, call: Callable[[Broker, int], list[Effect]]) -> None:
        try:
            self._meeting.act(call)
        except NotOpen as error:
            raise ConnectionLost("the connection is closed") from error


def _address(topic: Topic, *, subscribing: bool) -> Address:
    """The same names as the hub: `/queue/NAME`, and a topic by its levels or as `/topic/NAME`."""
    destination = to_stomp(topic, Dialect.HUB, subscribing=subscribing)
    if destination.startswith(STOMP_TOPIC_PREFIX):
        return Address(AddressKind.TOPIC, ".".join(parse_stomp_pattern(destination.removeprefix(STOMP_TOPIC_PREFIX))))
    if destination.startswith(STOMP_QUEUE_PREFIX):
        return Address(AddressKind.QUEUE, destination.removeprefix(STOMP_QUEUE_PREFIX))
    raise TopicError(f"mem:// has /topic/NAME and /queue/NAME, but no {destination!r}")


def _delivery(
    subscriber: Subscriber, message: Message, delivery_id: int | None = None, *, redelivered: bool = False
) -> Delivery:
    subscription = SubscriptionId(subscriber.key)
    name, headers = _for_all(message)
    native = None if delivery_id is None else _Native(subscriber.session, delivery_id)
    return Delivery(
        topic=name,
        payload=message.payload,
        headers=headers,
        subscription=subscription,
        received_ns=time.monotonic_ns(),
        id=message.id,
        redelivered=redelivered,
        ack=None if native is None else AckToken(subscription, native),
    )


def _for_all(message: Message) -> tuple[str, Mapping[str, str]]:
    """What all subscribers of a message share, made once."""
    known: tuple[str, Mapping[str, str]] | None = message.wire.get("memory")
    if known is None:
        known = message.wire["memory"] = from_stomp(str(message.address), Dialect.HUB), dict(message.headers)
    return known
