"""A live Bayeux connection."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from itertools import count
from types import TracebackType
from typing import Any, Final, Self

from mqctl.adapters.base import ConnectionStats, EventSink, PendingPublish, SubscribeSpec, Transaction
from mqctl.adapters.bayeux_carrier import Carrier, Piece
from mqctl.adapters.bayeux_kept import Kept
from mqctl.adapters.bayeux_routes import Routes
from mqctl.adapters.ending import Ending, demand
from mqctl.adapters.features import Refusals
from mqctl.adapters.pending import Receipts, Settled
from mqctl.errors import UnsupportedError, UsageError
from mqctl.model import (
    AckToken,
    Confirmation,
    Confirmed,
    Connected,
    ConnectionEvent,
    Delivery,
    Disconnected,
    Fault,
    Outgoing,
    PublishOutcome,
    Rejected,
    SubscriptionId,
    Unknown,
    UnknownCause,
)
from mqctl.protocols.bayeux.client import Client
from mqctl.protocols.bayeux.client_actions import (
    Action,
    Answered,
    Deliver,
    Forgotten,
    Left,
    Listen,
    Lost,
    Send,
    Unsubscribed,
)
from mqctl.protocols.bayeux.extensions import BINARY_EXT, binary
from mqctl.protocols.bayeux.message import Message, MessageError, decode, encode
from mqctl.protocols.bayeux.payload import data_of
from mqctl.protocols.bayeux.spec import Ext, Limits, Meta
from mqctl.protocols.bayeux.surrogates import mended
from mqctl.topics import to_bayeux_patterns

LIMITS: Final = Limits(body_bytes=64 * 1024 * 1024, messages=1_000_000, depth=512)
"""What we take from a server at once."""

_CONFIRMED: Final = Confirmed(Confirmation.BROKER)
_ALONE: Final = frozenset({Meta.HANDSHAKE, Meta.CONNECT, Meta.DISCONNECT})


def piece(action: Send) -> Piece:
    """A message as it travels."""
    return Piece(encode(action.message), action.message.channel in _ALONE)


class BayeuxConnection:
    """See `mqctl.adapters.base.Connection`, which this implements.

    Args:
        carrier: Past the handshake.
        client: The session.
        first: What it wanted done after the handshake.
        greeting: The first event.
        sink: Takes the events, called from the carrier's threads, one at a time.
        refusals: Refuses what Bayeux does not have.
        notice: What to tell the user of how the connection came about.
        kept: What the session is kept in, where it is to outlive the connection.
    """

    def __init__(
        self,
        carrier: Carrier,
        client: Client,
        first: list[Action],
        *,
        greeting: Connected,
        sink: EventSink,
        refusals: Refusals,
        notice: str | None,
        kept: Kept | None = None,
    ) -> None:
        self.greeting = greeting
        self._carrier = carrier
        self._client = client
        self._first = first
        self._refusals = refusals
        self._notice = notice
        self._kept = kept
        self._deciding = threading.Lock()
        self._turn = threading.Lock()
        self._receipts = Receipts()
        self._unasked: set[str] = set()
        """Requests whose outcome nobody waits for; a refusal is told as a fault."""
        self._routes = Routes()
        self._numbers = count(1)
        self._messages_out = 0
        self._ending = Ending(carrier, sink)
        self._left = threading.Event()
        if kept is not None:
            kept.carry_on(self._go_on)
        carrier.run(self)

    @property
    def wake_ns(self) -> int | None:
        """When the session wants to be woken."""
        return self._client.wake_ns

    def on_open(self) -> None:
        """The threads run."""
        events: list[ConnectionEvent] = [self.greeting]
        if self._notice is not None:
            events.append(Fault(self.greeting.at_ns, self._notice))
        with self._turn:
            self._ending.emit(events)
        self._do(self._first)

    def on_bodies(self, bodies: list[bytes], now_ns: int) -> None:
        """Arrays of messages came; called from the carrier's threads."""
        messages = [message for body in bodies for message in _read(body)]
        with self._turn:
            with self._deciding:
                actions = self._client.receive(messages, now_ns)
                if self._kept is not None:
                    actions = self._kept.sift(actions, self._client)
            # Before the next connect leaves, which tells the server that these came.
            self._tell(actions, now_ns)
        self._do(actions)
        self._go_on()

    def on_time(self) -> None:
        """It is time; called from one of the carrier's threads."""
        now_ns = time.monotonic_ns()
        with self._turn:
            with self._deciding:
                actions = self._client.wake(now_ns)
            self._tell(actions, now_ns)
        self._do(actions)

    def on_closed(self, reason: str) -> None:
        """Nothing more comes; called last from the carrier's threads."""
        expected = self._ending.begun
        reason = "closed" if expected else reason
        self._left.set()
        with self._deciding:
            # From now on it takes no stock for a session with which another connection goes on.
            self._receipts.lose(reason)
        self._ending.emit([Disconnected(time.monotonic_ns(), expected, reason)])

    def _tell(self, actions: list[Action], now_ns: int) -> None:
        """Outcomes, then events in their order."""
        verdicts: dict[str, PublishOutcome] = {}
        events: list[ConnectionEvent] = []
        for action in actions:
            if isinstance(action, Answered) and action.request not in self._unasked:
                verdicts[action.request] = _CONFIRMED if action.refusal is None else Rejected(action.refusal)
            else:
                events += self._events(action, now_ns)
        if verdicts:
            self._receipts.settle(verdicts)
        if events:
            self._ending.emit(events)

    def _events(self, action: Action, now_ns: int) -> Sequence[ConnectionEvent]:
        match action:
            case Deliver(message, number):
                deliveries = self._routes.deliveries(message, now_ns)
                return deliveries if number is None else self._numbered(deliveries, number)
            case Answered(request, refusal):
                self._unasked.discard(request)
                return [] if refusal is None else [Fault(now_ns, f"a message was refused: {refusal}")]
            case Forgotten(reason):
                lack = "a new session takes its place, and messages in between may be missing"
                return [Fault(now_ns, f"{reason}; {lack}")]
            case Unsubscribed(channel, reason):
                return [Fault(now_ns, f"the new session has no subscription to {channel}: {reason}")]
            case Send() | Listen() | Lost() | Left():
                return []

    def _numbered(self, deliveries: list[Delivery], number: int) -> list[Delivery]:
        """The user is done with a message when done with the last of its deliveries."""
        assert self._kept is not None
        if deliveries:
            deliveries[-1].ack = AckToken(deliveries[-1].subscription, number)
        else:
            self._kept.handled(number)
        return deliveries

    def _go_on(self) -> None:
        """Let a session that is kept connect again, once all that came was handled."""
        if self._kept is None:
            return
        with self._deciding:
            over = self._ending.begun or self._receipts.lost is not None
            if over or not self._client.parked or not self._kept.take_stock(self._client, self._routes.channels()):
                return
            actions = self._client.go_on(time.monotonic_ns())
        try:
            self._do(actions)
        except OSError as error:
            self._broke(error)

    def _do(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Send():
                    self._send(action)
                case Listen(client_id):
                    self._carrier.listen(client_id)
                case Lost(reason):
                    self._carrier.kill(reason)
                case Left():
                    self._left.set()
                case _:
                    pass

    def _send(self, action: Send, *, written: bool = False, deadline: float | None = None) -> None:
        self._carrier.send(action.lane, piece(action), written=written, deadline=deadline)

    def submit(self, message: Outgoing, *, confirmation: Confirmation = Confirmation.BROKER) -> PendingPublish:
        """See `Connection.submit`."""
        self._ending.refuse_in_sink()
        self._refusals.refuse_message(message)
        channel = self._routes.channel(message.topic)
        data, ext = _carried(message)
        if self._receipts.lost is not None:
            return Settled(self._receipts.lost)
        with self._deciding:
            request, actions = self._client.publish(channel, data, ext)
            pending: PendingPublish = Settled(Confirmed(confirmation))
            if confirmation is Confirmation.BROKER:
                pending = self._receipts.open(request)
            else:
                self._unasked.add(request)
        try:
            for action in actions:
                assert isinstance(action, Send)
                self._send(action, written=confirmation is Confirmation.SOCKET)
        except OSError as error:
            # The carrier's threads end now, and with them this request.
            reason = self._broke(error)
            return pending if confirmation is Confirmation.BROKER else Settled(Unknown(reason, UnknownCause.LOST))
        self._messages_out += 1
        return pending

    def _broke(self, error: OSError) -> str:
        reason = f"the connection broke: {error.strerror or error}"
        self._carrier.kill(reason)
        return reason

    def subscribe(self, spec: SubscribeSpec, *, timeout_s: float) -> SubscriptionId:
        """See `Connection.subscribe`. A subtree takes two channels, and is there when both are."""
        self._ending.refuse_in_sink()
        self._refusals.refuse_subscription(spec)
        if spec.headers:
            raise UnsupportedError("Bayeux has no headers of subscriptions")
        channels = to_bayeux_patterns(spec.topic)
        deadline = time.monotonic() + timeout_s
        subscription = SubscriptionId(str(next(self._numbers)))
        wanted = self._routes.begin(subscription, channels)
        try:
            for channel in wanted:
                self._ask(f"subscribe to {channel}", lambda: self._client.subscribe(channel), deadline, timeout_s)  # noqa: B023 - called at once
        except BaseException:
            self._leave(subscription)
            raise
        self._go_on()
        return subscription

    def _leave(self, subscription: SubscriptionId) -> None:
        """Undo a subscription that did not come about as a whole; whether that works is of no interest."""
        with contextlib.suppress(OSError):
            for channel in self._routes.end(subscription):
                with self._deciding:
                    request, actions = self._client.unsubscribe(channel)
                    self._unasked.add(request)
                self._do(actions)

    def unsubscribe(self, subscription: SubscriptionId, *, timeout_s: float, forget: bool = False) -> None:
        """See `Connection.unsubscribe`."""
        self._ending.refuse_in_sink()
        if subscription not in self._routes:
            raise UsageError(f"no such subscription: {subscription!r}")
        if forget:
            raise UsageError("only a durable subscription can be forgotten")
        deadline = time.monotonic() + timeout_s
        for channel in self._routes.end(subscription):
            self._ask("unsubscribe", lambda: self._client.unsubscribe(channel), deadline, timeout_s)  # noqa: B023 - called at once

    def _ask(self, what: str, make: Callable[[], tuple[str, list[Action]]], deadline: float, timeout_s: float) -> None:
        """Send a request, and wait for the answer."""
        with self._deciding:
            request, actions = make()
            pending = self._receipts.open(request)
        try:
            for action in actions:
                assert isinstance(action, Send)
                self._send(action, deadline=deadline)
        except TimeoutError:
            self._carrier.kill("the server stopped reading")
        except OSError as error:
            self._broke(error)
        outcome = pending.outcome(deadline - time.monotonic())
        if isinstance(outcome, Unknown):
            self._receipts.forget(pending)
        demand(outcome, what, timeout_s, peer="server")

    def ack(self, token: AckToken) -> None:
        """There are tokens where the session is kept; else all that a connect brought is acknowledged by the next."""
        self._ending.refuse_in_sink()
        if self._kept is None:
            raise UsageError(f"{token!r} is not of this connection, which gives out none")
        if not isinstance(token.native, int) or not self._kept.handled(token.native):
            raise UsageError(f"{token!r} was acknowledged before, or is of another session")

    def nack(self, token: AckToken) -> None:  # noqa: ARG002 - the interface's
        """Bayeux has none."""
        self._ending.refuse_in_sink()
        raise UnsupportedError("Bayeux has no negative acknowledgement")

    def begin(self) -> Transaction:
        """Bayeux has none."""
        raise self._refusals.no_transactions()

    def stats(self) -> ConnectionStats:
        """See `Connection.stats`."""
        return ConnectionStats(
            messages_in=self._routes.delivered,
            messages_out=self._messages_out,
            bytes_in=self._carrier.bytes_in,
            bytes_out=self._carrier.bytes_out,
        )

    def close(self, *, timeout_s: float = 5.0) -> None:
        """See `Connection.close`."""
        self._ending.close(timeout_s, self._say_goodbye)

    def _say_goodbye(self, deadline: float) -> None:
        """Disconnect behind all that is under way; the answer says that the server has dealt with it.

        A session that is kept is left as it is.
        """
        if self._kept is not None:
            return
        self._receipts.wait_until_empty(deadline - time.monotonic())
        with self._deciding:
            actions = self._client.leave()
        with contextlib.suppress(OSError):
            for action in actions:
                if isinstance(action, Send):
                    self._send(action, deadline=deadline)
                    self._left.wait(max(0.0, deadline - time.monotonic()))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _read(body: bytes) -> list[Message]:
    """What a server sent. That one message in it is strange is no reason to lose the others.

    Raises:
        MessageError: It sent no messages.
    """
    try:
        return decode(body, LIMITS)
    except MessageError:
        again = mended(body)
        if again is body:
            raise
        return decode(again, LIMITS)


def _carried(message: Outgoing) -> tuple[Any, dict[str, Any]]:
    """The data of a message, and what its `ext` says."""
    data = None if message.as_text is False else data_of(message.payload)
    if data is None and message.as_text:
        raise UsageError("the payload is not UTF-8, so it cannot be sent as text")
    ext: dict[str, Any] = {Ext.HEADERS: dict(message.headers)} if message.headers else {}
    if data is None:
        return binary(message.payload), ext | BINARY_EXT
    return data, ext
