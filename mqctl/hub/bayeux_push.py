"""Connections over which the hub sends Bayeux messages as they come: WebSockets, and streams of server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, assert_never, cast

from mqctl.hub.bayeux_house import EARLY_BYTES, BayeuxHouse
from mqctl.hub.bayeux_port import BayeuxPort
from mqctl.hub.config import HubConfig
from mqctl.hub.exchange import Exchange, contained
from mqctl.hub.patience import Linger, Stall
from mqctl.protocols.bayeux.house import Link
from mqctl.protocols.bayeux.message import MessageError, batch, decode, encode
from mqctl.protocols.bayeux.session import ServerSession, State
from mqctl.protocols.bayeux.spec import EVENT_STREAM, ConnectionType
from mqctl.protocols.websocket import (
    CloseCode,
    MessageReceiver,
    Opcode,
    Part,
    WebSocketError,
    close,
    is_close_code,
)
from mqctl.protocols.websocket import encode as frame_of

STREAM_HEAD: Final = (
    f"HTTP/1.1 200 OK\r\nContent-Type: {EVENT_STREAM}\r\nCache-Control: no-store\r\n"
    "X-Content-Type-Options: nosniff\r\nX-Accel-Buffering: no\r\nConnection: close\r\n"
)
COMMENT: Final = b":\n\n"
"""What a reader skips (HTML, 9.2.6). Proxies end what is silent for long, often after a minute."""
RETRY: Final = b"\r\nretry: 5000\n\n"
"""The end of the head, and when a browser is to open another stream after one was lost."""


class _Outlet:
    """What is written to a connection, once per turn of the loop, and whether it takes any more.

    Args:
        config: The hub's.
        exchange: Whose loop is used.
        on_stall: Called when the client has taken nothing for too long.
    """

    def __init__(self, config: HubConfig, exchange: Exchange, on_stall: Callable[[], None]) -> None:
        self.ready = True
        self.transport: asyncio.Transport | None = None
        self._config = config
        self._output: list[bytes] = []
        self._written_bytes = 0
        self._stall = Stall(exchange.loop, config.unread_timeout_s, self._taken_bytes, on_stall)

    def open(self, transport: asyncio.Transport) -> None:
        """Write there."""
        self.transport = transport
        transport.set_write_buffer_limits(high=self._config.write_buffer_bytes)

    def push(self, data: bytes) -> None:
        """Write it at the next `flush`."""
        self._output.append(data)

    def flush(self) -> None:
        """Write it all."""
        output, self._output = b"".join(self._output), []
        if output and self.transport is not None and not self.transport.is_closing():
            self._written_bytes += len(output)
            self.transport.write(output)

    def choke(self) -> None:
        """The client reads more slowly than it is sent to: messages wait in the session, and it may ask no more."""
        self.ready = False
        self._stall.start()

    def relieve(self) -> None:
        """The client has caught up."""
        self.ready = True
        self._stall.cancel()

    def shut(self) -> None:
        """The connection is gone."""
        self.ready = False
        self._stall.cancel()

    def _taken_bytes(self) -> int:
        return self._written_bytes - (self.transport.get_write_buffer_size() if self.transport is not None else 0)


def _settle(closed: asyncio.Future[None]) -> None:
    if not closed.done():
        closed.set_result(None)


class BayeuxSocket(asyncio.Protocol):
    """A WebSocket: arrays of messages both ways. One session at a time is bound to it.

    Args:
        config: The hub's.
        exchange: Whose loop is used.
        house: The sessions.
        link: What its messages come by.
        sockets: Where it enters itself while it is open.
    """

    connection_type = ConnectionType.WEBSOCKET
    tag = b"bayeux ws"

    def __init__(
        self,
        config: HubConfig,
        exchange: Exchange,
        house: BayeuxHouse,
        link: Link,
        sockets: set[BayeuxSocket | EventStream],
    ) -> None:
        self.name = f"a WebSocket of {link.address}"
        self._config = config
        self._exchange = exchange
        self._house = house
        self._link = link
        self._sockets = sockets
        self._outlet = _Outlet(config, exchange, self._give_up)
        self._receiver = MessageReceiver(EARLY_BYTES)
        self.closed = exchange.loop.create_future()
        self._timer: asyncio.TimerHandle | None = None
        self._ending = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for somebody to say who they are."""
        transport = cast("asyncio.Transport", transport)
        self._sockets.add(self)
        self._outlet.open(transport)
        self._linger = Linger(self._exchange.loop, transport)
        self._expect_session()

    @contained
    def data_received(self, data: bytes) -> None:
        """Do what the client asks."""
        failure: WebSocketError | None = None
        try:
            parts = [] if self._ending else self._receiver.receive(data)
        except WebSocketError as error:
            parts, failure = error.parts, error
        for part in parts:
            if not self._ending:
                self._take(part)
        if failure is not None:
            self.end(failure.code, str(failure))
        if self._link.bound is None:
            self._outlet.flush()
        else:  # after what comes for it in this turn of the loop
            self._port_of(self._link.bound).mark_dirty()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - it makes no difference
        """The session outlives it for a while."""
        self._sockets.discard(self)
        self._ending = True
        self._outlet.shut()
        self._linger.cancel()
        if self._timer is not None:
            self._timer.cancel()
        if self._link.bound is not None:
            self._port_of(self._link.bound).dropped_by(self)
        _settle(self.closed)

    def pause_writing(self) -> None:
        """Ask no more before what was asked is read."""
        self._outlet.choke()
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on."""
        self._outlet.relieve()
        if not self._transport.is_closing():
            self._transport.resume_reading()
        if self._link.bound is not None:
            self._port_of(self._link.bound).mark_dirty()

    @property
    def ready(self) -> bool:
        """Whether it takes more just now."""
        return self._outlet.ready and not self._ending

    def frame(self, array: bytes) -> bytes:
        """A text message."""
        return frame_of(Opcode.TEXT, array)

    def push(self, data: bytes) -> None:
        """Write frames, soon."""
        self._outlet.push(data)

    def flush(self) -> None:
        """Write them now."""
        if not self._ending:
            self._outlet.flush()

    def unbind(self, session: ServerSession, *, close: bool) -> None:
        """The session is gone, or elsewhere; another may come."""
        self.flush()
        if self._link.bound is session:
            self._link.bound = None
            self._receiver.allow(EARLY_BYTES)
            if close:
                self.end(CloseCode.POLICY, "the session was ended")
            else:
                self._expect_session()

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    def end(self, code: int, reason: str) -> None:
        """Say nothing more, and give the client a moment to close."""
        if self._ending:
            return
        self._outlet.push(close(code, reason))
        self._outlet.flush()
        self._ending = True
        self._linger.start(self._config.drain_s)

    @property
    def _transport(self) -> asyncio.Transport:
        assert self._outlet.transport is not None
        return self._outlet.transport

    def _port_of(self, session: ServerSession) -> BayeuxPort:
        return cast("BayeuxPort", session.port)

    def _take(self, part: Part) -> None:
        match part.opcode:
            case Opcode.TEXT | Opcode.BINARY | Opcode.CONTINUATION:
                self._receive(part.payload)
            case Opcode.PING:
                self._outlet.push(frame_of(Opcode.PONG, part.payload))
            case Opcode.CLOSE:
                code = int.from_bytes(part.payload[:2])
                self.end(code if is_close_code(code) else CloseCode.NORMAL, "")
            case Opcode.PONG:
                pass
            case _:
                assert_never(part.opcode)

    def _receive(self, payload: bytes) -> None:
        try:
            messages = decode(payload, self._config.bayeux_limits)
            if not messages:  # so did old clients of Faye keep their sockets open
                return
            answer = self._house.receive(messages, self._link)
        except MessageError as error:
            self.end(CloseCode.TOO_BIG if error.limit == "body_bytes" else CloseCode.POLICY, str(error))
            return
        if answer.replies:
            self._outlet.push(self.frame(batch(map(encode, answer.replies))))
        session = answer.session
        if session is not None and session.state is not State.ENDED:
            self._receiver.allow(self._config.bayeux_limits.body_bytes)
            self._port_of(session).carry_by(self)

    def _expect_session(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        patience_s = self._config.stomp_limits.connect_timeout_s
        self._timer = self._exchange.loop.call_later(patience_s, self._look_for_session)

    @contained
    def _look_for_session(self) -> None:
        if self._link.bound is None:
            self.end(CloseCode.POLICY, "no session (limit: connect-timeout)")

    @contained
    def _give_up(self) -> None:
        self._transport.abort()


class EventStream(asyncio.Protocol):
    """A stream of events as Faye has them: each an array of messages. What the client has to say comes in requests.

    Args:
        config: The hub's.
        exchange: Whose loop is used.
        session: Whose messages are sent.
        head: Further lines of the answer's head.
        streams: Where it enters itself while it is open.
    """

    connection_type = ConnectionType.EVENT_SOURCE
    tag = b"bayeux sse"

    def __init__(
        self,
        config: HubConfig,
        exchange: Exchange,
        session: ServerSession,
        head: str,
        streams: set[BayeuxSocket | EventStream],
    ) -> None:
        self._port: BayeuxPort = session.port
        self.name = f"the stream of {self._port.name}"
        self._config = config
        self._exchange = exchange
        self._head = head
        self._streams = streams
        self._outlet = _Outlet(config, exchange, self.abort)
        self.closed = exchange.loop.create_future()
        self._heart: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        transport = cast("asyncio.Transport", transport)
        self._streams.add(self)
        self._outlet.open(transport)
        self._linger = Linger(self._exchange.loop, transport)
        self._outlet.push(f"{STREAM_HEAD}{self._head}".encode() + RETRY)
        self._outlet.flush()
        self._port.carry_by(self)
        self._beat_later()

    def _beat_later(self) -> None:
        if self._config.heart_beat_ms:
            self._heart = self._exchange.loop.call_later(self._config.heart_beat_ms / 1000, self._beat)

    @contained
    def _beat(self) -> None:
        if self.ready:
            self._outlet.push(COMMENT)
            self._outlet.flush()
        self._beat_later()

    def data_received(self, data: bytes) -> None:
        """Nothing: a client has nothing to say here."""

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - it makes no difference
        """The session outlives it for a while."""
        self._streams.discard(self)
        self._outlet.shut()
        self._linger.cancel()
        if self._heart is not None:
            self._heart.cancel()
        self._port.dropped_by(self)
        _settle(self.closed)

    def pause_writing(self) -> None:
        """Messages wait in the session."""
        self._outlet.choke()

    @contained
    def resume_writing(self) -> None:
        """Go on."""
        self._outlet.relieve()
        self._port.mark_dirty()

    @property
    def ready(self) -> bool:
        """Whether it takes more just now."""
        return self._outlet.ready

    def frame(self, array: bytes) -> bytes:
        """An event. Its line ends at a line break, which JSON has between values only, where a blank does as well."""
        return b"data: %b\n\n" % array.replace(b"\n", b" ").replace(b"\r", b" ")

    def push(self, data: bytes) -> None:
        """Write events, soon."""
        self._outlet.push(data)

    def flush(self) -> None:
        """Write them now."""
        self._outlet.flush()

    def unbind(self, session: ServerSession, *, close: bool) -> None:  # noqa: ARG002 - it has no other session
        """The session is gone, or elsewhere."""
        self.end(CloseCode.NORMAL, "")

    def end(self, code: int, reason: str) -> None:  # noqa: ARG002 - there is no place for them
        """Say nothing more."""
        self._outlet.flush()
        assert self._outlet.transport is not None
        self._outlet.transport.close()
        self._linger.start(self._config.drain_s)

    def abort(self) -> None:
        """Close at once."""
        assert self._outlet.transport is not None
        self._outlet.transport.abort()
