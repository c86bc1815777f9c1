"""A STOMP connection of the hub: the socket on one side, the pure session and the broker on the other."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from time import monotonic_ns
from typing import Any, Final, cast

from mqctl.broker.effects import Deliver
from mqctl.broker.ledger import Subscriber
from mqctl.broker.values import Message
from mqctl.hub.config import HubConfig
from mqctl.hub.events import SessionClosed, SessionOpened
from mqctl.hub.exchange import Exchange, contained
from mqctl.hub.framing import Ended, Framing
from mqctl.hub.patience import Linger, Stall
from mqctl.hub.stomp_clerk import StompClerk
from mqctl.hub.stomp_wire import Wire
from mqctl.protocols.stomp.requests import Connect, Request
from mqctl.protocols.stomp.server import ServerSession
from mqctl.target import Endpoint

REQUESTS_PER_TURN: Final = 256
"""Requests of one connection between two of everybody else's."""
EARLY_BYTES: Final = 64 * 1024
"""What may come before CONNECT is complete: nobody knows yet who sends it."""

_NS_PER_S: Final = 1_000_000_000
_TIMER_SLACK_S: Final = 0.001


class StompPort(asyncio.Protocol):
    """One connection. It is the broker's session, and a `Port` of the exchange.

    Reading stops while the broker holds it as a publisher, while it is backed up with answers that it does not read,
    while requests of its last read are left for the next turn, and for good once the hub stops.
    """

    def __init__(
        self,
        config: HubConfig,
        exchange: Exchange,
        ports: set[StompPort],
        name: str,
        *,
        server: str,
        framing: Framing,
    ) -> None:
        self.name = name
        self.closed = exchange.loop.create_future()
        self._acted: asyncio.Future[None] = exchange.loop.create_future()
        self._config = config
        self._exchange = exchange
        self._broker = exchange.broker
        self._ports = ports
        self._framing = framing
        self._session = ServerSession(
            limits=config.stomp_limits,
            server_name=server,
            session_id=name,
            heart_beat_ms=(config.heart_beat_ms, config.heart_beat_ms),
            authenticate=config.authenticate,
            now_ns=monotonic_ns(),
            wrap=framing.wrap,
        )
        self._clerk = StompClerk(self, self._session, exchange, config.rules)
        self._requests: deque[Iterator[Request]] = deque()
        self._early_bytes = 0
        self._unread_bytes = 0
        self._written_bytes = 0
        self._stall = Stall(exchange.loop, config.unread_timeout_s, self._taken_bytes, self._give_up)
        self._peer = "?"
        self._reason: str | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ns = 0
        self._dirty = False
        self._held = False
        self._choked = False
        self._backed_up = False
        self._busy = False
        self._deaf = False
        self._more_waits = False
        self._quiet = False
        self._draining = False
        self._ending = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet a new connection, or turn it away when there are too many."""
        self._transport = cast("asyncio.Transport", transport)
        self._linger = Linger(self._exchange.loop, self._transport)
        self._ports.add(self)
        self._begin()

    @contained
    def _begin(self) -> None:
        self._transport.set_write_buffer_limits(high=self._config.write_buffer_bytes)
        address = self._transport.get_extra_info("peername")  # None if it is gone again already
        self._peer = str(Endpoint(*address[:2])) if address else "?"
        bound = self._config.broker_limits.connections
        if len(self._ports) > bound and sum(not port.leaving for port in self._ports) > bound:
            self._session.refuse(None, f"too many connections (limit: connections, {bound})")
        self._finish(monotonic_ns())

    @contained
    def data_received(self, data: bytes) -> None:
        """Act on what the client sent."""
        if self._ending:
            return
        now_ns = monotonic_ns()
        self._requests.append(self._session.receive(self._framing.unwrap(data), now_ns))
        if replies := self._framing.take_replies():
            self._session.write(replies)
            self._let_others()  # or a flood of pings would be read, and answered, faster than anything is written
        self._work(now_ns)
        if self._session.version is None:
            self._early_bytes += len(data)
            if self._early_bytes > EARLY_BYTES:
                self._session.refuse(None, f"more than {EARLY_BYTES} bytes and no CONNECT (limit: connect-bytes)")
                self._finish(now_ns)

    def eof_received(self) -> None:
        """The client says no more; what it asked for before is answered, then the transport closes."""
        self._part("the client hung up")

    def connection_lost(self, exc: Exception | None) -> None:
        """Give back what the client had in flight."""
        self._ports.discard(self)
        self._ending = True
        for timer in (self._timer, self._linger, self._stall):
            if timer is not None:
                timer.cancel()
        self._requests.clear()
        self._note_acted()
        self._leave()
        reason = self._session.close_reason or self._reason or (f"connection lost: {exc}" if exc else "hung up")
        self._exchange.tell_drops()
        self._exchange.tell(SessionClosed(self.name, self._peer, reason))
        if not self.closed.done():
            self.closed.set_result(None)

    def pause_writing(self) -> None:
        """The client reads more slowly than it is sent to."""
        self._choked = True
        self._broker.pause(self)
        self._stall.start()

    @contained
    def resume_writing(self) -> None:
        """The client has caught up."""
        self._stall.cancel()
        self._choked = self._backed_up = False
        self._unread_bytes = 0
        self._resume()
        self._listen()

    @property
    def leaving(self) -> bool:
        """Whether all that is left is to see the client out."""
        return self._ending or self._session.closing

    def send(self, messages: Sequence[Message], subscriber: Subscriber, shared: dict[bytes, Any]) -> None:
        """Put messages into the outbox."""
        wire = subscriber.wire or self._wire(subscriber)
        piece = shared.get(wire.tag)
        if piece is None:
            piece = shared[wire.tag] = wire.frames(messages)
        self._session.write(piece)
        self._mark_dirty()

    def deliver(self, effect: Deliver) -> None:
        """Put a message into the outbox that may have to be acknowledged."""
        wire = effect.subscriber.wire or self._wire(effect.subscriber)
        ack = self._clerk.ack_header(effect, wire.version)
        self._session.write(wire.frame(effect.message, ack, redelivered=effect.redelivered))
        self._mark_dirty()

    def flush(self, now_ns: int) -> None:
        """Write the outbox, and close if that was the last of it."""
        self._dirty = False
        output = self._session.take_output()
        if self._ending or self._transport.is_closing():
            return
        if output:
            if self._choked:
                self._note_unread(len(output))
            self._written_bytes += len(output)
            self._transport.write(output)
            self._session.wrote(now_ns)
        drained = self._draining and not (self._choked or self._more_waits)
        if self._session.closing or drained:
            self._end()

    def hold(self) -> None:
        """Take no more requests until `release`."""
        self._held = True
        self._listen()

    def release(self) -> None:
        """Take requests again, those that waited first."""
        if not self._clerk.parting:
            self._held = False
            self._exchange.loop.call_soon(self._continue)

    def unfinished(self) -> None:
        """Ask the broker for more once the socket has taken what it was given."""
        self._more_waits = True
        self._exchange.loop.call_soon(self._take_more)

    def evict(self, reason: str) -> None:
        """Say why and close."""
        self._session.refuse(None, reason)
        self._mark_dirty()

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    def break_off(self, reason: str) -> None:
        """Close at once, and without a word."""
        self._reason = self._reason or reason
        self.abort()

    def quiet(self) -> asyncio.Future[None]:
        """Read no more; the result is there when all that was read has been acted upon."""
        self._quiet = True
        self._reason = self._reason or "the hub was stopped"
        self._listen()
        self._note_acted()
        return self._acted

    def drain(self) -> asyncio.Future[None]:
        """Write what is on its way and close; the result is there when that is done."""
        self._draining = True
        self._mark_dirty()
        return self.closed

    @contained
    def _part(self, reason: str) -> None:
        """The transport will close by itself, once it has got rid of its buffer."""
        self._answer_and_leave(reason)
        self._ending = True
        self._linger.start(self._config.drain_s)

    def _answer_and_leave(self, reason: str) -> None:
        self._reason = self._reason or reason
        self._exchange.settle()
        self.flush(monotonic_ns())
        self._leave()

    def _heed(self, ended: Ended) -> None:
        """The framing reads no more; all that came before has been acted upon."""
        if ended.fault:
            self._session.refuse(None, ended.reason)
        else:
            self._answer_and_leave(ended.reason)
            self._end()

    def _end(self) -> None:
        """Say nothing more, and give the client a moment to take the last of it and to close."""
        if self._ending or self._transport.is_closing():
            return
        self._ending = True
        self._listen()
        self._transport.write(self._framing.farewell(self._session.close_reason, refused=self._session.refused))
        with suppress(OSError):  # the client may have reset the connection, of which we are told later
            self._transport.write_eof()
        self._linger.start(self._config.drain_s)

    @contained
    def _leave(self) -> None:
        self._clerk.leave(monotonic_ns())

    def _listen(self) -> None:
        """Read from the socket, or not, as things stand now."""
        if self._transport.is_closing():
            return
        # Once the last word is said, what still comes is read in order to be thrown away.
        deaf = not self._ending and (self._held or self._backed_up or self._busy or self._quiet)
        if deaf:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()
        if self._deaf:
            self._session.heard(monotonic_ns())
        self._deaf = deaf

    def _note_unread(self, count: int) -> None:
        """Count answers to a client that reads none; messages it is not sent, but it could go on asking."""
        self._unread_bytes += count
        if self._unread_bytes > self._config.write_buffer_bytes:
            self._backed_up = True
            self._listen()

    def _taken_bytes(self) -> int:
        return self._written_bytes - self._transport.get_write_buffer_size()

    @contained
    def _give_up(self) -> None:
        if not self._ending:
            says = f"nothing read in {self._config.unread_timeout_s:g} s (limit: unread-timeout)"
            self._session.refuse(None, says)
            self._finish(monotonic_ns())

    def _mark_dirty(self) -> None:
        if not self._dirty:
            self._dirty = True
            self._exchange.mark_dirty(self)

    @contained
    def _take_more(self) -> None:
        if self._more_waits and not self._choked:
            self._resume()

    def _resume(self) -> None:
        self._more_waits = False
        self._exchange.apply(self._broker.resume(self, monotonic_ns()))
        self._mark_dirty()

    @contained
    def _continue(self) -> None:
        self._busy = False
        self._work(monotonic_ns())
        self._listen()

    def _work(self, now_ns: int) -> None:
        """Act on what was read, until it is done, the publisher is held, or it is the others' turn."""
        for _ in range(REQUESTS_PER_TURN):
            if self._held or not self._requests:
                break
            request = next(self._requests[0], None)
            if request is None:
                self._requests.popleft()
            else:
                self._act(request, now_ns)
        else:
            self._let_others()
        if self._framing.ended and not (self._requests or self._ending):
            self._heed(self._framing.ended)
        self._note_acted()
        self._finish(now_ns)

    def _let_others(self) -> None:
        """Read, and do, no more before the next turn of the loop."""
        if not self._busy:
            self._busy = True
            self._listen()
            self._exchange.loop.call_soon(self._continue)

    def _note_acted(self) -> None:
        if self._quiet and not self._requests and not self._acted.done():
            self._acted.set_result(None)

    def _act(self, request: Request, now_ns: int) -> None:
        self._clerk.act(request, now_ns)
        if isinstance(request, Connect) and not self._session.closing:
            self._exchange.tell(
                SessionOpened(self.name, self._peer, f"STOMP {request.version}{self._framing.via}", request.client_id)
            )

    def _finish(self, now_ns: int) -> None:
        """Leave nothing unwritten, and a timer set for what the session waits for."""
        if self._session.closing:
            # At once: until the connection is gone the broker would deliver to nobody.
            self._leave()
        self._mark_dirty()
        deadline_ns = self._session.next_deadline_ns()
        if deadline_ns is None or self._ending or (self._timer is not None and deadline_ns >= self._timer_ns):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_ns = deadline_ns
        delay_s = max(0, deadline_ns - now_ns) / _NS_PER_S + _TIMER_SLACK_S
        self._timer = self._exchange.loop.call_later(delay_s, self._on_time)

    @contained
    def _on_time(self) -> None:
        self._timer = None
        if self._ending:
            return
        now_ns = monotonic_ns()
        if self._deaf:
            # It is we who do not listen, so silence proves nothing against the client.
            self._session.heard(now_ns)
        self._session.tick(now_ns)
        self._finish(now_ns)

    def _wire(self, subscriber: Subscriber) -> Wire:
        version = self._session.version
        assert version is not None
        subscriber.wire = wire = Wire(subscriber, version, self._framing)
        return wire
