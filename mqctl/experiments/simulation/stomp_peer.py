"""A STOMP client as small as an experiment needs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from typing import Final

from mqctl.errors import ProtocolError
from mqctl.experiments.plan import ConsumerPlan
from mqctl.experiments.simulation.peer import Role
from mqctl.experiments.simulation.wire import Wire
from mqctl.model import AckMode, Dialect, Outgoing
from mqctl.protocols.stomp.codec import Frame, FrameParser, encode
from mqctl.protocols.stomp.spec import PREFETCH_HEADERS, Command, Header, Version
from mqctl.topics import to_stomp

_ACK: Final[Mapping[AckMode, str]] = {
    AckMode.AUTO: "auto",
    AckMode.CLIENT: "client",
    AckMode.INDIVIDUAL: "client-individual",
}


class StompPeer:
    """A client of STOMP 1.2 with one subscription at most.

    Args:
        wire: Its connection.
        role: What it is there for.
    """

    def __init__(self, wire: Wire, role: Role) -> None:
        self._wire, self._role = wire, role
        self._parser = FrameParser()
        self._receipts = count(1)
        self._waiting: dict[str, Callable[[], None]] = {}

    def begin(self) -> None:
        """Greet."""
        self._say(Command.CONNECT, {Header.ACCEPT_VERSION: Version.V1_2, Header.HOST: "simulation"})

    def publish(self, message: Outgoing, done: Callable[[], None]) -> None:
        """Send a message; `done` is called when the hub has confirmed it."""
        headers = {Header.DESTINATION: to_stomp(message.topic, Dialect.HUB), **message.headers}
        if message.persistent:
            headers[Header.PERSISTENT] = "true"
        self._ask(Command.SEND, headers, done, message.payload)

    def subscribe(self, plan: ConsumerPlan, done: Callable[[], None]) -> None:
        """Listen; `done` is called when the hub has confirmed that."""
        destination = to_stomp(plan.topic, Dialect.HUB, subscribing=True)
        headers = {Header.DESTINATION: destination, Header.ID: plan.name, Header.ACK: _ACK[plan.ack]}
        if plan.prefetch is not None:
            headers[PREFETCH_HEADERS[0]] = str(plan.prefetch)
        self._ask(Command.SUBSCRIBE, headers, done)

    def ack(self, token: str) -> None:
        """A message is done."""
        self._say(Command.ACK, {Header.ID: token})

    def nack(self, token: str) -> None:
        """A message is refused."""
        self._say(Command.NACK, {Header.ID: token})

    def receive(self, data: bytes) -> None:
        """Take what the hub sent.

        Raises:
            ProtocolError: It refuses something, which no experiment wants.
        """
        for frame in self._parser.feed(data):
            self._take(frame)

    def lost(self) -> None:
        """The connection is gone, and what was not answered never is."""
        self._waiting.clear()
        self._role.lost()

    def _take(self, frame: Frame) -> None:
        headers = frame.headers
        match frame.command:
            case Command.MESSAGE:
                self._role.came(frame.body, headers.get(Header.ACK), redelivered=Header.REDELIVERED in headers)
            case Command.RECEIPT:
                self._waiting.pop(headers[Header.RECEIPT_ID])()
            case Command.CONNECTED:
                self._role.ready()
            case _:
                raise ProtocolError(f"the simulated hub refuses: {headers.get(Header.MESSAGE)}")

    def _ask(self, command: str, headers: dict[str, str], done: Callable[[], None], body: bytes = b"") -> None:
        receipt = str(next(self._receipts))
        self._waiting[receipt] = done
        self._say(command, {**headers, Header.RECEIPT: receipt}, body)

    def _say(self, command: str, headers: Mapping[str, str], body: bytes = b"") -> None:
        self._wire.up.send(encode(command, headers, body, version=Version.V1_2))
