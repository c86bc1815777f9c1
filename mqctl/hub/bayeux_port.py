"""A Bayeux session at the hub: the broker and the exchange on one side, on the other whatever carries it just now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from operator import attrgetter
from time import monotonic_ns, time_ns
from typing import Any, Final, Protocol, cast

from mqctl.broker.effects import Deliver
from mqctl.broker.ledger import Subscriber
from mqctl.broker.values import Address, DropReason, Message
from mqctl.hub.bayeux_messages import END, frames, piece, pieces_of, stamp
from mqctl.hub.bayeux_rounds import Rounds
from mqctl.hub.exchange import Exchange, contained
from mqctl.protocols.bayeux.extensions import timestamp
from mqctl.protocols.bayeux.message import Message as BayeuxMessage
from mqctl.protocols.bayeux.message import batch, encode
from mqctl.protocols.bayeux.queue import Fate, Parcel
from mqctl.protocols.bayeux.server import Server
from mqctl.protocols.bayeux.session import ServerSession, State
from mqctl.protocols.bayeux.spec import ConnectionType

_NS_PER_S: Final = 1_000_000_000
_SLACK_S: Final = 0.001
_UNREAD_NS: Final = 1_000_000_000
"""How soon to look again after a client that does not read, whatever is overdue: it cannot be told."""
_PARCEL: Final = b"parcel"
"""Where ports that let the same messages wait share how they do."""
_address: Final[Callable[[Message], Address]] = attrgetter("address")
_DROPS: Final = {Fate.QUEUE_FULL: DropReason.SLOW_CONSUMER, Fate.MEMORY_FULL: DropReason.MEMORY}


class Pusher(Protocol):
    """A connection over which messages are sent as they come."""

    connection_type: ConnectionType
    tag: bytes
    """Equal where equal arrays are equal bytes on the wire."""

    @property
    def ready(self) -> bool:
        """Whether it takes more just now."""
        ...

    def frame(self, array: bytes) -> bytes:
        """An array of messages as it travels."""
        ...

    def push(self, data: bytes) -> None:
        """Write frames, at the next `flush`."""
        ...

    def flush(self) -> None:
        """Write what was pushed, as one piece."""
        ...

    def unbind(self, session: ServerSession, *, close: bool) -> None:
        """The session is gone, or carried by another; with `close` the connection is to end too."""
        ...


class BayeuxPort:
    """One session. It is the broker's session, and a `Port` of the exchange.

    Args:
        name: What the hub calls it; its id is a secret.
        session: The session.
        server: Who has it.
        exchange: The broker, and who does what it decides.
        is_lazy: Whether what goes to an address may wait for others.
        rounds: When connects of all sessions are answered.
        stamps: Whether what is sent says when.
    """

    __slots__ = (
        "_dirty", "_exchange", "_is_lazy", "_pusher", "_rounds", "_sent_away", "_server", "_stamps", "_taken", "_timer",
        "_timer_ns", "_waiter", "_writing", "name", "session",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        session: ServerSession,
        server: Server,
        exchange: Exchange,
        is_lazy: Callable[[Address], bool] | None,
        *,
        rounds: Rounds,
        stamps: bool = False,
    ) -> None:
        self.name = name
        self.session = session
        self._server = server
        self._rounds = rounds
        self._exchange = exchange
        self._is_lazy = is_lazy
        self._stamps = stamps
        self._pusher: Pusher | None = None
        self._waiter: asyncio.Future[bytes | None] | None = None
        self._taken: Sequence[Message] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ns = 0
        self._dirty = False
        self._sent_away = False
        self._writing = 0

    # What the exchange wants

    def send(self, messages: Sequence[Message], subscriber: Subscriber | None, shared: dict[bytes, Any]) -> None:
        """Push messages, or let them wait; the same ones by another subscription are left."""
        if messages is self._taken:
            return
        self._taken = messages
        pusher = self._pusher
        if pusher is None or not pusher.ready or self._is_lazy is not None or not self.session.straight:
            self._enqueue(messages, subscriber, shared)
            return
        self.mark_dirty()
        frame = shared.get(pusher.tag)
        if frame is None:
            frame = shared[pusher.tag] = b"".join(map(pusher.frame, frames(messages, self._end())))
        if frame:
            pusher.push(frame)

    def deliver(self, effect: Deliver) -> None:
        """The same for one message."""
        self.send([effect.message], effect.subscriber, {})

    def give(self, messages: Sequence[Message]) -> None:
        """The same for messages to this client alone, after all that was sent before."""
        self._exchange.settle()
        self.send(messages, None, {})

    def flush(self, now_ns: int) -> None:
        """Answer the connect that waits, if there is something to say, and set the timer."""
        self._dirty = False
        self._taken = None
        session = self.session
        if session.state is State.ENDED:
            return
        if session.overflowed:
            self.evict("too slow (limit: backlog_messages or backlog_bytes)")
            return
        pusher = self._pusher
        if (pusher is None or pusher.ready) and self._in_turn(now_ns):
            self._say(*self._poll(now_ns))
        if pusher is not None:
            pusher.flush()
            if pusher.ready and session.pressing:  # a reply's worth went, and others have their turn
                self.mark_dirty()
        self.set_timer(now_ns)

    def hold(self) -> None:
        """Nothing: what this session publishes is refused while there is no room for it."""

    def release(self) -> None:
        """Nothing."""

    def unfinished(self) -> None:
        """Nothing: the broker keeps no backlog for it."""

    def evict(self, reason: str) -> None:
        """End the session, and the connection that carries it."""
        self._sent_away = True
        self._server.end(self.session, reason)

    def abort(self) -> None:
        """End the session at once."""
        self.evict("a bug in the hub")

    # What carries it

    @property
    def pushed(self) -> bool:
        """Whether something carries its messages as they come."""
        return self._pusher is not None

    @property
    def connection_type(self) -> ConnectionType | None:
        """What its client hears of it by; None while it is away."""
        if self._pusher is not None:
            return self._pusher.connection_type
        return ConnectionType.LONG_POLLING if self.session.polls else None

    def carry_by(self, pusher: Pusher) -> None:
        """From now on messages are pushed there."""
        if self._pusher is not pusher:
            if self._pusher is not None:
                self._pusher.unbind(self.session, close=False)
            self._pusher = pusher
            self.mark_dirty()

    def dropped_by(self, pusher: Pusher) -> None:
        """A connection is gone. That is not the end of the session, which another may take up."""
        if self._pusher is pusher:
            self._pusher = None
            if self._waiter is not None:
                self.mark_dirty()
            else:
                self._rest()

    def answer(self, replies: Sequence[BayeuxMessage]) -> bytes:
        """What a request is answered, now: what waits goes with it, unless that is pushed."""
        messages = [] if self._pusher is not None else self.session.take()
        return self._array(cast("list[Message]", messages), replies)

    def answer_connect(self, replies: Sequence[BayeuxMessage]) -> asyncio.Future[bytes | None]:
        """What a request with a connect is answered, then or now; None where a newer connect took its place."""
        now_ns = monotonic_ns()
        self._heed_type()
        self._waiter = waiter = self._exchange.loop.create_future()
        if self._in_turn(now_ns):
            self._say(*self._poll(now_ns), replies)
        self.set_timer(now_ns)
        return waiter

    def _heed_type(self) -> None:
        """Push no more to a client that polls: what carried its messages may have broken without a word."""
        held, pusher = self.session.held, self._pusher
        if pusher is not None and held is not None and held.request.connection_type != ConnectionType.EVENT_SOURCE:
            self._pusher = None
            pusher.unbind(self.session, close=False)

    def give_up(self, waiter: asyncio.Future[bytes | None]) -> None:
        """The client of a connect that waits is gone; its session has as long as after any connect."""
        if self._waiter is waiter:
            self._waiter = None
            self._rest()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """While an answer is written its client is not away, and has as long as after any connect from its end on."""
        self._writing += 1
        try:
            yield
        finally:
            self._writing -= 1
            if self.session.held is None:
                self._rest()

    def supersede(self) -> None:
        """A newer connect came. Over a socket the old one is forgotten, a request is told."""
        self._resolve(None)

    def end(self, last: BayeuxMessage | None) -> None:
        """The session is gone; say the last to the connect that waits."""
        if self._timer is not None:
            self._timer.cancel()
        if last is not None:
            self._say([], last)
        self._resolve(None)
        if self._pusher is not None:
            self._pusher.unbind(self.session, close=self._sent_away)
            self._pusher = None

    def _enqueue(self, messages: Sequence[Message], subscriber: Subscriber | None, shared: dict[bytes, Any]) -> None:
        parcel = shared.get(_PARCEL)
        if parcel is None:
            parcel = shared[_PARCEL] = Parcel([message for message in messages if piece(message)])
        if not parcel.items:
            return
        lazy = self._is_lazy is not None and all(map(self._is_lazy, map(_address, messages)))
        for dropped, fate in self.session.enqueue(parcel, monotonic_ns(), lazy=lazy):
            for address, lost in groupby(cast("Sequence[Message]", dropped), _address):
                count = sum(1 for _ in lost)
                self._exchange.apply(self._exchange.broker.drop(subscriber, address, count, _DROPS[fate]))
        # Who is away is told nothing, so that it costs others nothing but its queue.
        if self._pusher is not None or self._waiter is not None or self.session.overflowed:
            self.mark_dirty()

    def _in_turn(self, now_ns: int) -> bool:
        """Whether what waits may be said now; a connect that only messages would end may have to wait for more."""
        return self._pusher is not None or not self.session.eager(now_ns) or self._rounds.join(self)

    def _poll(self, now_ns: int) -> tuple[list[Message], BayeuxMessage | None]:
        messages, reply = self.session.poll(now_ns, pushed=self._pusher is not None, apart=self._waiter is not None)
        return cast("list[Message]", messages), reply

    def _say(
        self, messages: Sequence[Message], reply: BayeuxMessage | None, replies: Sequence[BayeuxMessage] = ()
    ) -> None:
        """Send messages and the reply to a connect; a request that has one takes other replies along."""
        if reply is not None and self._stamps:
            reply.timestamp = timestamp(_epoch_ms())
        if reply is not None and self._waiter is not None:
            self._resolve(self._array(messages, [*replies, reply]))
            return
        pusher = self._pusher
        if pusher is None:
            return
        arrays = frames(messages, self._end())
        if reply is not None:
            arrays.append(batch([encode(reply)]))
        if arrays:
            pusher.push(b"".join(map(pusher.frame, arrays)))

    def _array(self, messages: Sequence[Message], replies: Sequence[BayeuxMessage]) -> bytes:
        """The answer to a request: what waited, then the replies."""
        return batch([*pieces_of(messages, self._end()), *map(encode, replies)])

    def _end(self) -> bytes:
        return stamp(_epoch_ms()) if self._stamps else END

    def _resolve(self, answer: bytes | None) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(answer)

    def mark_dirty(self) -> None:
        """Something may have to be said at the end of this turn of the loop."""
        if not self._dirty:
            self._dirty = True
            self._exchange.mark_dirty(self)

    def set_timer(self, now_ns: int) -> None:
        """Come back when the session wants to be asked again."""
        deadline_ns = self.session.next_deadline_ns()
        if self._pusher is not None and not self._pusher.ready:
            deadline_ns = max(deadline_ns, now_ns + _UNREAD_NS)
        if self._timer is not None:
            if deadline_ns >= self._timer_ns:
                return
            self._timer.cancel()
        self._timer_ns = deadline_ns
        delay_s = max(0, deadline_ns - now_ns) / _NS_PER_S + _SLACK_S
        self._timer = self._exchange.loop.call_later(delay_s, self._on_time)

    def _rest(self) -> None:
        """No connect is here any more: the next is to come in time."""
        if self.session.state is not State.ENDED:
            now_ns = monotonic_ns()
            self.session.rest(now_ns)
            self.set_timer(now_ns)

    @contained
    def _on_time(self) -> None:
        self._timer = None
        now_ns = monotonic_ns()
        if self._writing and self.session.held is None:
            self.session.rest(now_ns)
        if not self._server.lapse(self.session, now_ns):
            self.flush(now_ns)


def _epoch_ms() -> int:
    return time_ns() // 1_000_000
