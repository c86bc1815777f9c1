"""A STOMP connection at the hub: its session as it is, between a simulated wire and the broker."""

from __future__ import annotations

from typing import assert_never

from mqctl.broker.effects import Deliver, Effect
from mqctl.broker.ledger import Subscriber
from mqctl.broker.values import Address, AddressKind, Message
from mqctl.errors import RefusedError
from mqctl.experiments.simulation.hub import Hub
from mqctl.experiments.simulation.wire import Pipe
from mqctl.protocols.stomp.codec import header_line, message, message_head
from mqctl.protocols.stomp.requests import (
    Ack,
    Commit,
    Connect,
    Disconnect,
    Nack,
    Request,
    Send,
    Subscribe,
    Transactable,
    Unsubscribe,
)
from mqctl.protocols.stomp.server import ServerSession
from mqctl.protocols.stomp.spec import Header, Limits, Version
from mqctl.topics import STOMP_QUEUE_PREFIX, STOMP_TOPIC_PREFIX

_VERSION = Version.V1_2


class StompPort:
    """What `mqctl.hub.stomp_port` is to a socket. It speaks STOMP 1.2 without heart-beats.

    Args:
        hub: Whose it is.
        down: Takes what it sends.
        window_bytes: Beyond so many on their way, it sends no more messages.
    """

    def __init__(self, hub: Hub, down: Pipe, window_bytes: int) -> None:
        self._hub, self._broker, self._world = hub, hub.broker, hub.world
        self._down, self._window_bytes = down, window_bytes
        self._session = ServerSession(
            limits=Limits(),
            server_name="mqctl",
            session_id="simulated",
            heart_beat_ms=(0, 0),
            authenticate=lambda _login, _passcode: True,
            now_ns=self._world.now_ns,
        )
        self._choked = self._more_waits = False
        down.relief = self._relieve

    def receive(self, data: bytes) -> None:
        """Act on what the client sent."""
        self._hub.soil(self)
        for request in self._session.receive(data, self._world.now_ns):
            self._act(request)
        self._hub.flush()

    def lost(self) -> None:
        """Give back what the client had in flight."""
        self._hub.apply(self._broker.close(self, self._world.now_ns))
        self._hub.flush()

    def send(self, message_: Message, subscriber: Subscriber) -> None:
        """Put a message into the outbox."""
        self._session.write(message(_head(message_), message_.payload, _subscription(subscriber)))

    def deliver(self, effect: Deliver) -> None:
        """Put a message into the outbox that may have to be acknowledged."""
        sent, ack = effect.message, None if effect.delivery_id is None else b"%d" % effect.delivery_id
        subscription = _subscription(effect.subscriber)
        self._session.write(message(_head(sent), sent.payload, subscription, ack, redelivered=effect.redelivered))

    def unfinished(self) -> None:
        """Ask the broker for more when there is room."""
        self._more_waits = True
        self._world.after(0, self._relieve)

    def flush(self) -> None:
        """Send what is in the outbox."""
        self._down.send(self._session.take_output())
        if self._down.under_way > self._window_bytes and not self._choked:
            self._choked = True
            self._broker.pause(self)

    def _relieve(self) -> None:
        """Go on, if that was wanted and much of what was under way has come."""
        if (self._choked or self._more_waits) and self._down.under_way <= self._window_bytes // 2:
            self._choked = self._more_waits = False
            self._hub.apply(self._broker.resume(self, self._world.now_ns))
            self._hub.flush()

    def _act(self, request: Request) -> None:
        receipt = None if isinstance(request, Connect) else request.receipt
        try:
            effects = self._do(request)
        except RefusedError as error:
            self._session.refuse(receipt, str(error))
            return
        # A subscription is to be known before it delivers.
        self._session.receipt(receipt)
        self._hub.apply(effects)

    def _do(self, request: Request) -> list[Effect]:
        broker, now_ns = self._broker, self._world.now_ns
        match request:
            case Send() | Ack() | Nack():
                return self._handle(request)
            case Subscribe(id=key, ack=ack, prefetch=prefetch):
                address = _address(request.destination)
                return broker.subscribe(self, key, address, ack_mode=ack, prefetch=prefetch, now_ns=now_ns)
            case Connect():
                broker.open(self)
                return []
            case Unsubscribe() | Commit() | Disconnect():
                raise RefusedError(f"nobody does this in a simulation: {type(request).__name__}")
            case _:
                assert_never(request)

    def _handle(self, request: Transactable) -> list[Effect]:
        broker, now_ns = self._broker, self._world.now_ns
        match request:
            case Send():
                made = Message(
                    id=self._hub.next_message_id(),
                    address=_address(request.destination),
                    payload=request.body,
                    headers=request.headers,
                    persistent=request.persistent,
                )
                return broker.publish(self, made, now_ns)
            case Ack(id=delivery):
                return broker.ack(self, int(delivery), now_ns)
            case Nack(id=delivery):
                return broker.nack(self, int(delivery), now_ns)
            case _:
                assert_never(request)


def _address(destination: str) -> Address:
    if destination.startswith(STOMP_TOPIC_PREFIX):
        return Address(AddressKind.TOPIC, destination.removeprefix(STOMP_TOPIC_PREFIX))
    return Address(AddressKind.QUEUE, destination.removeprefix(STOMP_QUEUE_PREFIX))


def _head(sent: Message) -> bytes:
    return message_head(str(sent.address), sent.id, sent.headers, len(sent.payload), _VERSION)


def _subscription(subscriber: Subscriber) -> bytes:
    return header_line(Header.SUBSCRIPTION, subscriber.key, _VERSION)
