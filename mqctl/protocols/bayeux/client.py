"""The client's side of Bayeux: one session, renewed when the server forgets it, and what is to be done next. No IO.

Requests and connects travel apart: over HTTP each kind has a connection of its own (Bayeux, 4.1). What is lost on the
way is lost here too: a connection that breaks ends the session for its user.
"""

from __future__ import annotations

import enum
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from msgspec import UNSET, Raw, UnsetType

from mqctl.backoff import Policy
from mqctl.protocols.bayeux.client_actions import (
    SILENT,
    Action,
    Answered,
    Deliver,
    Forgotten,
    Lane,
    Left,
    Listen,
    Lost,
    Send,
    Unsubscribed,
)
from mqctl.protocols.bayeux.extensions import Clocks, ext_of, with_ext
from mqctl.protocols.bayeux.message import Message
from mqctl.protocols.bayeux.orders import MAX_INTERVAL_MS, Orders, words_of
from mqctl.protocols.bayeux.spec import VERSION, Advice, ConnectionType, Ext, Meta, Reconnect

PAUSES: Final = Policy(within_s=math.inf, pause_max_s=30.0, first_s=1.0)
"""After a request that the server turned down."""

_STAYS: Final = 3
"""How often a session that waits for its user says that it is there, in the time that the server gives it."""

REFUSALS_MAX: Final = 5
"""How many in a row are the end: nobody waits for ever on a server that does not want us."""

_NS_PER_MS: Final = 1_000_000
_NS_PER_S: Final = 1_000_000_000
_SESSION_GONE: Final = frozenset({"401", "402"})
"""Codes of Faye and CometD for a session that they do not know, where no advice says it."""


class State(enum.Enum):
    """Where the session is."""

    NEW = enum.auto()
    HANDSHAKING = enum.auto()
    OPEN = enum.auto()
    LEAVING = enum.auto()
    OVER = enum.auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a client behaves.

    Args:
        connection_type: What it speaks.
        ack: Whether it asks the server to keep messages until it has them.
        ext: What else its handshakes say.
        epoch_ns: What time it was, since 1970, when the clock was 0; None is not to ask for the server's time.
        by_hand: Whether each connect waits for `go_on`, because it tells the server that what came was handled.
        grace_ms: What an answer may take, beyond the time that the server holds a connect; None is for ever.
    """

    connection_type: ConnectionType
    ack: bool
    ext: Mapping[str, Any]
    grace_ms: int | None
    epoch_ns: int | None = None
    by_hand: bool = False


class Client:
    """A session. Times are CLOCK_MONOTONIC, in nanoseconds.

    Args:
        options: How it behaves.
        rng: Draws the pauses.
    """

    def __init__(self, options: Options, rng: random.Random) -> None:
        self.state = State.NEW
        self.wake_ns: int | None = None
        """When to call `wake`, if nothing comes before."""
        self.acknowledges = False
        """Whether the server keeps messages until it is told that they came."""
        self.waits = False
        """Whether messages come with replies to connects only, because a handshake asked for that."""
        self.batch = 0
        """The last batch that came whole, of those that it keeps."""
        self.clocks = Clocks(options.epoch_ns)
        """How far the server's clock is ahead, if it has CometD's timesync extension."""
        self.parked = False
        """Whether the next connect waits for `go_on`."""
        self._options = options
        self._rng = rng
        self._ids = count(1)
        self._client_id: str | UnsetType = UNSET
        self._orders = Orders()
        self._cycle_id: str | None = None
        """Of the handshake or connect that is under way; there is never more than one."""
        self._proven = False
        self._had_one = False
        self._refusals = 0
        self._channels: dict[str, None] = {}
        self._open: dict[str, Message] = {}
        """Other requests that are not answered, by id."""
        self._ours: set[str] = set()
        """Those of them that the user did not ask for."""
        self._waiting: list[Message] = []
        """Requests that wait for a session."""

    @property
    def client_id(self) -> str | None:
        """The secret that names the session; None while there is none."""
        return None if self._client_id is UNSET else self._client_id

    @property
    def orders(self) -> Orders:
        """What the server advised last."""
        return self._orders

    def open(self, now_ns: int) -> list[Action]:
        """Ask for a session."""
        self.state = State.HANDSHAKING
        self._client_id = UNSET
        self._proven = self.acknowledges = self.parked = False
        self.batch = 0
        request = self._request(Meta.HANDSHAKE)
        self._await(request, 0, now_ns)
        request.version = request.minimum_version = VERSION
        request.supported_connection_types = _offers(self._options.connection_type)
        ext = dict(self._options.ext) | ({Ext.ACK: True} if self._options.ack else {})
        if ext:
            request.ext = ext
        self.clocks.ask(request, now_ns)
        return [Send(Lane.REQUEST, request)]

    def resume(self, client_id: str, batch: int) -> None:
        """Take up a session in place of asking for one; its first connect waits for `go_on`.

        Args:
            client_id: Its name.
            batch: The last that the server may be told of.
        """
        self.state = State.OPEN
        self._client_id, self.batch = client_id, batch
        self.acknowledges = self.parked = self._had_one = True

    def go_on(self, now_ns: int) -> list[Action]:
        """Connect again, if that waits for this."""
        if not self.parked:
            return []
        self.parked, self.wake_ns = False, None
        return self._connect_soon(now_ns)

    def publish(self, channel: str, data: Raw, ext: dict[str, Any] | None) -> tuple[str, list[Action]]:
        """Publish; returns the id of the request, for `Answered`."""
        request = self._request(channel)
        request.data = data
        if ext:
            request.ext = ext
        return self._ask(request)

    def subscribe(self, channel: str) -> tuple[str, list[Action]]:
        """Subscribe to a channel or pattern: one a request, so that each has an answer of its own."""
        return self._ask(self._request(Meta.SUBSCRIBE, channel))

    def unsubscribe(self, channel: str) -> tuple[str, list[Action]]:
        """The reverse."""
        self._channels.pop(channel, None)
        return self._ask(self._request(Meta.UNSUBSCRIBE, channel))

    def leave(self) -> list[Action]:
        """End the session; `Left` says that the server knows, or that there is nothing to tell it."""
        self.wake_ns = None
        if self.state is not State.OPEN:
            self.state = State.OVER
            return [Left()]
        self.state = State.LEAVING
        request = self._request(Meta.DISCONNECT)
        request.client_id = self._client_id
        return [Send(Lane.REQUEST, request)]

    def receive(self, messages: Sequence[Message], now_ns: int) -> list[Action]:
        """Take what the server sent in one piece."""
        actions: list[Action] = []
        for message in messages:
            if self.state is not State.OVER and message.channel is not UNSET:
                actions += self._take(message, now_ns)
        return actions

    def wake(self, now_ns: int) -> list[Action]:
        """Do what is due, if it is."""
        if self.wake_ns is None or now_ns < self.wake_ns:
            return []
        if self.parked:
            return self._stay(now_ns)
        if self._cycle_id is not None:
            return self._lose(SILENT)
        return self.open(now_ns) if self.state is State.HANDSHAKING else self._connect(now_ns)

    def _request(self, channel: str, subscription: str | UnsetType = UNSET) -> Message:
        return Message(id=str(next(self._ids)), channel=channel, subscription=subscription)

    def _ask(self, request: Message) -> tuple[str, list[Action]]:
        self._open[str(request.id)] = request
        if self.state is State.HANDSHAKING:
            self._waiting.append(request)
            return str(request.id), []
        request.client_id = self._client_id
        return str(request.id), [Send(Lane.REQUEST, request)]

    def _take(self, message: Message, now_ns: int) -> list[Action]:
        match message.channel:
            case Meta.HANDSHAKE:
                return self._shaken(message, now_ns) if message.id == self._cycle_id else []
            case Meta.CONNECT:
                # One that is not awaited any more may speak of an older session.
                return self._connected(message, now_ns) if message.id == self._cycle_id else []
            case Meta.DISCONNECT:
                return self._left()
        delivered: list[Action] = [Deliver(message)] if message.has_data else []
        return delivered + (self._answered(message, now_ns) if message.is_reply else [])

    def _shaken(self, reply: Message, now_ns: int) -> list[Action]:
        self._cycle_id = self.wake_ns = None
        self._orders = self._orders.heed(reply)
        self.clocks.hear(reply, now_ns)
        if not reply.successful:
            return self._turned_away(words_of(reply), now_ns)
        offered = reply.supported_connection_types or []
        if self._options.connection_type not in offered:
            reason = f"the server offers {', '.join(offered) or 'nothing'}"
            return self._lose(reason, denied=True, unserved=True)
        if not reply.client_id:
            return self._lose("the server does not say which session it made")
        self._client_id = reply.client_id
        self.acknowledges = self._options.ack and bool(ext_of(reply, Ext.ACK))
        self.waits = ext_of(reply, Ext.DELIVER_ONLY) is True
        self.state = State.OPEN
        self._had_one = True
        actions = [*self._take_up(), *self._connect_soon(now_ns)]
        if self._options.connection_type is ConnectionType.EVENT_SOURCE:
            # Ahead of the subscriptions, whose first messages would come by the answers to other requests else.
            return [Listen(reply.client_id), *actions]
        return actions

    def _turned_away(self, words: str, now_ns: int) -> list[Action]:
        if not self._had_one or self._orders.reconnect == Reconnect.NONE:
            return self._lose(words, denied=True)
        return self._pause(words, now_ns)

    def _take_up(self) -> list[Action]:
        """The subscriptions of the session before, then what waited for this one."""
        again = [self._own(self._request(Meta.SUBSCRIBE, channel)) for channel in self._channels]
        requests, self._waiting = [*again, *self._waiting], []
        for request in requests:
            request.client_id = self._client_id
        return [Send(Lane.REQUEST, request) for request in requests]

    def _own(self, request: Message) -> Message:
        """The user did not ask for this one."""
        request.client_id = self._client_id
        self._open[str(request.id)] = request
        self._ours.add(str(request.id))
        return request

    def _connected(self, reply: Message, now_ns: int) -> list[Action]:
        self._cycle_id = self.wake_ns = None
        if self.state is State.LEAVING:
            return []
        self._orders = self._orders.heed(reply)
        self.clocks.hear(reply, now_ns)
        orders = self._orders
        words = "the server wants a new session" if reply.successful else words_of(reply)
        if orders.reconnect == Reconnect.NONE or orders.interval_ms < 0:
            return self._lose("the server ended the session" if reply.successful else words)
        if orders.reconnect == Reconnect.HANDSHAKE:
            return self._renew(words, now_ns)
        self._proven = reply.successful is True
        if not self._proven:
            return self._pause(words, now_ns)
        self._refusals = 0
        if isinstance(batch := ext_of(reply, Ext.ACK), int):
            self.batch = batch
        if self._options.by_hand:
            self.parked = True
            self._stay_until(now_ns)
            return []
        return self._connect_soon(now_ns)

    def _left(self) -> list[Action]:
        """The answer to our goodbye, or the server's own, which has no id."""
        if self.state is State.LEAVING:
            self.state = State.OVER
            return [Left()]
        return self._lose("the server ended the session")

    def _answered(self, reply: Message, now_ns: int) -> list[Action]:
        """The answer to a request. Some servers leave the ids of other clients on what they deliver: those are none."""
        request = self._open.get(str(reply.id))
        if request is None or request.channel != reply.channel:
            return []
        identity = str(reply.id)
        del self._open[identity]
        refusal = None if reply.successful else words_of(reply)
        gone = refusal is not None and self._is_gone(reply, request)
        if gone and identity in self._ours:
            # The new session is to have what this one had.
            self._ours.discard(identity)
            return self._renew(words_of(reply), now_ns)
        if request.channel == Meta.SUBSCRIBE and refusal is None:
            self._channels[request.subscription] = None
        elif request.channel in (Meta.SUBSCRIBE, Meta.UNSUBSCRIBE):
            self._channels.pop(request.subscription, None)
        actions: list[Action] = [Answered(identity, refusal)]
        if identity in self._ours:
            self._ours.discard(identity)
            actions = [Unsubscribed(request.subscription, refusal)] if refusal is not None else []
        return actions + (self._renew(words_of(reply), now_ns) if gone else [])

    def _is_gone(self, reply: Message, request: Message) -> bool:
        """Whether the server does not know the session any more, as the answer to a request of it says."""
        if self.state is not State.OPEN or request.client_id != self._client_id:
            return False
        if reply.advice:
            return reply.advice.get(Advice.RECONNECT) == Reconnect.HANDSHAKE
        return isinstance(reply.error, str) and reply.error.partition(":")[0] in _SESSION_GONE

    def _renew(self, words: str, now_ns: int) -> list[Action]:
        """Another session: at once if this one ever worked, else later, or both sides would do nothing else."""
        if self._proven:
            return [Forgotten(words), *self.open(now_ns)]
        self.state, self._cycle_id, self.parked = State.HANDSHAKING, None, False
        return [Forgotten(words), *self._pause(words, now_ns)]

    def _connect_soon(self, now_ns: int) -> list[Action]:
        if self._orders.interval_ms <= 0:
            return self._connect(now_ns)
        self.wake_ns = now_ns + int(self._orders.interval_ms * _NS_PER_MS)
        return []

    def _connect(self, now_ns: int) -> list[Action]:
        request = self._request(Meta.CONNECT)
        request.client_id = self._client_id
        request.connection_type = self._options.connection_type
        if not self._proven:
            # To be answered at once proves the session.
            request.advice = {Advice.TIMEOUT: 0}
        if self.acknowledges:
            with_ext(request, Ext.ACK, self.batch)
        self._await(request, self._orders.timeout_ms, now_ns)
        self.clocks.ask(request, now_ns)
        return [Send(Lane.CONNECT, request)]

    def _await(self, request: Message, held_ms: float, now_ns: int) -> None:
        """The answer to this one is what the next step waits for; the server may hold it for a while."""
        self._cycle_id, self.wake_ns = str(request.id), None
        if self._options.grace_ms is not None:
            self.wake_ns = now_ns + int((held_ms + self._options.grace_ms) * _NS_PER_MS)

    def _stay_until(self, now_ns: int) -> None:
        self.wake_ns = now_ns + int((self._orders.max_interval_ms or MAX_INTERVAL_MS) / _STAYS * _NS_PER_MS)

    def _stay(self, now_ns: int) -> list[Action]:
        """Ask for what we have: a server keeps a session without a connect as long as it hears anything of it."""
        self._stay_until(now_ns)
        requests = [self._request(Meta.SUBSCRIBE, channel) for channel in [*self._channels][:1]]
        return [Send(Lane.REQUEST, self._own(request)) for request in requests]

    def _pause(self, words: str, now_ns: int) -> list[Action]:
        """Try again later, each time later, unless that was tried often."""
        self._refusals += 1
        if self._refusals > REFUSALS_MAX:
            return self._lose(words)
        pause_s = self._rng.uniform(0, PAUSES.ceiling_s(self._refusals - 1))
        self.wake_ns = now_ns + int(max(0, self._orders.interval_ms) * _NS_PER_MS + pause_s * _NS_PER_S)
        return []

    def _lose(self, reason: str, *, denied: bool = False, unserved: bool = False) -> list[Action]:
        self.state = State.OVER
        self.wake_ns = None
        return [Lost(reason, denied, unserved)]


def _offers(spoken: ConnectionType) -> list[str]:
    """What a handshake says that we speak. Servers without event streams are then free to say so, and not to refuse."""
    return [spoken, ConnectionType.LONG_POLLING] if spoken is ConnectionType.EVENT_SOURCE else [spoken]
