"""What the hub's broker is to Bayeux: who is let in, what they subscribe to and publish, what is told of it."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from time import monotonic_ns, time_ns
from typing import Final, cast

from msgspec import UNSET, Raw

from mqctl.broker.values import Address, SlowConsumer
from mqctl.errors import RefusedError
from mqctl.hub.bayeux_messages import address_of, encoded, published
from mqctl.hub.bayeux_port import BayeuxPort
from mqctl.hub.bayeux_rounds import Rounds
from mqctl.hub.config import HubConfig
from mqctl.hub.events import SessionClosed, SessionOpened, Subscribed, Unsubscribed
from mqctl.hub.exchange import Exchange
from mqctl.hub.metrics import BayeuxStats
from mqctl.hub.services import ask
from mqctl.model import PublishOutcome
from mqctl.protocols.bayeux.channel import META_PREFIX
from mqctl.protocols.bayeux.extensions import ext_of, timestamp
from mqctl.protocols.bayeux.house import Denied, Link
from mqctl.protocols.bayeux.markup import without_markup
from mqctl.protocols.bayeux.message import Message
from mqctl.protocols.bayeux.server import Answer, Server
from mqctl.protocols.bayeux.session import ServerSession, Terms
from mqctl.protocols.bayeux.spec import ConnectionType, Ext

SECRET_BYTES: Final = 20
"""Of the id of a session, which is all that it takes to have it."""
EARLY_BYTES: Final = 64 * 1024
"""Of a request by somebody who has no session yet."""
_HEARD_BY: Final = (ConnectionType.WEBSOCKET, ConnectionType.EVENT_SOURCE, ConnectionType.LONG_POLLING)
_NS_PER_MS: Final = 1_000_000


class BayeuxHouse:
    """The sessions of a hub, over whatever they come.

    Args:
        config: The hub's.
        exchange: The broker, and who does what it decides.
    """

    def __init__(self, config: HubConfig, exchange: Exchange) -> None:
        self._config = config
        self._exchange = exchange
        self._rounds = Rounds(exchange.loop)
        self._broker = exchange.broker
        self._names = 0
        self.server = Server(
            self,
            terms=_terms(config),
            limits=config.bayeux_limits,
            budget=exchange.broker.budget,
            connection_types=config.bayeux_connection_types,
            make_secret=partial(secrets.token_hex, SECRET_BYTES),
        )

    def receive(self, messages: list[Message], link: Link) -> Answer:
        """Do what a request asks.

        Raises:
            MessageError: It is none.
        """
        if any(isinstance(each.channel, str) and each.channel.startswith(META_PREFIX) for each in messages):
            self._exchange.settle()
        epoch_ms = time_ns() // _NS_PER_MS
        answer = self.server.receive(messages, link, monotonic_ns(), epoch_ms)
        if self._config.bayeux_timestamps:
            for reply in answer.replies:
                reply.timestamp = timestamp(epoch_ms)
        if not link.socket:  # over which what the client sends to itself comes later, with what others send
            self._exchange.settle()
        return answer

    def stats(self) -> BayeuxStats:
        """What there is of its sessions."""
        sessions = self.server.sessions.values()
        kinds = Counter(cast("BayeuxPort", session.port).connection_type for session in sessions)
        shown = {kind or "none": kinds[kind] for kind in (*_HEARD_BY, None)}
        return BayeuxStats(sessions=shown, waiting=sum(session.waiting for session in sessions))

    def close(self) -> int:
        """End every session. A connect that waits is answered as if its time were over: its client will come back.

        Returns how many messages waited for clients that are away, or do not read.
        """
        self._exchange.settle()
        now_ns = monotonic_ns()
        for session in list(self.server.sessions.values()):
            session.hurry(now_ns)
            cast("BayeuxPort", session.port).flush(now_ns)
        waiting = self.stats().waiting
        for session in list(self.server.sessions.values()):
            self.server.end(session, "the hub was stopped")
        return waiting

    def admit(self, session: ServerSession, request: Message, link: Link) -> None:
        """Look at the password, and open a session of the broker."""
        user, password = _login(request) or link.login or (None, None)
        if not self._config.authenticate(user, password):
            raise Denied("wrong user or password")
        self._names += 1
        session.port = port = BayeuxPort(
            f"bayeux-{self._names}",
            session,
            self.server,
            self._exchange,
            self._is_lazy if self._config.lazy else None,
            rounds=self._rounds,
            stamps=self._config.bayeux_timestamps,
        )
        self._broker.open(port)
        self._exchange.tell(SessionOpened(port.name, link.address, f"Bayeux over {link.via}", None))
        port.set_timer(monotonic_ns())

    def subscribe(self, session: ServerSession, channel: str) -> None:
        """Subscribe at the broker; the channel is the key."""
        port: BayeuxPort = session.port
        address = address_of(channel)
        self._config.rules.check_subscribe(address)
        self._exchange.apply(self._broker.subscribe(port, channel, address, now_ns=monotonic_ns()))
        self._exchange.tell(Subscribed(port.name, str(address)))

    def unsubscribe(self, session: ServerSession, channel: str) -> None:
        """The reverse."""
        port: BayeuxPort = session.port
        self._exchange.apply(self._broker.unsubscribe(port, channel, now_ns=monotonic_ns()))
        self._exchange.tell(Unsubscribed(port.name, str(address_of(channel))))

    def _is_lazy(self, address: Address) -> bool:
        return any(rule.covers(address) for rule in self._config.lazy)

    def publish(self, session: ServerSession, channel: str, message: Message) -> None:
        """Give it to the broker."""
        self._clean(address_of(channel), message)
        if self._config.bayeux_timestamps:
            message.timestamp = UNSET
        made = published(message, self._exchange.next_message_id())
        self._config.rules.check_publish(made.address)
        upstream = self._exchange.upstream
        if upstream is not None and upstream.serves(made.address):
            # The reply says that the hub has it: unlike STOMP's receipts, replies can't wait for the broker.
            upstream.forward(session.port, made, monotonic_ns(), _ignore)
        else:
            self._exchange.apply(self._broker.publish(session.port, made, monotonic_ns()))

    def serve(self, session: ServerSession, channel: str, message: Message) -> None:
        """Give the client what each service answers. One that fails costs nothing but its own answers."""
        address = address_of(channel)
        self._config.rules.check_publish(address)
        self._clean(address, message)
        port: BayeuxPort = session.port
        for service in self._config.services:
            try:
                replies = ask(service, port.name, message)
            except Exception as error:  # noqa: BLE001 - what answers is no part of the hub
                self._exchange.complain("a service", error)
            else:
                port.give([encoded(*reply, self._exchange.next_message_id()) for reply in replies])

    def _clean(self, address: Address, message: Message) -> None:
        """Take the markup out, where that is to be."""
        if any(rule.covers(address) for rule in self._config.no_markup):
            if ext_of(message, Ext.BINARY) is not None:
                raise RefusedError("no bytes are taken where markup is taken out, as their signs are markup's too")
            message.data = Raw(without_markup(bytes(message.data)))

    def supersede(self, session: ServerSession) -> None:
        """Tell the connect that waits."""
        cast("BayeuxPort", session.port).supersede()

    def dismiss(self, session: ServerSession, last: Message | None, reason: str, *, timed_out: bool) -> None:
        """Close the session at the broker, and let its connection know."""
        port: BayeuxPort = session.port
        self._exchange.apply(self._broker.close(port, monotonic_ns()))
        port.end(last)
        self._exchange.tell_drops()
        self._exchange.tell(SessionClosed(port.name, session.address, reason, timed_out=timed_out))


def _ignore(_outcome: PublishOutcome) -> None:
    """It is counted."""


def _terms(config: HubConfig) -> Terms:
    """A session has what a subscriber of a topic has. Nobody can be held for a client that may be away, as it polls."""
    limits = config.broker_limits
    return replace(
        config.bayeux_terms,
        queue_items=limits.backlog_messages,
        queue_bytes=limits.backlog_bytes,
        drop_oldest=config.slow_consumer is not SlowConsumer.DISCONNECT,
    )


def _login(request: Message) -> tuple[str | None, str | None] | None:
    """User and password of a handshake; a token is a password without a user. None where it has neither."""
    said = ext_of(request, Ext.AUTHENTICATION)
    if not isinstance(said, Mapping):
        return None
    user, password = said.get("user"), said.get("password", said.get("token"))
    return (user if isinstance(user, str) else None), (password if isinstance(password, str) else None)
