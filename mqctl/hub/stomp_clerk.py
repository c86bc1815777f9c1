"""What a STOMP client asks for, asked of the broker in its terms."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import assert_never

from mqctl.broker.effects import Deliver, Effect
from mqctl.broker.refusals import UnknownDelivery
from mqctl.broker.values import Message
from mqctl.errors import RefusedError
from mqctl.hub.addresses import address_of, bounded
from mqctl.hub.events import Subscribed, Unsubscribed
from mqctl.hub.exchange import Exchange
from mqctl.hub.message_ids import MessageIds
from mqctl.hub.rules import Rules
from mqctl.hub.stomp_slips import Breakable, Slip, Slips
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
from mqctl.protocols.stomp.spec import Version, read_number

_NS_PER_MS = 1_000_000


class StompClerk:
    """Carries out the requests of one connection.

    Args:
        port: The connection, which is the broker's session.
        session: Its STOMP side, which is told what became of each request.
        exchange: The broker, and who does what it decides.
        rules: What it may ask for.
    """

    def __init__(self, port: Breakable, session: ServerSession, exchange: Exchange, rules: Rules) -> None:
        self._port = port
        self._session = session
        self._exchange = exchange
        self._rules = rules
        self._broker = exchange.broker
        self._old_ids = MessageIds()
        self._destinations: dict[str, str] = {}
        self._slips = Slips(port, session, exchange, self._see_off)
        self._slip: Slip | None = None
        self._receipt: str | None = None
        self._parting: Disconnect | None = None

    def act(self, request: Request, now_ns: int) -> None:
        """Do it and give the receipt, or refuse."""
        if not isinstance(request, Send):
            self._exchange.settle()
        if isinstance(request, Disconnect) and self._slips.open:
            self._parting = request
            self._port.hold()
            return
        receipt = None if isinstance(request, Connect) else request.receipt
        self._slip, self._receipt = None, receipt
        try:
            effects = self._commit(request, now_ns) if isinstance(request, Commit) else self._do(request, now_ns)
        except RefusedError as error:
            self._session.refuse(receipt, str(error), error.hint or "")
            return
        # The broker has done it by now; its messages follow, so that a subscription is known before it delivers.
        if self._slip is None:
            self._session.receipt(receipt)
        self._exchange.apply(effects)

    @property
    def parting(self) -> bool:
        """Whether the client has said goodbye, and is answered when all that it sent upstream has arrived."""
        return self._parting is not None

    def _see_off(self) -> None:
        request, self._parting = self._parting, None
        if request is not None:
            self.act(request, time.monotonic_ns())
            self._port.release()

    def ack_header(self, effect: Deliver, version: Version) -> bytes | None:
        """What the client acknowledges a delivery by, where that has a header of its own."""
        if effect.delivery_id is None:
            return None
        if version is Version.V1_2:
            return b"%d" % effect.delivery_id
        self._old_ids.note(effect.subscriber, effect.message.id, effect.delivery_id)
        return None

    def leave(self, now_ns: int) -> None:
        """Give up the broker's session, if there still is one: what it had in flight goes to others."""
        self._exchange.settle()
        self._exchange.apply(self._broker.close(self._port, now_ns))

    def _do(  # noqa: PLR0911 - one for each request
        self, request: Connect | Subscribe | Unsubscribe | Disconnect | Transactable, now_ns: int
    ) -> list[Effect]:
        broker, port = self._broker, self._port
        match request:
            case Send():
                return self._publish(request, now_ns)
            case Ack():
                return broker.ack(port, self._delivery(request), now_ns)
            case Nack():
                return broker.nack(port, self._delivery(request), now_ns)
            case Subscribe():
                return self._subscribe(request, now_ns)
            case Unsubscribe(id=key, durable=durable):
                self._old_ids.forget(key)
                return self._unsubscribe(key, forget=durable is not None, now_ns=now_ns)
            case Disconnect():
                return broker.close(port, now_ns)
            case Connect(client_id=client_id):
                broker.open(port, client_id and bounded(client_id))
                return []
            case _:
                assert_never(request)

    def _publish(self, request: Send, now_ns: int) -> list[Effect]:
        message = self._message(request, now_ns)
        upstream = self._exchange.upstream
        if upstream is None or not upstream.serves(message.address):
            return self._broker.publish(self._port, message, now_ns)
        slip = self._slip or Slip(self._slips, self._receipt)
        upstream.forward(self._port, message, now_ns, slip.settled)
        slip.add()
        self._slip = slip
        return []

    def _subscribe(self, request: Subscribe, now_ns: int) -> list[Effect]:
        address = address_of(request.destination)
        self._rules.check_subscribe(address)
        effects = self._broker.subscribe(
            self._port,
            bounded(request.id),
            address,
            ack_mode=request.ack,
            prefetch=request.prefetch,
            durable=request.durable and bounded(request.durable),
            now_ns=now_ns,
        )
        self._destinations[request.id] = str(address)
        self._exchange.tell(Subscribed(self._port.name, str(address)))
        return effects

    def _unsubscribe(self, key: str, *, forget: bool, now_ns: int) -> list[Effect]:
        effects = self._broker.unsubscribe(self._port, key, forget=forget, now_ns=now_ns)
        self._exchange.tell(Unsubscribed(self._port.name, self._destinations.pop(key)))
        return effects

    def _commit(self, commit: Commit, now_ns: int) -> Sequence[Effect]:
        """All of a transaction, or none of it where that can be told before; a limit may still end it half-way."""
        for request in commit.requests:
            if isinstance(request, Send):
                self._rules.check_publish(address_of(request.destination))
        effects: list[Effect] = []
        for done, request in enumerate(commit.requests):
            try:
                effects += self._do(request, now_ns)
            except RefusedError as error:
                self._exchange.apply(effects)  # the broker has done these, and they cannot be undone
                raise RefusedError(
                    f"the transaction stopped after {done} of {len(commit.requests)}: {error}", hint=error.hint
                ) from error
        return effects

    def _message(self, request: Send, now_ns: int) -> Message:
        expires_at_ns = None
        if request.expires_at_ms is not None:
            expires_at_ns = now_ns + request.expires_at_ms * _NS_PER_MS - time.time_ns()
        address = address_of(request.destination)
        self._rules.check_publish(address)
        return Message(
            id=self._exchange.next_message_id(),
            address=address,
            payload=request.body,
            headers=request.headers,
            persistent=request.persistent,
            expires_at_ns=expires_at_ns,
        )

    def _delivery(self, request: Ack | Nack) -> int:
        """The broker's number of a delivery: what 1.2 acknowledges by; the older versions name the message."""
        if self._session.version is not Version.V1_2:
            return self._old_ids.take(request.id, request.subscription)
        delivery_id = read_number(request.id)
        if delivery_id is None:
            raise UnknownDelivery(f"no message was sent with the ack id {request.id[:64]!r}")
        return delivery_id
