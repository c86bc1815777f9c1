"""A live MQTT connection."""

from __future__ import annotations

import contextlib
import threading
import time
from types import TracebackType
from typing import Final, NamedTuple, Self

from mqctl.adapters.base import ConnectionStats, EventSink, PendingPublish, SubscribeSpec, Transaction
from mqctl.adapters.ending import Ending, demand
from mqctl.adapters.features import Refusals
from mqctl.adapters.heartbeat import HeartBeat
from mqctl.adapters.mqtt_client import Client, Goodbye, Verdict
from mqctl.adapters.mqtt_messages import TOPICS_KEPT, Messages
from mqctl.adapters.mqtt_transport import HUNG_UP, Transport
from mqctl.adapters.pending import Receipts, Settled
from mqctl.errors import ConnectionLost, RefusedError, UnsupportedError, UsageError
from mqctl.model import (
    AckMode,
    AckToken,
    Confirmation,
    Confirmed,
    Connected,
    ConnectionEvent,
    Disconnected,
    Fault,
    Outgoing,
    PublishOutcome,
    Rejected,
    Retained,
    SubscriptionId,
    Topic,
    Unknown,
    UnknownCause,
)
from mqctl.protocols.mqtt.dialects import Offer
from mqctl.protocols.mqtt.properties import encode
from mqctl.protocols.mqtt.reasons import TAKEN_OVER, hint_of
from mqctl.topics import MQTT_ONE_LEVEL, MQTT_SHARED_PREFIX, MQTT_SUBTREE, to_mqtt

USUAL_QOS: Final = 1
"""Of a publish that is to be confirmed, and of a subscription whose messages must not be lost."""

ROOM_WITHIN_S: Final = 10.0
"""How long a message waits for the confirmation of an earlier one, where the broker takes no more at a time."""

STRANGERS_AFTER_NS: Final = 2_000_000_000
"""How long messages of a resumed session may wait for a subscription before the user is told of them."""

_SAME_ID: Final = ", perhaps because another client came with the same client id"
"""Before MQTT 5 it cannot say so, and Mosquitto does not even then."""

_CONFIRMED: Final = Confirmed(Confirmation.BROKER)
_NO_ROOM: Final = Unknown(
    f"the broker confirmed none of the messages under way within {ROOM_WITHIN_S:g} s", UnknownCause.TIMEOUT
)


class Terms(NamedTuple):
    """What holds for a connection.

    `refusals` refuses what this version of MQTT does not have, `offer` what the broker does not take; `properties`
    tells whether packets have such, `remembered` whether the broker keeps what comes while we are away, `named` whether
    the user chose the client id, so that another client may have it too.
    """

    refusals: Refusals
    offer: Offer
    beat: HeartBeat
    properties: bool
    remembered: bool
    named: bool


class MqttConnection:
    """See `mqctl.adapters.base.Connection`, which this implements.

    Args:
        transport: Past CONNACK.
        client: Composes and reads the packets.
        messages: Where the client leaves the messages.
        greeting: The first event.
        sink: Takes the events, called from the transport's reading thread.
        terms: What holds here.
    """

    def __init__(
        self,
        transport: Transport,
        client: Client,
        messages: Messages,
        *,
        greeting: Connected,
        sink: EventSink,
        terms: Terms,
    ) -> None:
        self.greeting = greeting
        self._transport = transport
        self._client = client
        self._messages = messages
        self._ledger = messages.ledger
        self._terms = terms
        self._receipts = Receipts()
        self._submitting = threading.Lock()
        self._counting = threading.Lock()
        self._messages_out = 0
        self._names: dict[Topic, bytes] = {}
        """As they are sent, each with its length in front."""
        self._asked: dict[str, int] = {}
        self._subscribed_ns = time.monotonic_ns()
        self._strangers_told = False
        self._ending = Ending(transport, sink)
        transport.run(terms.beat, client.compose_ping, self)

    def on_open(self) -> None:
        """The reading thread runs."""
        self._ending.emit([self.greeting])
        self._hand_over()

    def on_bytes(self, data: bytes, now_ns: int) -> str | None:
        """Bytes came; called from the reading thread."""
        self._messages.now_ns = now_ns
        try:
            self._client.feed(data)
        finally:
            # What came before the nonsense was sense.
            self._hand_over()
        return _farewell(self._client.goodbye)

    def _hand_over(self) -> None:
        """Pass on what the last bytes brought: verdicts, events, and answers to the broker."""
        outcomes: dict[str, PublishOutcome] = dict.fromkeys(map(str, self._client.confirmed()), _CONFIRMED)
        verdicts = self._client.verdicts()
        # The answer to SUBSCRIBE may be all that comes after the messages that waited for it.
        self._messages.look_again()
        events, self._messages.events = self._messages.events, []
        if verdicts:
            events += self._shortfalls(verdicts)
            outcomes |= {each.request: _outcome(each) for each in verdicts}
        if outcomes:
            self._receipts.settle(outcomes)
        self._tell_of_strangers(events)
        if events:
            self._ending.emit(events)
        arrivals, self._messages.done = self._messages.done, []
        answers = self._client.composed()
        if arrivals:
            answers += self._client.compose_acks(self._ledger.settle(arrivals))
        if answers:
            self._transport.post(answers)

    def _shortfalls(self, verdicts: list[Verdict]) -> list[ConnectionEvent]:
        """What to say of subscriptions with less quality of service than was asked for."""
        asked = [(self._asked.pop(each.request, 0), each) for each in verdicts]
        return [
            Fault(time.monotonic_ns(), f"QoS {each.codes[0]} is granted where {qos} was asked for")
            for qos, each in asked
            if each.failure is None and each.codes and each.codes[0] < qos
        ]

    def _tell_of_strangers(self, events: list[ConnectionEvent]) -> None:
        if self._strangers_told or time.monotonic_ns() - self._subscribed_ns < STRANGERS_AFTER_NS:
            return
        topic = self._messages.strangers()
        if topic is not None:
            self._strangers_told = True
            events.append(
                Fault(
                    time.monotonic_ns(),
                    f"messages of {topic} come for an earlier subscription of this client id; they are left with the "
                    "broker, which may send nothing else while they are",
                )
            )

    def on_closed(self, reason: str) -> None:
        """Nothing more comes; called last from the reading thread."""
        expected = self._ending.begun
        reason = "closed" if expected else self._explained(reason)
        self._receipts.lose(reason)
        # Whoever comes back takes the session over in its turn, and so on for ever.
        error = RefusedError(reason) if _is_taken_over(self._client.goodbye) and not expected else None
        self._ending.emit([Disconnected(time.monotonic_ns(), expected, reason, error)])

    def _explained(self, reason: str) -> str:
        return f"{reason}{_SAME_ID}" if reason == HUNG_UP and self._terms.named else reason

    def submit(self, message: Outgoing, *, confirmation: Confirmation = Confirmation.BROKER) -> PendingPublish:
        """See `Connection.submit`. At QoS 0 no broker confirms, and the outcome is SOCKET at most."""
        self._ending.refuse_in_sink()
        self._terms.refusals.refuse_message(message)
        name = self._names.get(message.topic) or self._name(message.topic)
        qos = _qos(message, confirmation)
        properties = encode(message) if self._terms.properties else b""
        self._terms.offer.refuse_publish(qos, _size(name, message.payload, qos, properties), retain=message.retain)
        if self._receipts.lost is not None:
            return Settled(self._receipts.lost)
        pending: PendingPublish
        if qos:
            pending, packet = self._compose_confirmed(message, name, qos, properties)
            if not packet:
                return pending
        else:
            pending = Settled(Confirmed(min(confirmation, Confirmation.SOCKET)))
            packet = self._client.outbox.compose(name, message.payload, 0, properties, retain=message.retain)[1]
        try:
            if qos and confirmation is Confirmation.BROKER and len(self._receipts) > 1:
                # Others are under way, so that more may follow: a write for each costs more than all the rest.
                self._transport.leave(packet)
            else:
                self._transport.write(packet)
        except OSError as error:
            # The reading thread ends now, and with it this request.
            reason = self._broke(error)
            return pending if qos else Settled(Unknown(reason, UnknownCause.LOST))
        with self._counting:
            self._messages_out += 1
        return pending if confirmation is Confirmation.BROKER else Settled(Confirmed(confirmation))

    def _compose_confirmed(
        self, message: Outgoing, name: bytes, qos: int, properties: bytes
    ) -> tuple[PendingPublish, bytes]:
        # One at a time: what is under way must not exceed the window (MQTT 5, 4.9). Writing is without this lock.
        with self._submitting:
            if not self._receipts.wait_for_room(self._terms.offer.in_flight, ROOM_WITHIN_S):
                return Settled(_NO_ROOM), b""
            mid, packet = self._client.outbox.compose(name, message.payload, qos, properties, retain=message.retain)
            return self._receipts.open(str(mid)), packet

    def _name(self, topic: Topic) -> bytes:
        if len(self._names) >= TOPICS_KEPT:
            self._names.clear()
        name = to_mqtt(topic, self.greeting.dialect).encode()
        written = self._names[topic] = len(name).to_bytes(2, "big") + name
        return written

    def _broke(self, error: OSError) -> str:
        reason = f"the connection broke: {error.strerror or error}"
        self._transport.kill(reason)
        return reason

    def subscribe(self, spec: SubscribeSpec, *, timeout_s: float) -> SubscriptionId:
        """See `Connection.subscribe`. One connection has one subscription to a topic filter."""
        self._ending.refuse_in_sink()
        self._terms.refusals.refuse_subscription(spec)
        if spec.qos == 0 and spec.ack_mode is not AckMode.AUTO:
            raise UsageError("at QoS 0 nothing is acknowledged", hint="use --qos 1, or leave out --ack")
        pattern = self._pattern(spec)
        subscription = self._messages.begin(pattern, spec)
        qos = self._subscribe_qos(spec)
        try:
            request, packet = self._client.compose_subscribe(
                pattern, qos, skip_retained=spec.retained is Retained.SKIP, headers=spec.headers
            )
            self._asked[request] = qos
            self._ask(f"subscribe to {pattern}", request, packet, timeout_s)
        except ValueError as error:
            self._messages.end(subscription)
            raise UsageError(f"MQTT has no such subscription: {pattern!r} ({error})") from error
        except BaseException:
            self._messages.end(subscription)
            raise
        self._subscribed_ns = time.monotonic_ns()
        return subscription

    def _subscribe_qos(self, spec: SubscribeSpec) -> int:
        if spec.qos is not None:
            return spec.qos
        careful = self._terms.remembered or spec.ack_mode is not AckMode.AUTO
        return USUAL_QOS if careful else self._terms.offer.usual_qos

    def _pattern(self, spec: SubscribeSpec) -> str:
        pattern = to_mqtt(spec.topic, self.greeting.dialect, subscribing=True)
        wildcard = MQTT_ONE_LEVEL in pattern or MQTT_SUBTREE in pattern
        if spec.shared is not None:
            if not spec.shared or any(sign in spec.shared for sign in ("/", MQTT_ONE_LEVEL, MQTT_SUBTREE)):
                raise UsageError(f"a group of subscribers has a name without '/', '+' and '#', not {spec.shared!r}")
            pattern = f"{MQTT_SHARED_PREFIX}{spec.shared}/{pattern}"
        self._terms.offer.refuse_subscription(
            wildcard=wildcard,
            shared=pattern.startswith(MQTT_SHARED_PREFIX),
            retained_only=spec.retained is Retained.ONLY,
        )
        return pattern

    def unsubscribe(self, subscription: SubscriptionId, *, timeout_s: float, forget: bool = False) -> None:
        """See `Connection.unsubscribe`."""
        self._ending.refuse_in_sink()
        pattern = self._messages.pattern(subscription)
        if pattern is None:
            raise UsageError(f"no such subscription: {subscription!r}")
        if forget:
            raise UsageError("only a durable subscription can be forgotten")
        request, packet = self._client.compose_unsubscribe(pattern)
        self._ask("unsubscribe", request, packet, timeout_s)
        self._messages.end(subscription)

    def _ask(self, what: str, request: str, packet: bytes, timeout_s: float) -> None:
        """Send a packet that is answered, and wait for the answer."""
        deadline = time.monotonic() + timeout_s
        pending = self._receipts.open(request)
        try:
            self._transport.write(packet, deadline)
        except TimeoutError:
            self._transport.kill("the broker stopped reading")
        except OSError as error:
            self._broke(error)
        outcome = pending.outcome(deadline - time.monotonic())
        if isinstance(outcome, Unknown):
            self._receipts.forget(pending)
        demand(outcome, what, timeout_s)

    def ack(self, token: AckToken) -> None:
        """See `Connection.ack`. It leaves when all that came earlier over this connection is acknowledged too."""
        self._ending.refuse_in_sink()
        ready = self._ledger.use(token)
        if self._receipts.lost is not None:
            raise ConnectionLost(self._receipts.lost.reason)
        self._transport.post(self._client.compose_acks(ready))

    def nack(self, token: AckToken) -> None:  # noqa: ARG002 - the interface's
        """MQTT has none."""
        self._ending.refuse_in_sink()
        raise UnsupportedError("MQTT has no negative acknowledgement")

    def begin(self) -> Transaction:
        """MQTT has none."""
        raise self._terms.refusals.no_transactions()

    def stats(self) -> ConnectionStats:
        """See `Connection.stats`."""
        return ConnectionStats(
            messages_in=self._messages.count,
            messages_out=self._messages_out,
            bytes_in=self._transport.bytes_in,
            bytes_out=self._transport.bytes_out,
        )

    def close(self, *, timeout_s: float = 5.0) -> None:
        """See `Connection.close`."""
        self._ending.close(timeout_s, self._say_goodbye)

    def _say_goodbye(self, deadline: float) -> None:
        """DISCONNECT, after all that is under way; then the broker hangs up, having read it (MQTT 3.1.1, 3.14.4).

        Closed from our side first, with bytes unread, the system would take back what the broker has not read.
        """
        self._receipts.wait_until_empty(deadline - time.monotonic())
        with contextlib.suppress(OSError):
            if self._transport.flush(deadline):
                self._transport.write(self._client.compose_disconnect(), deadline)
                self._transport.ended_within(deadline - time.monotonic())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _outcome(verdict: Verdict) -> PublishOutcome:
    return _CONFIRMED if verdict.failure is None else Rejected(verdict.failure)


def _is_taken_over(goodbye: Goodbye | None) -> bool:
    return goodbye is not None and goodbye.code == TAKEN_OVER


def _farewell(goodbye: Goodbye | None) -> str | None:
    if goodbye is None:
        return None
    hint = hint_of(goodbye.code)
    return f"the broker disconnected: {goodbye.words}{f' ({hint})' if hint else ''}"


def _qos(message: Outgoing, confirmation: Confirmation) -> int:
    """What the message travels with: confirmed and persistent ones at least with QoS 1, unless the user says less."""
    if message.qos is None:
        return USUAL_QOS if message.persistent or confirmation is Confirmation.BROKER else 0
    if message.qos == 0 and message.persistent:
        raise UsageError("at QoS 0 no broker keeps a message, so it cannot be persistent")
    return message.qos


def _size(name: bytes, payload: bytes, qos: int, properties: bytes) -> int:
    """Bytes of a PUBLISH."""
    rest = len(name) + (2 if qos else 0) + len(properties) + len(payload)
    return 2 + (rest > 0x7F) + (rest > 0x3FFF) + (rest > 0x1F_FFFF) + rest
