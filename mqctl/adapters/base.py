"""The interface of a transport: implement it, pass `mqctl.testing.AdapterContract`, and every command works over it.

The laws, each a test of the contract suite:

* `Connected` is the first event, `Disconnected` the last and comes once; after `close` returns no event arrives.
* The sink is called from the transport's thread with a batch of events, in the order they happened. It must not block
  and must not call back into the connection.
* `received_ns` is stamped before the event is queued anywhere.
* A timeout or a lost connection makes a pending publish `Unknown`: never failed, never sent.
* `subscribe` returns when the broker confirmed it.
* Acknowledging a foreign or a used token raises `UsageError` and touches nothing.
* What a transport or broker cannot do raises `UnsupportedError` before a byte is sent; what nobody could, `UsageError`.
* Once the connection is lost or closed, `submit` gives `Unknown`, and what else needs the broker raises
  `ConnectionLost`.
* Nothing of a transaction is done before `commit`, all of it in its order then, and nothing after `abort` or once its
  connection is lost.
* `close` may be called any number of times.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import ClassVar, Protocol, Self

from mqctl.model import (
    AckMode,
    AckToken,
    Confirmation,
    Connected,
    ConnectionEvent,
    Outgoing,
    PublishOutcome,
    Retained,
    SubscriptionId,
    Topic,
)
from mqctl.target import Target

EventSink = Callable[[Sequence[ConnectionEvent]], None]
"""Takes the events of one read from the network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterInfo:
    """What a transport can do, so that what it cannot do is refused in a sentence before anything is sent."""

    name: str
    schemes: frozenset[str]
    ack_modes: frozenset[AckMode]
    confirmation: Confirmation
    features: frozenset[str]
    """Any of: headers, content-type, reply-to, persistent, expires, priority, qos, retain, wildcards, selector,
    durable, prefetch, nack, transactions, shared, session (the broker remembers what a client subscribed to while it
    is away)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribeSpec:
    """What to subscribe to and how.

    `durable` names a subscription that outlives the connection; `shared` a group whose members share the messages.
    """

    topic: Topic
    ack_mode: AckMode = AckMode.AUTO
    prefetch: int | None = None
    selector: str | None = None
    durable: str | None = None
    shared: str | None = None
    qos: int | None = None
    retained: Retained = Retained.ALL
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ConnectionStats:
    """Counters of one connection since it was opened."""

    messages_in: int
    messages_out: int
    bytes_in: int
    bytes_out: int


class PendingPublish(Protocol):
    """A publish whose outcome may not be known yet."""

    def done(self) -> bool:
        """Whether `outcome` returns at once."""
        ...

    def outcome(self, timeout_s: float) -> PublishOutcome:
        """Wait for the outcome; after `timeout_s` it is Unknown. Never raises."""
        ...


class Transaction(Protocol):
    """Messages and acknowledgements that the broker takes all at `commit`, or not at all.

    It belongs to the live connection that began it: once that is lost, nothing of it is done. A token that was used in
    it is used, whatever becomes of it: what an abort gives back comes again when the connection ends. After `commit` or
    `abort` it is used up, and whoever uses it gets a `UsageError`.
    """

    def submit(self, message: Outgoing) -> None:
        """Send a message as a part of it.

        Raises:
            UnsupportedError: As `Connection.submit`.
            UsageError: As `Connection.submit`, or the transaction is used up.
            ConnectionLost: The connection that began it is gone.
        """
        ...

    def ack(self, token: AckToken) -> None:
        """Tell the broker at `commit` that a message is done.

        Raises:
            UsageError: As `Connection.ack`, or the transaction is used up.
            UnsupportedError: This broker does not acknowledge in transactions.
            ConnectionLost: The connection that began it, or that brought the message, is gone.
        """
        ...

    def nack(self, token: AckToken) -> None:
        """Tell the broker at `commit` that a message is refused.

        Raises:
            UsageError, UnsupportedError, ConnectionLost: As `ack`.
        """
        ...

    def commit(self) -> PendingPublish:
        """Have all of it done. The outcome is that of everything in it.

        It is Rejected where the broker refused to commit, so that nothing was done. Where it refused a part of it and
        may have done the rest, and where the connection went away, it is Unknown.

        Raises:
            UsageError: The transaction is used up.
        """
        ...

    def abort(self) -> PendingPublish:
        """Have nothing of it done. The outcome tells whether the broker knows; it does when the connection ends.

        Raises:
            UsageError: The transaction is used up.
        """
        ...


class Connection(Protocol):
    """A live connection. All methods may be called from any thread but the sink's."""

    greeting: Connected

    def submit(self, message: Outgoing, *, confirmation: Confirmation = Confirmation.BROKER) -> PendingPublish:
        """Send a message without waiting for its confirmation; may block while the peer does not read.

        Raises:
            UnsupportedError: The broker cannot carry this message; nothing was sent.
            UsageError: No broker could: a header or a text that the protocol cannot carry, a topic (TopicError) that it
                cannot express or that is a wildcard; nothing was sent.
        """
        ...

    def subscribe(self, spec: SubscribeSpec, *, timeout_s: float) -> SubscriptionId:
        """Subscribe, and return when the broker confirmed it.

        Raises:
            UnsupportedError: The transport or this broker cannot do what `spec` asks; nothing was sent.
            UsageError: Nobody could, or a client id is missing; nothing was sent.
            RefusedError: The broker said no.
            OperationTimeout: It did not answer in time.
            ConnectionLost: It went away first.
        """
        ...

    def unsubscribe(self, subscription: SubscriptionId, *, timeout_s: float, forget: bool = False) -> None:
        """End a subscription; with `forget`, a durable one is deleted at the broker and not only left.

        Raises:
            UsageError: No such subscription, or one to forget that is not durable.
            RefusedError: The broker said no.
            OperationTimeout: It did not answer in time.
            ConnectionLost: It went away first.
        """
        ...

    def ack(self, token: AckToken) -> None:
        """Tell the broker that the message, or in client mode it and all before, is done.

        Raises:
            UsageError: The token is of another connection or was used before.
            ConnectionLost: The connection is gone, and the broker will deliver the message again.
        """
        ...

    def nack(self, token: AckToken) -> None:
        """Tell the broker that the message is refused; what it then does differs (see `docs/brokers.md`).

        Raises:
            UsageError: The token is of another connection or was used before.
            UnsupportedError: The protocol has no negative acknowledgement.
            ConnectionLost: The connection is gone, and the broker will deliver the message again.
        """
        ...

    def begin(self) -> Transaction:
        """Begin a transaction; several may be open.

        Raises:
            UnsupportedError: The transport has none; nothing was sent.
            ConnectionLost: The connection is gone.
        """
        ...

    def stats(self) -> ConnectionStats:
        """Counters so far."""
        ...

    def close(self, *, timeout_s: float = 5.0) -> None:
        """Say goodbye, wait at most `timeout_s` for what is under way, close. Never raises."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


class Adapter(Protocol):
    """A transport."""

    info: ClassVar[AdapterInfo]

    def connect(self, target: Target, *, sink: EventSink) -> Connection:
        """Connect within `target.connect_timeout_s`, trying each endpoint in turn.

        Raises:
            ConnectError: Nobody answers.
            TlsError: The peer does not speak TLS, or its certificate is not trusted.
            RefusedError: The broker refused the credentials or the virtual host.
            ProtocolError: What answers does not speak the protocol.
        """
        ...
