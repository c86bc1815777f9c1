"""The broker that a hub stands in front of: a connection with threads on one side, the hub's loop on the other."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic_ns
from types import TracebackType
from typing import Final, Self, assert_never

from mqctl.adapters.base import Connection, EventSink, SubscribeSpec
from mqctl.adapters.inbox import Inbox
from mqctl.broker.refusals import LimitExceeded
from mqctl.broker.values import DropReason, Message
from mqctl.errors import MqctlError, RefusedError
from mqctl.hub.events import MessagesDropped, UpstreamBack, UpstreamLost
from mqctl.hub.exchange import Exchange, Port
from mqctl.hub.upstream import Settled, UpstreamStats
from mqctl.model import (
    Confirmation,
    Confirmed,
    Connected,
    ConnectionEvent,
    Delivery,
    Dialect,
    Disconnected,
    Fault,
    Interrupted,
    Overflowed,
    PublishOutcome,
    Rejected,
    Resumed,
    Retained,
    Unknown,
)
from mqctl.target import Target, is_clean
from mqctl.upstream.scope import Scope
from mqctl.upstream.sender import Letter, Sender, Verdict
from mqctl.upstream.translation import Translator

SUBSCRIBE_S: Final = 10.0
"""How long the broker may take to confirm a subscription."""
INBOX_MAX: Final = 20_000
"""Messages from the broker that the hub has not looked at; then the connection is not read for a while."""
EVENTS_PER_TURN: Final = 1_000
"""Of the broker's, between two turns of everybody else's."""
RETRY_S: Final = 0.01
"""How soon a message is offered again for which the hub had no room."""
COMPLAINTS_MAX: Final = 100
"""Different ones that are made."""
WAITING_MAX: Final = 10_000
WAITING_BYTES_MAX: Final = 64 * 2**20
"""Messages on their way to the broker, and their payloads. A publisher is refused beyond that."""
_PASSING: Final = frozenset({"memory_bytes", "backlog_messages", "backlog_bytes"})
"""Limits of the hub's that subscribers make room within; only `--slow-consumer block` tells of them."""
_SCOPE_HINT: Final = "--upstream-topic says which topics are there, such as sensors.**"
_HIGH, _LOW = 0.8, 0.5
"""Filled so far, publishers are held; so far, they are let go on."""

Outage = Interrupted | Resumed | Disconnected | Fault
"""What happens to the connection."""


class Bridge:
    """Carries messages between a hub and its broker; see `mqctl.hub.upstream.Upstream`.

    Made before the hub is: it is connected and subscribed, or it raises. `close` comes after the hub's end.

    Args:
        connect: Connects, given a sink of events, for as long as `close` was not called.
        scope: The topics that are the broker's.
        target: The broker, as `connect` knows it.
        heed: Called in the hub's thread with what happens to the connection, and once with each thing that is wrong.

    Raises:
        MqctlError: As `Adapter.connect` and `Connection.subscribe`.
    """

    def __init__(
        self,
        connect: Callable[[EventSink], Connection],
        scope: Scope,
        *,
        target: Target,
        heed: Callable[[Outage], None],
    ) -> None:
        self.serves = scope.covers
        self._heed = heed
        self._translator = Translator(secrets.token_hex(8), dotted=target.scheme.startswith("stomp"))
        self._inbox = Inbox(limit=INBOX_MAX)
        self._exchange: Exchange | None = None
        self._due = False
        self._taken: deque[ConnectionEvent] = deque()
        self._complaints: set[str] = set()
        self._outbox: list[Letter] = []
        self._held: set[Port] = set()
        self._settled = asyncio.Event()
        self._counts = dict.fromkeys(("forwarded", "confirmed", "rejected", "unknown", "received", "dropped"), 0)
        self._waiting = self._waiting_bytes = 0
        self._connected = True
        self.connection = connection = connect(self._sink)
        for topic in scope.subscriptions():
            # What a broker keeps for newcomers would come again with each connection.
            spec = SubscribeSpec(topic=topic, retained=Retained.SKIP, qos=_qos(target))
            try:
                connection.subscribe(spec, timeout_s=SUBSCRIBE_S)
            except RefusedError as error:
                error.hint = _SCOPE_HINT
                raise
        self._to_hub = connection.greeting.dialect is Dialect.HUB or target.scheme.startswith("bayeux")
        self._sender = Sender(connection, self._judged)

    def close(self) -> None:
        """Send nothing more."""
        self._sender.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def attach(self, exchange: Exchange) -> None:
        """See `Upstream.attach`."""
        self._exchange = exchange
        exchange.loop.call_soon(self._drain_inbox)

    def detach(self) -> None:
        """See `Upstream.detach`."""
        self._exchange = None

    def forward(self, port: Port, message: Message, now_ns: int, settled: Settled) -> None:
        """See `Upstream.forward`. A publisher whose messages pile up is held, and refused where it can't be."""
        self._check_room()
        outgoing = self._translator.outgoing(message, now_ns, to_hub=self._to_hub)
        if outgoing.expires_ms is not None and outgoing.expires_ms <= 0:
            self._drop(str(message.address), DropReason.EXPIRED)
            self._hub.loop.call_soon(settled, Confirmed(Confirmation.NONE))
            return
        if not self._outbox:
            self._hub.loop.call_soon(self._post)
        self._outbox.append(Letter(outgoing, settled))
        self._counts["forwarded"] += 1
        self._count_waiting(outgoing.payload, 1)
        if self._filled_to(_HIGH):
            self._held.add(port)
            port.hold()

    def stats(self) -> UpstreamStats:
        """See `Upstream.stats`."""
        return UpstreamStats(connected=self._connected, waiting=self._waiting, **self._counts)

    async def drain(self, timeout_s: float) -> None:
        """See `Upstream.drain`."""
        self._settled.clear()
        if self._waiting:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._settled.wait(), timeout_s)

    @property
    def _hub(self) -> Exchange:
        assert self._exchange is not None
        return self._exchange

    def _check_room(self) -> None:
        if self._waiting >= WAITING_MAX:
            raise LimitExceeded("upstream_messages", WAITING_MAX)
        if self._waiting_bytes >= WAITING_BYTES_MAX:
            raise LimitExceeded("upstream_bytes", WAITING_BYTES_MAX)

    def _filled_to(self, share: float) -> bool:
        return self._waiting >= share * WAITING_MAX or self._waiting_bytes >= share * WAITING_BYTES_MAX

    def _count_waiting(self, payload: bytes, sign: int) -> None:
        self._waiting += sign
        self._waiting_bytes += sign * len(payload)

    def _post(self) -> None:
        letters, self._outbox = self._outbox, []
        self._sender.post(letters)

    def _judged(self, verdicts: Sequence[Verdict]) -> None:
        """From the sender's thread."""
        exchange = self._exchange
        if exchange is not None:
            with suppress(RuntimeError):  # the loop is closed
                exchange.loop.call_soon_threadsafe(self._settle, verdicts)

    def _settle(self, verdicts: Sequence[Verdict]) -> None:
        for letter, outcome in verdicts:
            self._count_waiting(letter.message.payload, -1)
            self._counts[_kind(outcome)] += 1
            if isinstance(outcome, Rejected):
                self._complain(f"refused: {outcome.reason}")
            letter.settled(outcome)
        if not self._waiting:
            self._settled.set()
        if self._held and not self._filled_to(_LOW):
            held, self._held = self._held, set()
            for port in held:
                port.release()

    def _sink(self, events: Sequence[ConnectionEvent]) -> None:
        """From the transport's thread, which waits here while the hub has too much to look at."""
        self._inbox.put_batch(events)
        exchange = self._exchange
        if exchange is not None and not self._due:
            self._due = True
            with suppress(RuntimeError):  # the loop is closed
                exchange.loop.call_soon_threadsafe(self._drain_inbox)

    def _drain_inbox(self) -> None:
        # Before the look, so that what comes after it is looked at again.
        self._due = False
        if self._exchange is None:
            return
        self._taken = self._taken or deque(self._inbox.take(0, max_events=EVENTS_PER_TURN))
        while self._taken:
            event = self._taken.popleft()
            try:
                self._take(event)
            except LimitExceeded:
                # Publishers are held where the hub has no room, and the broker is one.
                self._taken.appendleft(event)
                self._due = True
                self._hub.loop.call_later(RETRY_S, self._drain_inbox)
                return
        if len(self._inbox):
            self._due = True
            self._hub.loop.call_soon(self._drain_inbox)

    def _take(self, event: ConnectionEvent) -> None:
        match event:
            case Delivery():
                self._give(event)
            case Overflowed(dropped=count):
                self._drop("/topic/**", DropReason.SLOW_CONSUMER, count)
            case Interrupted(reason=reason) | Disconnected(reason=reason):
                self._connected = False
                self._hub.tell(UpstreamLost(reason))
                self._heed(event)
            case Resumed(peer=peer, attempts=attempts, missing_ns=missing_ns):
                self._connected = True
                self._hub.tell(UpstreamBack(peer, attempts, missing_ns // 1_000_000))
                self._heed(event)
            case Fault():
                self._heed(event)
            case Connected():
                pass
            case _:
                assert_never(event)

    def _give(self, delivery: Delivery) -> None:
        exchange = self._hub
        try:
            message = self._translator.message(delivery, exchange.next_message_id())
            if message is not None:
                exchange.apply(exchange.broker.publish(None, message, delivery.received_ns))
        except MqctlError as error:
            if isinstance(error, LimitExceeded) and error.limit in _PASSING:
                raise
            self._drop(delivery.topic, str(error))
            self._complain(f"dropped: {error}")
        self._counts["received"] += 1

    def _complain(self, reason: str) -> None:
        """Say it, once."""
        if reason not in self._complaints and len(self._complaints) < COMPLAINTS_MAX:
            self._complaints.add(reason)
            self._heed(Fault(monotonic_ns(), reason))

    def _drop(self, destination: str, reason: str, count: int = 1) -> None:
        self._counts["dropped"] += count
        self._hub.tell(MessagesDropped(destination, count, reason, None))


def _qos(target: Target) -> int | None:
    """What MQTT is subscribed to with; None leaves it to the transport.

    Mosquitto drops what is published faster than it is acknowledged beyond a thousand messages, and acknowledging is
    slow. Without a session that outlives the connection it gains nothing.
    """
    lasting = not is_clean(target.mqtt.clean, target.client_id)
    return 0 if target.scheme.startswith("mqtt") and not lasting else None


def _kind(outcome: PublishOutcome) -> str:
    match outcome:
        case Confirmed():
            return "confirmed"
        case Rejected():
            return "rejected"
        case Unknown():
            return "unknown"
        case _:
            assert_never(outcome)
