"""The server's side of one session: what waits for the client, the connect that waits for it, and when it ends."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from mqctl.protocols.bayeux.extensions import Timesync, ext_of, with_ext
from mqctl.protocols.bayeux.message import Message
from mqctl.protocols.bayeux.queue import Budget, Fate, Item, Parcel, Queue
from mqctl.protocols.bayeux.spec import Advice, ConnectionType, Ext, Reconnect

_NS_PER_MS: Final = 1_000_000
_INTERVAL_MS_MAX: Final = 3_600_000
"""The longest pause between connects that a client may ask for: its session is kept that long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a server deals with its sessions."""

    timeout_ms: int = 20_000
    """How long a connect is held: below the half minute after which many proxies cut a request."""
    interval_ms: int = 0
    """How long a client is to wait between two connects."""
    max_interval_ms: int = 10_000
    """How long a session lives without a connect."""
    max_lazy_ms: int = 5_000
    """How long a lazy message may wait for others."""
    deliver_only: bool = False
    """Deliver with the replies to connects only (`metaConnectDeliverOnly`), which keeps the order over HTTP."""
    inactive_ms: int | None = None
    """How long a client may do nothing but connect."""
    held_per_browser: int = 1
    """Connects of one browser that may wait: it has few connections to a host (HTTP/1.1)."""
    multi_session_interval_ms: int = 2_000
    """How long further sessions of that browser are to wait between their connects."""
    sessions_per_address: int = 1_000
    queue_items: int = 10_000
    queue_bytes: int = 64 * 2**20
    drop_oldest: bool = True
    """Whether a full queue drops its oldest; else its session is ended."""
    reply_bytes: int = 1024 * 1024
    """Of queued messages in one reply, by what they cost."""


class State(enum.Enum):
    """Where in its life a session is."""

    HANDSHAKEN = enum.auto()
    CONNECTED = enum.auto()
    ENDED = enum.auto()


@dataclass(slots=True)
class Held:
    """A connect that has not been answered."""

    request: Message
    came_ns: int
    until_ns: int
    timesync: Timesync | None
    advice: dict[str, Any] | None


class ServerSession:
    """One client.

    The shell hands it messages with `enqueue`, and sends what `poll` gives after every change and at
    `next_deadline_ns`.

    Args:
        client_id: The secret that names it.
        terms: How it is dealt with.
        budget: The memory that its queue counts against.
        owner: The cookie that it goes with; None where it came over a WebSocket.
        address: Where it came from.
        now_ns: The time, of any clock that does not go back.
    """

    __slots__ = (
        "_active_ns", "_expires_ns", "_interval_ms", "_lazy_ns", "_queue", "_terms", "_transport", "_urgent", "address",
        "channels", "client_id", "deliver_only", "held", "owner", "polls", "port", "state",
    )  # fmt: skip

    def __init__(
        self, client_id: str, terms: Terms, budget: Budget, *, owner: str | None, address: str, now_ns: int
    ) -> None:
        self.client_id = client_id
        self.owner = owner
        self.address = address
        self.state = State.HANDSHAKEN
        self.deliver_only = terms.deliver_only
        self.channels: dict[str, None] = {}
        """What it subscribed to."""
        self.port: Any = None
        """The shell's own."""
        self.held: Held | None = None
        self.polls = False
        """Whether its last connect was a request of its own, and took one of the browser's connections."""
        self._terms = terms
        self._queue = Queue(terms.queue_items, terms.queue_bytes, budget, drop_oldest=terms.drop_oldest)
        self._interval_ms = terms.interval_ms
        self._transport: object = None
        self._urgent = False
        self._lazy_ns: int | None = None
        self._active_ns = now_ns
        self._expires_ns: int | None = None
        self.rest(now_ns)

    @property
    def straight(self) -> bool:
        """Whether a message may be pushed past the queue, as nothing waits in it."""
        return not (self.deliver_only or len(self._queue) or self.state is State.ENDED)

    @property
    def pressing(self) -> bool:
        """Whether something waits that may be pushed, and waits for no others."""
        return self._urgent and not self.deliver_only

    @property
    def overflowed(self) -> bool:
        """Whether the session is to be ended because it took too little."""
        return self._queue.overflowed

    @property
    def waiting(self) -> int:
        """How many messages wait, or wait to be acknowledged."""
        return len(self._queue) + self._queue.unacknowledged

    def enqueue(self, parcel: Parcel, now_ns: int, *, lazy: bool = False) -> list[tuple[Sequence[Item], Fate]]:
        """Let messages wait for the client, lazy ones for others too; returns what was dropped."""
        dropped = self._queue.append(parcel)
        if not lazy:
            self._urgent = True
        elif self._lazy_ns is None:
            self._lazy_ns = now_ns + self._terms.max_lazy_ms * _NS_PER_MS
        return dropped

    def take(self) -> list[Item]:
        """What waits, for the answer to anything but a connect; nothing where connects alone deliver."""
        return [] if self.deliver_only else self._take()

    def _take(self) -> list[Item]:
        taken = self._queue.take(self._terms.reply_bytes)
        if not len(self._queue):
            self._urgent = False
            self._lazy_ns = None
        return taken

    def keep_until_acknowledged(self) -> None:
        """Turn on the ack extension, which needs the order that connects alone keep."""
        self._queue.keeps = self.deliver_only = True

    def wait_for_connects(self) -> None:
        """Let connects alone deliver (`metaConnectDeliverOnly`)."""
        self.deliver_only = True

    def connect(
        self,
        request: Message,
        now_ns: int,
        *,
        may_hold: bool,
        crowded: bool = False,
        timesync: Timesync | None = None,
    ) -> None:
        """Take a connect. `poll` has its reply, at once or when something is to be delivered or its time is over.

        Args:
            request: The message.
            now_ns: Now.
            may_hold: Whether its transport lets it wait.
            crowded: Whether as many connects of its browser wait as may.
            timesync: What it says of the client's time.
        """
        terms, wanted = self._terms, request.advice or {}
        timeout_ms = _milliseconds(wanted.get(Advice.TIMEOUT), terms.timeout_ms, terms.timeout_ms)
        self._interval_ms = _milliseconds(wanted.get(Advice.INTERVAL), terms.interval_ms, _INTERVAL_MS_MAX)
        if isinstance(acknowledged := ext_of(request, Ext.ACK), int):
            self._queue.acknowledge(acknowledged)
        advice = self.advice(self._interval_ms) if wanted or request.connection_type != self._transport else None
        self._transport = request.connection_type
        # The first connect proves to the client that the session works, so it does not wait.
        first, self.state = self.state is State.HANDSHAKEN, State.CONNECTED
        if first or not may_hold or self._queue.unacknowledged:
            timeout_ms = 0
        if crowded:
            timeout_ms, self._interval_ms = 0, terms.multi_session_interval_ms
            advice = {Advice.MULTIPLE_CLIENTS: True, **self.advice(self._interval_ms)}
        elif request.connection_type == ConnectionType.EVENT_SOURCE and not self.deliver_only:
            # As Faye does it: messages have a stream of their own, so that this is but a sign of life now and then.
            self._interval_ms = terms.timeout_ms
            advice = {**self.advice(self._interval_ms), Advice.TIMEOUT: 0}
            timeout_ms = 0
        self._expires_ns = None
        self.held = Held(request, now_ns, now_ns + timeout_ms * _NS_PER_MS, timesync, advice)

    def advice(self, interval_ms: int | None = None) -> dict[str, Any]:
        """What a client is told to do next."""
        return {
            Advice.RECONNECT: Reconnect.RETRY,
            Advice.INTERVAL: self._terms.interval_ms if interval_ms is None else interval_ms,
            Advice.TIMEOUT: self._terms.timeout_ms,
        }

    def hurry(self, now_ns: int) -> None:
        """Let a connect wait no longer."""
        if self.held is not None:
            self.held.until_ns = now_ns

    def eager(self, now_ns: int) -> bool:
        """Whether only messages are why a connect would be answered now: it could wait for more of them."""
        return self._urgent and self.held is not None and now_ns < self.held.until_ns

    def poll(self, now_ns: int, *, pushed: bool, apart: bool = False) -> tuple[list[Item], Message | None]:
        """What is to be sent now: messages, and the reply to a connect.

        Args:
            now_ns: Now.
            pushed: Whether messages may be sent without that reply.
            apart: Whether it goes another way than those, and is to overtake none.
        """
        if self._lazy_ns is not None and now_ns >= self._lazy_ns:
            self._urgent = True
        pushed = pushed and not self.deliver_only
        held = self.held
        if held is not None and (now_ns >= held.until_ns or (self._urgent and not pushed)):
            return ([] if pushed and apart else self._take()), self._answer(held, now_ns)
        return (self._take() if self._urgent and pushed else []), None

    def _answer(self, held: Held, now_ns: int) -> Message:
        self.held = None
        self.rest(now_ns)
        reply = reply_to(held.request, successful=True)
        if held.advice is not None:
            reply.advice = held.advice
        if self._queue.keeps:
            with_ext(reply, Ext.ACK, self._queue.next_batch())
        held_ms = (now_ns - held.came_ns) // _NS_PER_MS
        if held.timesync is not None and (said := held.timesync.answer(held_ms)) is not None:
            with_ext(reply, Ext.TIMESYNC, said)
        return reply

    def heard(self, now_ns: int) -> None:
        """The client said something that is no connect: that keeps a session alive for a while, but not for ever."""
        self._active_ns = now_ns
        if self._expires_ns is not None:
            self._expires_ns = max(self._expires_ns, now_ns + self._terms.max_interval_ms * _NS_PER_MS)

    def rest(self, now_ns: int) -> None:
        """No connect is here any more: the next is to come in time."""
        self.held = None
        self._expires_ns = now_ns + (self._interval_ms + self._terms.max_interval_ms) * _NS_PER_MS

    def inactive(self, now_ns: int) -> bool:
        """Whether it did nothing but connect for longer than it may."""
        allowed_ms = self._terms.inactive_ms
        return allowed_ms is not None and now_ns - self._active_ns > allowed_ms * _NS_PER_MS

    def expired(self, now_ns: int) -> bool:
        """Whether no connect came in time."""
        return self._expires_ns is not None and now_ns >= self._expires_ns

    def next_deadline_ns(self) -> int:
        """When to call `poll`, and ask whether it has expired."""
        held_until_ns = self.held.until_ns if self.held is not None else None
        times = (held_until_ns, self._lazy_ns if not self._urgent else None, self._expires_ns)
        return min(time for time in times if time is not None)

    def end(self) -> Message | None:
        """Close it; returns the reply to the connect that waits, which is the last that the client hears."""
        held, self.held = self.held, None
        self.state = State.ENDED
        self._queue.clear()
        if held is None:
            return None
        reply = reply_to(held.request, successful=True)
        reply.advice = {Advice.RECONNECT: Reconnect.NONE}
        return reply


def reply_to(request: Message, *, successful: bool) -> Message:
    """A reply, which repeats what the request asked for."""
    return Message(id=request.id, channel=request.channel, successful=successful, subscription=request.subscription)


def _milliseconds(value: object, default: int, bound: int) -> int:
    """A time that a client asks for."""
    if not isinstance(value, int | float) or isinstance(value, bool) or value < 0:
        return default
    return int(min(value, bound))
