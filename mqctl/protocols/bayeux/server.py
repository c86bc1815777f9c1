"""The server's side of Bayeux: who has a session, and what becomes of each message. No IO, and no broker of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from msgspec import UNSET

from mqctl.errors import RefusedError
from mqctl.protocols.bayeux.channel import Kind, is_legal, is_wild, kind_of, normalised
from mqctl.protocols.bayeux.extensions import Timesync, ext_of, read_timesync, with_ext
from mqctl.protocols.bayeux.house import Denied, House, Link
from mqctl.protocols.bayeux.message import Message, MessageError
from mqctl.protocols.bayeux.queue import Budget
from mqctl.protocols.bayeux.session import ServerSession, Terms, reply_to
from mqctl.protocols.bayeux.spec import (
    VERSION,
    Advice,
    Error,
    Ext,
    Limits,
    Meta,
    Reconnect,
    error,
)

BUSY_MS: Final = 10_000
"""When a client that found no room may try again."""

_AGAIN: Final[dict[str, Any]] = {Advice.RECONNECT: Reconnect.HANDSHAKE, Advice.INTERVAL: 0}
_NEVER: Final[dict[str, Any]] = {Advice.RECONNECT: Reconnect.NONE}


@dataclass(slots=True)
class Answer:
    """What becomes of a request."""

    session: ServerSession | None = None
    """Whose it is, if it is one's."""
    replies: list[Message] = field(default_factory=list)
    """In the order of the requests; a connect's is had from `ServerSession.poll`."""
    handshaken: bool = False
    """Whether it made the session."""
    connects: bool = False
    """Whether a connect is among the requests."""


class Server:
    """All sessions.

    Args:
        house: What it is part of.
        terms: How it deals with sessions.
        limits: What it refuses.
        budget: The memory of all queues.
        connection_types: What it offers, best first.
        make_secret: Makes the ids of sessions and the cookies of browsers. Who knows one has the session, so they
            cannot be guessed: Bayeux asks for 128 random bits.
    """

    def __init__(
        self,
        house: House,
        *,
        terms: Terms,
        limits: Limits,
        budget: Budget,
        connection_types: Sequence[str],
        make_secret: Callable[[], str],
    ) -> None:
        self.sessions: dict[str, ServerSession] = {}
        self._house = house
        self._terms = terms
        self._limits = limits
        self._budget = budget
        self._connection_types = list(connection_types)
        self._make_secret = make_secret
        self._by_owner: dict[str, dict[ServerSession, None]] = {}
        self._by_address: dict[str, int] = {}

    def receive(self, messages: Sequence[Message], link: Link, now_ns: int, epoch_ms: int) -> Answer:
        """Do what a request asks. The shell then sends what `ServerSession.take` or `poll` gives, and the replies.

        Args:
            messages: All of the request.
            link: What it came by.
            now_ns: Now, by the clock of the sessions.
            epoch_ms: Now, since 1970.

        Raises:
            MessageError: It is no request at all.
        """
        if not messages:
            raise MessageError("no messages")
        if len(messages) > 1 and any(message.channel == Meta.HANDSHAKE for message in messages):
            raise MessageError("a handshake goes alone")
        request = _Request(Answer(), link, now_ns, epoch_ms, alone=len(messages) == 1)
        for message in messages:
            reply = self._act(message, request)
            if reply is not None:
                request.answer.replies.append(reply)
        return request.answer

    def knows(self, owner: str | None) -> bool:
        """Whether there are sessions of a cookie."""
        return owner in self._by_owner

    def lapse(self, session: ServerSession, now_ns: int) -> bool:
        """End a session whose client did not connect in time; returns whether that is so."""
        lapsed = session.expired(now_ns)
        if lapsed:
            self.end(session, "the client did not connect again in time", timed_out=True)
        return lapsed

    def end(self, session: ServerSession, reason: str, *, timed_out: bool = False) -> None:
        """End a session, unless that was done."""
        if self.sessions.pop(session.client_id, None) is None:
            return
        if session.owner is not None:
            siblings = self._by_owner[session.owner]
            del siblings[session]
            if not siblings:
                del self._by_owner[session.owner]
        self._by_address[session.address] -= 1
        if not self._by_address[session.address]:
            del self._by_address[session.address]
        self._house.dismiss(session, session.end(), reason, timed_out=timed_out)

    def _act(self, message: Message, request: _Request) -> Message | None:
        """The reply to a message; None where it waits."""
        if message.channel is UNSET:
            return _failed(message, Error.CHANNEL_MISSING)
        message.channel = channel = normalised(message.channel)
        says = self._invalid(message, channel)
        if says is not None:
            return _failed(message, says)
        if channel == Meta.HANDSHAKE:
            reply = self._handshake(message, request)
        else:
            session = self._find(message, request)
            if session is None:
                return _failed(message, Error.SESSION_UNKNOWN, _AGAIN if channel == Meta.CONNECT else None)
            if channel == Meta.CONNECT:
                return self._connect(session, message, request)
            session.heard(request.now_ns)
            reply = _HANDLERS.get(channel, Server._publish)(self, session, message)
        if kind_of(channel) is Kind.META:
            _say_the_time(reply, read_timesync(message, request.epoch_ms))
        return reply

    def _invalid(self, message: Message, channel: str) -> str | None:
        if len(channel) > self._limits.channel_chars or not is_legal(channel):
            return Error.CHANNEL_INVALID
        if isinstance(message.id, str) and len(message.id) > self._limits.id_chars:
            return Error.MESSAGE_ID_INVALID
        return None

    def _find(self, message: Message, request: _Request) -> ServerSession | None:
        """The session of a message: that of the messages before it; else any on a socket, and the browser's own else.

        A socket that is new may take up any session whose id it knows (`requireHandshakePerConnection` in CometD).
        """
        link, answer = request.link, request.answer
        session = self.sessions.get(message.client_id or "")
        expected = answer.session or link.bound
        if session is None or (expected is not None and expected is not session):
            return None
        if not link.socket and (session.owner is None or session.owner != link.owner):
            return None
        answer.session = session
        if link.ordered:
            session.deliver_only = True
        if link.socket:
            link.bound = session
        return session

    def _handshake(self, message: Message, request: _Request) -> Message:
        offered = message.supported_connection_types
        if offered and not set(offered) & set(self._connection_types):
            return _failed(message, Error.NO_TRANSPORT, _NEVER)
        link = request.link
        if not link.socket and link.owner not in self._by_owner:
            link.owner = self._make_secret()
        session = ServerSession(
            self._make_secret(),
            self._terms,
            self._budget,
            owner=None if link.socket else link.owner,
            address=link.address,
            now_ns=request.now_ns,
        )
        try:
            self._admit(session, message, link)
        except RefusedError as refusal:
            advice = _NEVER if isinstance(refusal, Denied) else {**_AGAIN, Advice.INTERVAL: BUSY_MS}
            return _failed(message, error(403, "handshake_denied", str(refusal)), advice)
        request.answer.session, request.answer.handshaken = session, True
        if link.socket:
            link.bound = session
        reply = reply_to(message, successful=True)
        reply.client_id = session.client_id
        reply.version = reply.minimum_version = VERSION
        reply.supported_connection_types = self._connection_types
        reply.advice = session.advice()
        for name, agree in _AGREED.items():
            if ext_of(message, name) is True:
                agree(session)
                with_ext(reply, name, True)
        return reply

    def _admit(self, session: ServerSession, message: Message, link: Link) -> None:
        here = self._by_address.get(link.address, 0)
        if here >= self._terms.sessions_per_address:
            bound = self._terms.sessions_per_address
            raise RefusedError(f"too many sessions of {link.address} (limit sessions-per-address, {bound})")
        self._house.admit(session, message, link)
        self.sessions[session.client_id] = session
        self._by_address[link.address] = here + 1
        if session.owner is not None:
            self._by_owner.setdefault(session.owner, {})[session] = None

    def _connect(self, session: ServerSession, message: Message, request: _Request) -> Message | None:
        if session.inactive(request.now_ns):
            self.end(session, "the client did nothing but connect")
            reply = reply_to(message, successful=True)
            reply.advice = _NEVER
            return reply
        if session.held is not None:
            self._house.supersede(session)
        session.polls = not request.link.socket
        may_hold = request.link.socket or request.alone
        session.connect(
            message,
            request.now_ns,
            may_hold=may_hold,
            crowded=session.polls and may_hold and self._crowded(session),
            timesync=read_timesync(message, request.epoch_ms),
        )
        request.answer.connects = True
        return None

    def _crowded(self, session: ServerSession) -> bool:
        siblings = self._by_owner.get(session.owner or "", ())
        waiting = sum(each.polls and each.held is not None for each in siblings if each is not session)
        return waiting >= self._terms.held_per_browser

    def _disconnect(self, session: ServerSession, message: Message) -> Message:
        self.end(session, "the client disconnected")
        return reply_to(message, successful=True)

    def _subscribe(self, session: ServerSession, message: Message) -> Message:
        """Subscribe to one channel after the other, up to the first refused; those before stay, as at CometD."""
        channels = self._channels(message)
        if isinstance(channels, str):
            return _failed(message, channels)
        for channel in channels:
            if kind_of(channel) is Kind.META:
                return _failed(message, Error.SUBSCRIBE_DENIED if channel in _REQUESTS else Error.CREATE_DENIED)
            if kind_of(channel) is Kind.BROADCAST and channel not in session.channels:
                try:
                    self._house.subscribe(session, channel)
                except RefusedError as refusal:
                    return _failed(message, error(403, "subscribe_denied", str(refusal)))
                session.channels[channel] = None
        return reply_to(message, successful=True)

    def _unsubscribe(self, session: ServerSession, message: Message) -> Message:
        channels = self._channels(message)
        if isinstance(channels, str):
            return _failed(message, channels)
        for channel in channels:
            if kind_of(channel) is Kind.META:
                return _failed(message, Error.UNSUBSCRIBE_FAILED)
            if channel in session.channels:
                del session.channels[channel]
                self._house.unsubscribe(session, channel)
        return reply_to(message, successful=True)

    def _channels(self, message: Message) -> list[str] | str:
        """The channels of a request, or what is wrong with its form."""
        subscription = message.subscription
        if subscription is UNSET or subscription is None:
            return Error.SUBSCRIPTION_MISSING
        several = subscription if isinstance(subscription, list) else [subscription]
        if not 0 < len(several) <= self._limits.subscriptions or not all(isinstance(each, str) for each in several):
            return Error.SUBSCRIPTION_INVALID
        channels = [normalised(channel) for channel in several]
        if any(len(channel) > self._limits.channel_chars or not is_legal(channel) for channel in channels):
            return Error.SUBSCRIPTION_INVALID
        return channels

    def _publish(self, session: ServerSession, message: Message) -> Message:
        channel = message.channel
        assert isinstance(channel, str)
        kind = kind_of(channel)
        if kind is Kind.META:
            return _failed(message, Error.CHANNEL_DENIED)
        if is_wild(channel):
            return _failed(message, Error.CHANNEL_INVALID)
        if not message.has_data:
            return _failed(message, Error.DATA_MISSING)
        give = self._house.serve if kind is Kind.SERVICE else self._house.publish
        try:
            give(session, channel, message)
        except RefusedError as refusal:
            return _failed(message, error(403, "publish_denied", str(refusal)))
        return Message(id=message.id, channel=channel, successful=True)


@dataclass(slots=True)
class _Request:
    """What is known of a request while it is done."""

    answer: Answer
    link: Link
    now_ns: int
    epoch_ms: int
    alone: bool


_AGREED: Final[Mapping[str, Callable[[ServerSession], None]]] = {
    Ext.ACK: ServerSession.keep_until_acknowledged,
    Ext.DELIVER_ONLY: ServerSession.wait_for_connects,
}
"""What a client may ask for in its handshake, by the name in `ext`."""
_REQUESTS: Final = frozenset(Meta)
_HANDLERS: Final[Mapping[str, Callable[[Server, ServerSession, Message], Message]]] = {
    Meta.DISCONNECT: Server._disconnect,
    Meta.SUBSCRIBE: Server._subscribe,
    Meta.UNSUBSCRIBE: Server._unsubscribe,
}
"""Of a client that has a session. Every other channel is published to."""


def _say_the_time(reply: Message, timesync: Timesync | None) -> None:
    if timesync is not None and (said := timesync.answer(held_ms=0)) is not None:
        with_ext(reply, Ext.TIMESYNC, said)


def _failed(message: Message, says: str, advice: dict[str, Any] | None = None) -> Message:
    reply = reply_to(message, successful=False)
    reply.error = says
    if advice is not None:
        reply.advice = advice
    return reply
