"""Where the probing happens: connections that are closed again, names of its own, and waiting for messages."""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from mqctl import topics
from mqctl.adapters.base import Adapter, Connection, SubscribeSpec
from mqctl.adapters.inbox import Inbox
from mqctl.errors import ConnectionLost, MqctlError, OperationTimeout, RefusedError
from mqctl.model import Confirmed, Delivery, Disconnected, Outgoing, PublishOutcome, Rejected, SubscriptionId, Topic
from mqctl.target import MqttOptions, Target
from mqctl.topics import STOMP_QUEUE_PREFIX

PATIENCE_S: Final = 5.0
"""How long to wait for what should come."""

DEFAULT_PREFIX: Final = "mqctl.probe"


class Visit:
    """One connection and what arrived on it."""

    def __init__(self, ground: Ground, connection: Connection, inbox: Inbox) -> None:
        self.connection = connection
        self.deliveries: list[Delivery] = []
        self._ground = ground
        self._inbox = inbox

    @property
    def payloads(self) -> list[bytes]:
        """What the messages so far carried."""
        return [delivery.payload for delivery in self.deliveries]

    def subscribe(self, topic: Topic, **more: object) -> SubscriptionId:
        """Subscribe; `more` are fields of `SubscribeSpec`."""
        spec = SubscribeSpec(topic=topic, **more)  # type: ignore[arg-type]  # fields by name
        return self.connection.subscribe(spec, timeout_s=self._ground.patience_s)

    def submit(self, topic: Topic, payload: bytes, **more: object) -> PublishOutcome:
        """Publish, and wait for what becomes of it; `more` are fields of `Outgoing`."""
        message = Outgoing(topic=topic, payload=payload, **more)  # type: ignore[arg-type]  # fields by name
        return self.connection.submit(message).outcome(self._ground.patience_s)

    def publish(self, topic: Topic, *payloads: bytes, **more: object) -> None:
        """Publish, and see all of it confirmed.

        Raises:
            RefusedError: The broker refused one.
            OperationTimeout: It did not confirm one in time.
        """
        for payload in payloads:
            match self.submit(topic, payload, **more):
                case Confirmed():
                    pass
                case Rejected(reason):
                    raise RefusedError(reason)
                case unknown:
                    raise OperationTimeout(unknown.reason)

    def wait(self, count: int) -> bool:
        """Wait until `count` messages have come since the beginning; whether they did.

        Raises:
            ConnectionLost: The connection went away.
        """
        return self._wait(lambda: len(self.deliveries) >= count)

    def settle(self) -> None:
        """Return when a message published now has come back: what was under way before it has come too.

        Raises:
            OperationTimeout: It did not come back.
        """
        # In letters: ActiveMQ Classic takes nothing but text over WebSocket, and servers in JavaScript change numbers.
        topic, mark = self._ground.fresh_topic(), f"mark-{secrets.token_hex(8)}".encode()
        subscription = self.connection.subscribe(SubscribeSpec(topic=topic), timeout_s=self._ground.patience_s)
        self.publish(topic, mark)
        if not self._wait(lambda: mark in self.payloads):
            raise OperationTimeout("a message that was published did not come back")
        self.deliveries = [delivery for delivery in self.deliveries if delivery.payload != mark]
        self.connection.unsubscribe(subscription, timeout_s=self._ground.patience_s)

    def need(self, count: int) -> None:
        """As `wait`, where nothing can be found out without these messages.

        Raises:
            OperationTimeout: They did not come.
        """
        if not self.wait(count):
            raise OperationTimeout(f"{len(self.deliveries)} of {count} messages came")

    def ack(self, payload: bytes) -> None:
        """Acknowledge the message that carries `payload`."""
        for delivery in self.deliveries:
            if delivery.payload == payload and delivery.ack is not None:
                self.connection.ack(delivery.ack)
                delivery.ack = None

    def nack_first(self) -> None:
        """Refuse the first message that came."""
        if (token := self.deliveries[0].ack) is not None:
            self.connection.nack(token)
            self.deliveries[0].ack = None

    def ack_all(self) -> None:
        """Acknowledge every message that has come and was not acknowledged before."""
        for delivery in self.deliveries:
            if delivery.ack is not None:
                self.connection.ack(delivery.ack)
                delivery.ack = None

    def pause(self, seconds: float) -> None:
        """Let some time pass; what comes meanwhile is kept."""
        self._take(seconds)

    def _wait(self, there: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + self._ground.patience_s
        while not there() and (left_s := deadline - time.monotonic()) > 0:
            self._take(left_s)
        return there()

    def _take(self, timeout_s: float) -> None:
        for event in self._inbox.take(timeout_s):
            match event:
                case Delivery():
                    self.deliveries.append(event)
                case Disconnected(reason=reason):
                    raise ConnectionLost(f"the connection was lost: {reason}")
                case _:
                    pass


@dataclass(slots=True, kw_only=True)
class Ground:
    """A broker to try things at.

    Attributes:
        target: Where it is and as whom to come; under names of our own.
        prefix: What the names of all topics and queues begin with; no broker's own name.
        spoken: The protocol and its version, once that is known.
        left_behind: What could not be removed again, in words.
    """

    adapter: Adapter
    target: Target
    prefix: str = DEFAULT_PREFIX
    patience_s: float = PATIENCE_S
    spoken: str = ""
    left_behind: list[str] = field(default_factory=list)
    queue: Topic = field(init=False)
    """One for all: brokers that cannot delete a queue over STOMP keep its name."""

    def __post_init__(self) -> None:
        # Whom a client id belongs to would be thrown out by us, a session of theirs used up, and a last will sent.
        self.target = dataclasses.replace(
            self.target, client_id=None, mqtt=MqttOptions(version=self.target.mqtt.version)
        )
        self.queue = Topic(native=STOMP_QUEUE_PREFIX + ".".join(self.fresh_topic().levels))

    @contextlib.contextmanager
    def visit(self, **changes: object) -> Iterator[Visit]:
        """A connection, closed at the end; `changes` are fields of `Target`."""
        target = dataclasses.replace(self.target, **changes)  # type: ignore[arg-type]  # fields by name
        inbox = Inbox()
        with self.adapter.connect(target, sink=inbox.put_batch) as connection:
            yield Visit(self, connection, inbox)

    def fresh_topic(self) -> Topic:
        """A topic that nobody else uses; levels may be appended."""
        return Topic(levels=(*topics.parse(self.prefix).levels, secrets.token_hex(6)))

    def tidy(self, what: str, act: Callable[[], object]) -> None:
        """Remove something; when that fails, remember to say so. Who is refused that could not make it either."""
        try:
            act()
        except RefusedError:
            pass
        except MqctlError as error:
            self.leave(f"{what} ({error})")

    def leave(self, what: str) -> None:
        """Remember that something could not be removed, once."""
        if what not in self.left_behind:
            self.left_behind.append(what)
