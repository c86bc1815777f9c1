"""The hub's side of Bayeux: its sessions as they are, over requests that simulated connections carry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final, cast

from msgspec import Raw

from mqctl.broker.effects import Deliver
from mqctl.broker.ledger import Subscriber
from mqctl.broker.values import Address, AddressKind
from mqctl.broker.values import Message as HubMessage
from mqctl.errors import RefusedError
from mqctl.experiments.simulation.hub import Hub
from mqctl.experiments.simulation.wire import Pipe
from mqctl.protocols.bayeux.house import Link
from mqctl.protocols.bayeux.message import Message, batch, decode, encode
from mqctl.protocols.bayeux.queue import Parcel
from mqctl.protocols.bayeux.server import Server
from mqctl.protocols.bayeux.session import ServerSession, Terms
from mqctl.protocols.bayeux.spec import ConnectionType, Limits

_LENGTH_BYTES: Final = 4
_CHANNEL: Final = "channel"
"""Where a message keeps the channel that it came by."""
ROOMY: Final = Terms(queue_items=2**40, queue_bytes=2**40, max_interval_ms=3_600_000)
"""Limits that are not reached. What a client on a slow network takes to read a long answer counts as being away."""


def framed(body: bytes) -> bytes:
    """A body as it travels: behind its length, which is all that matters here of HTTP."""
    return len(body).to_bytes(_LENGTH_BYTES) + body


class Bodies:
    """Finds the bodies in what comes."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Those that are whole now."""
        self._rest += data
        while len(self._rest) >= _LENGTH_BYTES:
            end = _LENGTH_BYTES + int.from_bytes(self._rest[:_LENGTH_BYTES])
            if len(self._rest) < end:
                return
            body, self._rest = self._rest[_LENGTH_BYTES:end], self._rest[end:]
            yield body


@dataclass(slots=True)
class Jar:
    """The cookie of one client."""

    address: str
    owner: str | None = None


class RequestEnd:
    """The hub's end of a connection that carries requests, one after the other.

    Args:
        house: Whose it is.
        down: Takes the answers.
        jar: The cookie that comes with every request.
    """

    def __init__(self, house: BayeuxHouse, down: Pipe, jar: Jar) -> None:
        self.jar = jar
        self.port: BayeuxPort | None = None
        self._house, self._down = house, down
        self._bodies = Bodies()

    def receive(self, data: bytes) -> None:
        """Act on what the client sent."""
        for body in self._bodies.feed(data):
            self._house.receive(body, self)

    def respond(self, messages: Sequence[HubMessage], replies: Sequence[Message]) -> None:
        """Answer the request."""
        self._down.send(framed(batch([*map(_piece, messages), *map(encode, replies)])))

    def lost(self) -> None:
        """A connect that waits here will not be answered."""
        if self.port is not None:
            self.port.give_up(self)


class BayeuxPort:
    """One session; it is the broker's session."""

    def __init__(self, hub: Hub, server: Server, session: ServerSession) -> None:
        self._hub, self._server, self._session = hub, server, session
        self._waiter: RequestEnd | None = None
        self._timer_ns: int | None = None
        self._ended = False

    def wait(self, end: RequestEnd | None) -> None:
        """A connect waits there for what is to come."""
        self._waiter = end
        if end is not None:
            end.port = self
            self._hub.soil(self)

    def give_up(self, end: RequestEnd) -> None:
        """The client of a connect that waits is gone; its session has as long as after any connect."""
        if self._waiter is end:
            self._waiter = None
            self._session.rest(self._hub.world.now_ns)
            self.flush()

    def end(self) -> None:
        """The session is gone."""
        self._ended = True

    def send(self, message: HubMessage, _subscriber: Subscriber) -> None:
        """Let a message wait for the next answer."""
        self._session.enqueue(Parcel([message]), self._hub.world.now_ns)

    def deliver(self, effect: Deliver) -> None:
        """The same."""
        self.send(effect.message, effect.subscriber)

    def unfinished(self) -> None:
        """Nothing: the broker keeps no backlog for it."""

    def flush(self) -> None:
        """Answer the connect that waits, if there is something to say, and set the timer."""
        if self._ended:
            return
        if self._waiter is not None:
            messages, reply = self._session.poll(self._hub.world.now_ns, pushed=False)
            if reply is not None:
                self._waiter.respond(cast("list[HubMessage]", messages), [reply])
                self._waiter = None
        self._set_timer()

    def _set_timer(self) -> None:
        deadline_ns = self._session.next_deadline_ns()
        if self._timer_ns is None or deadline_ns < self._timer_ns:
            self._timer_ns = deadline_ns
            self._hub.world.at(deadline_ns, self._on_time)

    def _on_time(self) -> None:
        self._timer_ns = None
        if not self._ended and not self._server.lapse(self._session, self._hub.world.now_ns):
            self.flush()


class BayeuxHouse:
    """All sessions of the hub, by long-polling.

    Args:
        hub: The broker, and who does what it decides.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub, self._broker = hub, hub.broker
        secrets = count(1)
        self._server = Server(
            self,
            terms=ROOMY,
            limits=Limits(),
            budget=self._broker.budget,
            connection_types=[ConnectionType.LONG_POLLING],
            make_secret=lambda: f"simulated-{next(secrets)}",
        )

    def receive(self, body: bytes, end: RequestEnd) -> None:
        """Do what a request asks, and answer it now or then."""
        link = Link(address=end.jar.address, owner=end.jar.owner)
        answer = self._server.receive(decode(body), link, self._hub.world.now_ns, 0)
        end.jar.owner = link.owner
        session = answer.session
        if session is not None and answer.connects:
            session.port.wait(end)
        else:
            messages = [] if session is None or answer.handshaken else session.take()
            end.respond(cast("list[HubMessage]", messages), answer.replies)
        self._hub.flush()

    def admit(self, session: ServerSession, _request: Message, _link: Link) -> None:
        """Open a session of the broker."""
        session.port = BayeuxPort(self._hub, self._server, session)
        self._broker.open(session.port)
        self._hub.soil(session.port)

    def subscribe(self, session: ServerSession, channel: str) -> None:
        """Subscribe at the broker; the channel is the key."""
        now_ns = self._hub.world.now_ns
        self._hub.apply(self._broker.subscribe(session.port, channel, _address(channel), now_ns=now_ns))

    def unsubscribe(self, session: ServerSession, channel: str) -> None:
        """The reverse."""
        self._hub.apply(self._broker.unsubscribe(session.port, channel, now_ns=self._hub.world.now_ns))

    def serve(self, _session: ServerSession, _channel: str, _message: Message) -> None:
        """Refused: no experiment asks for it."""
        raise RefusedError("nobody does this in a simulation")

    def publish(self, session: ServerSession, channel: str, message: Message) -> None:
        """Give it to the broker."""
        made = HubMessage(
            id=self._hub.next_message_id(),
            address=_address(channel),
            payload=bytes(message.data),
            wire={_CHANNEL: channel},
        )
        self._hub.apply(self._broker.publish(session.port, made, self._hub.world.now_ns))

    def supersede(self, session: ServerSession) -> None:
        """A newer connect came."""
        cast("BayeuxPort", session.port).wait(None)

    def dismiss(
        self,
        session: ServerSession,
        _last: Message | None,
        _reason: str,
        *,
        timed_out: bool,  # noqa: ARG002 - as in the protocol
    ) -> None:
        """Close the session at the broker: its client did not come back."""
        port: BayeuxPort = session.port
        port.end()
        self._hub.apply(self._broker.close(port, self._hub.world.now_ns))


def _address(channel: str) -> Address:
    return Address(AddressKind.TOPIC, channel.removeprefix("/").replace(".", "%2E").replace("/", "."))


def _piece(message: HubMessage) -> bytes:
    return encode(Message(channel=cast("str", message.wire[_CHANNEL]), data=Raw(message.payload)))
