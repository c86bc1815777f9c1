"""A live STOMP connection."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Mapping
from itertools import count
from types import TracebackType
from typing import Final, Self

from mqctl.adapters.base import ConnectionStats, EventSink, PendingPublish, SubscribeSpec, Transaction
from mqctl.adapters.ending import Ending, demand
from mqctl.adapters.features import Refusals
from mqctl.adapters.heartbeat import HeartBeat
from mqctl.adapters.pending import Receipts, Settled
from mqctl.adapters.stomp_events import PLAIN_NAMES, TOPICS_KEPT, FrameReader, Unacknowledged
from mqctl.adapters.stomp_transaction import StompTransaction
from mqctl.adapters.stomp_transport import Transport, protocol
from mqctl.errors import ConnectionLost, MqctlError, UnsupportedError, UsageError
from mqctl.model import (
    AckMode,
    AckToken,
    Confirmation,
    Confirmed,
    Connected,
    Disconnected,
    Outgoing,
    PublishOutcome,
    Rejected,
    SubscriptionId,
    Topic,
    Unknown,
    UnknownCause,
)
from mqctl.protocols.stomp.dialects import (
    READINGS,
    Durable,
    Wish,
    forget_headers,
    refuse_ack_modes,
    refuse_binary,
    send_headers,
    subscribe_headers,
)
from mqctl.protocols.stomp.frame import Frame
from mqctl.protocols.stomp.spec import Command, Header, Version
from mqctl.protocols.text import is_text
from mqctl.topics import to_stomp

RESERVED_ON_SEND: Final = frozenset({Header.DESTINATION, Header.RECEIPT, Header.TRANSACTION, Header.CONTENT_LENGTH})
RESERVED_ON_SUBSCRIBE: Final = frozenset({Header.DESTINATION, Header.RECEIPT, Header.ID, Header.ACK})
"""Headers that a user cannot set, because the protocol's course depends on them."""

_ACK_WORDS: Final = {AckMode.AUTO: "auto", AckMode.CLIENT: "client", AckMode.INDIVIDUAL: "client-individual"}


class StompConnection:
    """See `mqctl.adapters.base.Connection`, which this implements.

    Args:
        transport: Past CONNECTED.
        greeting: The first event.
        sink: Takes the events, called from the transport's reading thread.
        refusals: Refuses what STOMP does not have.
        beat: The heart-beats agreed on.
        client_id: Announced in CONNECT.
        web_socket: Whether each frame travels as a message of WebSocket.
    """

    def __init__(
        self,
        transport: Transport,
        greeting: Connected,
        sink: EventSink,
        *,
        refusals: Refusals,
        beat: HeartBeat,
        client_id: str | None,
        web_socket: bool,
    ) -> None:
        self.greeting = greeting
        self._refusals = refusals
        self._dialect = greeting.dialect
        self._reading = READINGS[greeting.dialect]
        self._names = greeting.dialect or PLAIN_NAMES
        self._client_id = client_id
        self._web_socket = web_socket
        self._transport = transport
        self._protocol = protocol(transport)
        self._receipts = Receipts()
        self._unacknowledged = Unacknowledged()
        self._frames = FrameReader(greeting.dialect, transport.version, self._unacknowledged)
        self._destinations: dict[Topic, str] = {}
        self._durables: dict[SubscriptionId, str] = {}
        self._subscription_numbers = count(1)
        self._transaction_numbers = count(1)
        self._unasked = False
        """Whether a frame went out whose fate nobody asks for; a complaint may be about that one."""
        self._ending = Ending(transport, sink)
        transport.run(beat, self)

    def on_open(self) -> None:
        """The reading thread runs."""
        self._ending.emit([self.greeting])

    def on_frames(self, frames: list[Frame], now_ns: int) -> None:
        """Frames came; called from the reading thread."""
        before = self._frames.complaint
        events, verdicts = self._frames.read(frames, now_ns, self._receipts)
        if self._frames.complaint is not before:
            self._blame_the_only_one()
        if verdicts:
            self._receipts.settle(verdicts)
        if events:
            self._ending.emit(events)

    def on_closed(self, reason: str) -> None:
        """Nothing more comes; called last from the reading thread."""
        expected = self._ending.begun
        complaint = self._frames.complaint
        if expected:
            reason = "closed"
        elif words := self._frames.last_words or (complaint.text if complaint else ""):
            # WebSocket's close frame may have said it again.
            reason = reason if words in reason else f"{reason} after complaining: {words}"
        elif (mute := self._reading.web_socket_mute) and mute in reason:
            reason = f"{reason}: it refused something, and over stomp:// it would say why"
        elif self._web_socket and self._transport.frames_broken and not self._reading.web_socket_binary:
            reason = f"{reason}; over WebSocket {self._reading.broker} spoils payloads that are not UTF-8"
        self._receipts.lose(reason)
        self._ending.emit([Disconnected(time.monotonic_ns(), expected, reason)])

    def _blame_the_only_one(self) -> None:
        """An ERROR that names no request but says that one failed is about the one that is open, if no other can be."""
        complaint = self._frames.complaint
        if complaint is not None and complaint.code in self._reading.definite_errors and not self._unasked:
            self._receipts.reject_only(complaint.text)

    def submit(self, message: Outgoing, *, confirmation: Confirmation = Confirmation.BROKER) -> PendingPublish:
        """See `Connection.submit`."""
        destination, headers = self.addressed(message)
        if self._receipts.lost is not None:
            return Settled(self._receipts.lost)
        if confirmation is Confirmation.BROKER:
            return self._submit_confirmed(destination, message.payload, headers)
        self._unasked = True
        try:
            self._protocol.send(destination, message.payload, headers=headers)
        except OSError as error:
            return Settled(Unknown(self._broke(error), UnknownCause.LOST))
        return Settled(Confirmed(confirmation))

    def addressed(self, message: Outgoing) -> tuple[str, dict[str, str]]:
        """See `Desk`."""
        self._ending.refuse_in_sink()
        self._refusals.refuse_message(message)
        if self._web_socket:
            refuse_binary(self._dialect, message.payload)
        destination = self._destinations.get(message.topic) or self._destination(message.topic)
        _refuse_reserved(message.headers, RESERVED_ON_SEND)
        headers = send_headers(self._dialect, message, destination, now_ms=time.time_ns() // 1_000_000)
        if not _travels_as_text(message):
            headers[Header.CONTENT_LENGTH] = str(len(message.payload))
        return destination, headers

    def _destination(self, topic: Topic) -> str:
        if len(self._destinations) >= TOPICS_KEPT:
            self._destinations.clear()
        destination = self._destinations[topic] = to_stomp(topic, self._names)
        return destination

    def _submit_confirmed(self, destination: str, payload: bytes, headers: dict[str, str]) -> PendingPublish:
        pending = self._receipts.open()
        headers[Header.RECEIPT] = pending.receipt
        try:
            self._protocol.send(destination, payload, headers=headers)
        except UsageError:
            self._receipts.forget(pending)
            raise
        except OSError as error:
            # The reading thread ends now, and with it this request.
            self._broke(error)
        return pending

    def _broke(self, error: OSError) -> str:
        reason = f"the connection broke: {error.strerror or error}"
        self._transport.kill(reason)
        return reason

    def subscribe(self, spec: SubscribeSpec, *, timeout_s: float) -> SubscriptionId:
        """See `Connection.subscribe`."""
        self._ending.refuse_in_sink()
        self._refusals.refuse_subscription(spec)
        destination = to_stomp(spec.topic, self._names, subscribing=True)
        headers = self._subscribe_headers(spec, destination)
        subscription = self._new_id(spec)
        self._unacknowledged.begin(subscription, spec.ack_mode)
        try:
            self._ask(
                f"subscribe to {destination}",
                lambda receipt: self._protocol.subscribe(
                    destination, id=subscription, ack=_ACK_WORDS[spec.ack_mode], headers=headers | receipt
                ),
                timeout_s,
            )
        except BaseException:
            self._unacknowledged.end(subscription)
            raise
        if spec.durable is not None:
            self._durables[subscription] = spec.durable
        return subscription

    def _subscribe_headers(self, spec: SubscribeSpec, destination: str) -> dict[str, str]:
        if spec.ack_mode is AckMode.INDIVIDUAL and self._transport.version is Version.V1_0:
            raise UnsupportedError("STOMP 1.0, which this broker speaks, has no acknowledgement of single messages")
        refuse_ack_modes(self._dialect, spec.ack_mode, self._unacknowledged.modes())
        _refuse_reserved(spec.headers, RESERVED_ON_SUBSCRIBE)
        wish = Wish(
            topic=spec.topic,
            destination=destination,
            ack_mode=spec.ack_mode,
            prefetch=spec.prefetch,
            selector=spec.selector,
            durable=spec.durable,
            client_id=self._client_id,
        )
        return subscribe_headers(self._dialect, wish) | dict(spec.headers)

    def _new_id(self, spec: SubscribeSpec) -> SubscriptionId:
        if spec.durable is None or self._reading.durable is not Durable.SUBSCRIPTION_ID:
            return SubscriptionId(str(next(self._subscription_numbers)))
        if spec.durable in self._unacknowledged:
            raise UsageError(f"this connection already has the durable subscription {spec.durable!r}")
        return SubscriptionId(spec.durable)

    def unsubscribe(self, subscription: SubscriptionId, *, timeout_s: float, forget: bool = False) -> None:
        """See `Connection.unsubscribe`."""
        self._ending.refuse_in_sink()
        if subscription not in self._unacknowledged:
            raise UsageError(f"no such subscription: {subscription!r}")
        durable = self._durables.get(subscription)
        if forget and durable is None:
            raise UsageError("only a durable subscription can be forgotten")
        deadline = time.monotonic() + timeout_s
        if forget and durable is not None:
            if self._reading.forget_alone:
                self._unsubscribe(subscription, {}, deadline)
            self._unsubscribe(subscription, forget_headers(self._dialect, durable), deadline)
        else:
            self._unsubscribe(subscription, {}, deadline)
        self._unacknowledged.end(subscription)
        self._durables.pop(subscription, None)

    def _unsubscribe(self, subscription: SubscriptionId, headers: dict[str, str], deadline: float) -> None:
        self._ask(
            "unsubscribe",
            lambda receipt: self._protocol.unsubscribe(id=subscription, headers=headers | receipt),
            deadline - time.monotonic(),
        )

    def _ask(self, what: str, send: Callable[[dict[str, str]], None], timeout_s: float) -> None:
        """Send a frame that asks for a receipt, and wait for it."""
        deadline = time.monotonic() + timeout_s
        before = self._frames.complaint
        pending = self._receipts.open()
        try:
            with self._transport.until(deadline):
                send({Header.RECEIPT: pending.receipt})
        except TimeoutError:
            self._transport.kill("the broker stopped reading")
        except OSError as error:
            self._broke(error)
        except UsageError:
            self._receipts.forget(pending)
            raise
        outcome = pending.outcome(deadline - time.monotonic())
        complaint = None if self._frames.complaint is before else self._frames.complaint
        if isinstance(outcome, Unknown):
            self._receipts.forget(pending)
        if complaint is not None and not self._proves(outcome):
            # An error that names no request, and no proper answer to this one: they belong together.
            outcome = Rejected(complaint.text)
        self._unasked |= isinstance(outcome, Unknown)
        demand(outcome, what, timeout_s)

    def _proves(self, outcome: PublishOutcome) -> bool:
        """Whether an answer stands although the broker complained about something meanwhile."""
        match outcome:
            case Confirmed():
                return not self._reading.receipt_despite_error
            case Rejected():
                return True
            case _:
                return False

    def ack(self, token: AckToken) -> None:
        """See `Connection.ack`."""
        self._acknowledge("ack", token)

    def nack(self, token: AckToken) -> None:
        """See `Connection.nack`."""
        self._acknowledge("nack", token)

    def _acknowledge(self, verb: str, token: AckToken) -> None:
        self._ending.refuse_in_sink()
        which = self.used(verb, token)
        self._unasked = True
        try:
            getattr(self._protocol, verb)(*which)
        except OSError as error:
            raise ConnectionLost(self._broke(error)) from error

    def used(self, verb: str, token: AckToken) -> tuple[str, ...]:
        """See `Desk`."""
        version = self._transport.version
        if verb == "nack" and version is Version.V1_0:
            raise UnsupportedError("STOMP 1.0, which this broker speaks, has no negative acknowledgement")
        wire_id = self._unacknowledged.use(token, cumulative=verb == "ack" or self._reading.nack_cumulative)
        # Only STOMP 1.1 names the subscription; in 1.2 the id alone is unique (STOMP 1.2, ACK).
        return (wire_id, token.subscription) if version is Version.V1_1 else (wire_id,)

    def begin(self) -> Transaction:
        """See `Connection.begin`."""
        return StompTransaction(self, self._protocol, self._dialect, str(next(self._transaction_numbers)))

    def ask(self, send: Callable[[str], object]) -> PendingPublish:
        """See `Desk`."""
        self._ending.refuse_in_sink()
        pending = self._receipts.open()
        if self._receipts.lost is not None:
            raise ConnectionLost(self._receipts.lost.reason)
        try:
            send(pending.receipt)
        except OSError as error:
            raise ConnectionLost(self._broke(error)) from error
        except MqctlError:
            self._receipts.forget(pending)
            raise
        return pending

    def stats(self) -> ConnectionStats:
        """See `Connection.stats`."""
        return ConnectionStats(
            messages_in=self._frames.messages,
            messages_out=self._transport.messages_out,
            bytes_in=self._transport.bytes_in,
            bytes_out=self._transport.bytes_out,
        )

    def close(self, *, timeout_s: float = 5.0) -> None:
        """See `Connection.close`."""
        self._ending.close(timeout_s, self._say_goodbye)

    def _say_goodbye(self, deadline: float) -> None:
        """DISCONNECT with a receipt: when it comes, the broker has processed all before (STOMP 1.2, DISCONNECT)."""
        self._receipts.wait_until_empty(deadline - time.monotonic())
        pending = self._receipts.open()
        with contextlib.suppress(OSError), self._transport.until(deadline):
            self._protocol.send_frame(Command.DISCONNECT, {Header.RECEIPT: pending.receipt})
            pending.outcome(deadline - time.monotonic())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _refuse_reserved(headers: Mapping[str, str], reserved: Collection[str]) -> None:
    for name in headers:
        if name in reserved:
            raise UsageError(f"the header {name!r} belongs to the protocol and cannot be set")


def _travels_as_text(message: Outgoing) -> bool:
    """Whether to leave out `content-length`, by which JMS brokers tell text from bytes. A NUL always needs it."""
    payload = message.payload
    if message.as_text is False or b"\0" in payload:
        return False
    if is_text(payload):
        return True
    if message.as_text:
        raise UsageError("the payload is not UTF-8, so it cannot be sent as text")
    return False
