"""A STOMP connection of the hub: the socket on one side, the pure session and the broker on the other."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterator, Sequence
from functools import lru_cache
from time import monotonic_ns
from typing import assert_never, cast

from mqctl import topics
from mqctl.broker.effects import Deliver, Effect
from mqctl.broker.ledger import Subscriber
from mqctl.broker.refusals import AddressRefused, UnknownDelivery
from mqctl.broker.values import Address, AddressKind, Message
from mqctl.errors import RefusedError, TopicError
from mqctl.hub.config import HubConfig
from mqctl.hub.events import SessionClosed, SessionOpened
from mqctl.hub.exchange import Exchange
from mqctl.hub.message_ids import MessageIds
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
    Unsubscribe,
)
from mqctl.protocols.stomp.server import ServerSession
from mqctl.protocols.stomp.spec import Header, Version

_NS_PER_S = 1_000_000_000
_NS_PER_MS = 1_000_000
_DIGITS_MAX = 18


class StompPort(asyncio.Protocol):
    """One connection. It is the broker's session, and a `Port` of the exchange."""

    def __init__(self, config: HubConfig, exchange: Exchange, ports: set[StompPort], name: str, server: str) -> None:
        self.name = name
        self.closed = exchange.loop.create_future()
        self._config = config
        self._exchange = exchange
        self._broker = exchange.broker
        self._ports = ports
        self._session = ServerSession(
            limits=config.stomp_limits,
            server_name=server,
            session_id=name,
            heart_beat_ms=(config.heart_beat_ms, config.heart_beat_ms),
            authenticate=config.authenticate,
            now_ns=monotonic_ns(),
        )
        self._requests: deque[Iterator[Request]] = deque()
        self._old_ids = MessageIds()
        self._peer = "?"
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ns = 0
        self._dirty = False
        self._held = False
        self._choked = False
        self._more_waits = False
        self._draining = False

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet a new connection, or turn it away when there are too many."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=self._config.write_buffer_bytes)
        self._peer = "{}:{}".format(*transport.get_extra_info("peername")[:2])
        self._ports.add(self)
        bound = self._config.broker_limits.connections
        if len(self._ports) > bound:
            self._session.refuse(None, f"too many connections (limit: connections, {bound})")
        self._finish(monotonic_ns())

    def data_received(self, data: bytes) -> None:
        """Act on what the client sent."""
        now_ns = monotonic_ns()
        self._requests.append(self._session.receive(data, now_ns))
        self._work(now_ns)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give back what the client had in flight."""
        self._ports.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        self._exchange.apply(self._broker.close(self, monotonic_ns()))
        reason = self._session.close_reason or (f"connection lost: {exc}" if exc else "the client hung up")
        self._exchange.tell(SessionClosed(self.name, self._peer, reason))
        if not self.closed.done():
            self.closed.set_result(None)

    def pause_writing(self) -> None:
        """The client reads more slowly than it is sent to."""
        self._choked = True
        self._broker.pause(self)

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._choked = False
        self._resume()

    # Port

    def send(self, message_: Message, subscriber: Subscriber, frames: dict[object, bytes]) -> None:
        """Put a message into the outbox."""
        wire = subscriber.wire or self._wire(subscriber)
        frame = frames.get(wire)
        if frame is None:
            frame = frames[wire] = message(_head(message_, wire[0]), message_.payload, wire[1])
        self._session.write(frame)
        self._mark_dirty()

    def deliver(self, effect: Deliver) -> None:
        """Put a message into the outbox that may have to be acknowledged."""
        version, subscription = effect.subscriber.wire or self._wire(effect.subscriber)
        ack = None
        if effect.delivery_id is not None:
            if version is Version.V1_2:
                ack = str(effect.delivery_id).encode()
            else:
                self._old_ids.note(effect.subscriber, effect.message.id, effect.delivery_id)
        head = _head(effect.message, version)
        self._session.write(message(head, effect.message.payload, subscription, ack, redelivered=effect.redelivered))
        self._mark_dirty()

    def flush(self, now_ns: int) -> None:
        """Write the outbox, and close if that was the last of it."""
        self._dirty = False
        output = self._session.take_output()
        if self._transport.is_closing():
            return
        if output:
            self._transport.write(output)
            self._session.wrote(now_ns)
        if self._session.closing or (self._draining and not self._choked and not self._more_waits):
            self._transport.close()
            # A client that does not read would keep the rest of its output, and itself, here for ever.
            self._exchange.loop.call_later(self._config.drain_s, self._transport.abort)

    def hold(self) -> None:
        """Take no more requests until `release`."""
        self._held = True
        self._transport.pause_reading()

    def release(self) -> None:
        """Take requests again, those that waited first."""
        self._held = False
        if not self._transport.is_closing():
            self._transport.resume_reading()
            self._exchange.loop.call_soon(lambda: self._work(monotonic_ns()))

    def unfinished(self) -> None:
        """Ask the broker for more once the socket has taken what it was given."""
        self._more_waits = True
        self._exchange.loop.call_soon(self._take_more)

    def evict(self, reason: str) -> None:
        """Say why and close."""
        self._session.refuse(None, reason)
        self._mark_dirty()

    # Life

    def drain(self) -> asyncio.Future[None]:
        """Take no more requests, write what is on its way, close; the result is there when that is done."""
        self._draining = True
        if not self._transport.is_closing():
            self._transport.pause_reading()
        self._mark_dirty()
        return self.closed

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    def _mark_dirty(self) -> None:
        if not self._dirty:
            self._dirty = True
            self._exchange.mark_dirty(self)

    def _take_more(self) -> None:
        if self._more_waits and not self._choked:
            self._resume()

    def _resume(self) -> None:
        self._more_waits = False
        self._exchange.apply(self._broker.resume(self, monotonic_ns()))
        self._mark_dirty()

    def _work(self, now_ns: int) -> None:
        while self._requests and not self._held and not self._draining:
            request = next(self._requests[0], None)
            if request is None:
                self._requests.popleft()
            else:
                self._act(request, now_ns)
        self._finish(now_ns)

    def _finish(self, now_ns: int) -> None:
        """Leave nothing unwritten, and a timer set for what the session waits for."""
        self._mark_dirty()
        deadline_ns = self._session.next_deadline_ns()
        if deadline_ns is not None and (self._timer is None or deadline_ns < self._timer_ns):
            if self._timer is not None:
                self._timer.cancel()
            self._timer_ns = deadline_ns
            delay_s = max(0, deadline_ns - now_ns) / _NS_PER_S
            self._timer = self._exchange.loop.call_later(delay_s, self._on_time)

    def _on_time(self) -> None:
        now_ns = monotonic_ns()
        self._timer = None
        if self._held:
            # It is we who do not listen, so silence proves nothing against the client.
            self._session.heard(now_ns)
        self._session.tick(now_ns)
        self._finish(now_ns)

    def _act(self, request: Request, now_ns: int) -> None:
        receipt = None if isinstance(request, Connect) else request.receipt
        try:
            effects = self._do(request, now_ns)
        except RefusedError as error:
            self._session.refuse(receipt, str(error), error.hint or "")
            return
        # The broker has done it by now; its messages follow, so that a subscription is known before it delivers.
        self._session.receipt(receipt)
        self._exchange.apply(effects)

    def _do(self, request: Request, now_ns: int) -> Sequence[Effect]:  # noqa: PLR0911 - one for each request
        broker = self._broker
        match request:
            case Send():
                return broker.publish(self, self._message(request, now_ns), now_ns)
            case Ack():
                return broker.ack(self, self._delivery(request), now_ns)
            case Nack():
                return broker.nack(self, self._delivery(request), now_ns)
            case Subscribe():
                return broker.subscribe(
                    self,
                    request.id,
                    address_of(request.destination),
                    ack_mode=request.ack,
                    prefetch=request.prefetch,
                    durable=request.durable,
                    now_ns=now_ns,
                )
            case Unsubscribe(id=key, durable=durable):
                self._old_ids.forget(key)
                return broker.unsubscribe(self, key, forget=durable is not None, now_ns=now_ns)
            case Commit(requests=requests):
                return [effect for each in requests for effect in self._do(each, now_ns)]
            case Disconnect():
                return broker.close(self, now_ns)
            case Connect():
                broker.open(self, request.client_id)
                protocol = f"STOMP {request.version}"
                self._exchange.tell(SessionOpened(self.name, self._peer, protocol, request.client_id))
                return ()
            case _:
                assert_never(request)

    def _message(self, request: Send, now_ns: int) -> Message:
        expires_at_ns = None
        if request.expires_at_ms is not None:
            expires_at_ns = now_ns + request.expires_at_ms * _NS_PER_MS - time.time_ns()
        return Message(
            id=self._exchange.next_message_id(),
            address=address_of(request.destination),
            payload=request.body,
            headers=request.headers,
            persistent=request.persistent,
            expires_at_ns=expires_at_ns,
        )

    def _delivery(self, request: Ack | Nack) -> int:
        """The broker's number of a delivery: what 1.2 acknowledges by; the older versions name the message."""
        if self._session.version is not Version.V1_2:
            return self._old_ids.take(request.id, request.subscription)
        if request.id.isascii() and request.id.isdigit() and len(request.id) <= _DIGITS_MAX:
            return int(request.id)
        raise UnknownDelivery(f"no message was sent with the ack id {request.id[:64]!r}")

    def _wire(self, subscriber: Subscriber) -> tuple[Version, bytes]:
        """What a subscriber's frames have in common: the version, and the line that names the subscription."""
        version = self._session.version
        assert version is not None
        subscriber.wire = wire = (version, header_line(Header.SUBSCRIPTION, subscriber.key, version))
        return wire


@lru_cache(maxsize=4096)
def address_of(destination: str) -> Address:
    """Where a destination leads.

    Raises:
        AddressRefused: It is neither a topic nor a queue, or its name is malformed.
    """
    if destination.startswith(topics.STOMP_TOPIC_PREFIX):
        try:
            levels = topics.parse_stomp_pattern(destination.removeprefix(topics.STOMP_TOPIC_PREFIX))
        except TopicError as error:
            raise AddressRefused(str(error), hint=error.hint) from error
        return Address(AddressKind.TOPIC, ".".join(levels))
    name = destination.removeprefix(topics.STOMP_QUEUE_PREFIX)
    if name == destination or not name:
        raise AddressRefused(f"no destination {destination[:64]!r}: this hub has /topic/NAME and /queue/NAME")
    return Address(AddressKind.QUEUE, name)


def _head(message_: Message, version: Version) -> bytes:
    head = message_.wire.get(version)
    if head is None:
        head = message_.wire[version] = message_head(
            str(message_.address), message_.id, message_.headers, len(message_.payload), version
        )
    return cast("bytes", head)
