"""A client of Bayeux by long-polling: its session as it is, over two simulated connections."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from msgspec import Raw

from mqctl.errors import ProtocolError
from mqctl.experiments.plan import ConsumerPlan
from mqctl.experiments.simulation.bayeux_house import Bodies, Jar, framed
from mqctl.experiments.simulation.peer import Role
from mqctl.experiments.simulation.wire import Wire
from mqctl.experiments.simulation.world import World
from mqctl.model import Outgoing
from mqctl.protocols.bayeux.client import Client, Options
from mqctl.protocols.bayeux.client_actions import Action, Answered, Deliver, Lane, Send
from mqctl.protocols.bayeux.message import batch, decode, encode
from mqctl.protocols.bayeux.payload import data_of, payload_of
from mqctl.protocols.bayeux.spec import ConnectionType, Delivery, Ext
from mqctl.topics import to_bayeux

BODIES_MAX: Final = 100
"""Messages of one request."""


@dataclass(slots=True)
class Keepsake:
    """What a client needs to take up its session again: its cookie, its name, and the last batch that it handled."""

    jar: Jar
    client_id: str | None = None
    batch: int = 0


class Dial(Protocol):
    """Opens the connection for a lane."""

    def __call__(self, lane: Lane, client: Carrier) -> Wire:
        """Join a connection whose end this is."""
        ...


class Carrier:
    """The client's end of a connection that carries requests, one after the other.

    Args:
        hear: Takes the answers.
        lost: Called when the connection is gone.
    """

    def __init__(self, hear: Callable[[bytes], None], lost: Callable[[], None]) -> None:
        self.wire: Wire
        self.lost = lost
        self._hear = hear
        self._bodies = Bodies()
        self._waiting: deque[bytes] = deque()
        self._busy = False

    def ask(self, message: bytes) -> None:
        """Send a message when its turn has come; those that wait go together."""
        self._waiting.append(message)
        self._send()

    def receive(self, data: bytes) -> None:
        """Answers came."""
        for body in self._bodies.feed(data):
            self._busy = False
            self._send()
            self._hear(body)

    def _send(self) -> None:
        if self._waiting and not self._busy:
            self._busy = True
            bodies = [self._waiting.popleft() for _ in range(min(BODIES_MAX, len(self._waiting)))]
            self.wire.up.send(framed(batch(bodies)))


class BayeuxPeer:
    """A client with one subscription at most.

    Args:
        world: When things happen.
        role: What it is there for.
        dial: Opens its connections.
        keepsake: Of the session that it is to have the server keep, or to take up; None is not to.
        delivery: When it is to get messages; None is as by default.
    """

    def __init__(
        self, world: World, role: Role, dial: Dial, keepsake: Keepsake | None, delivery: Delivery | None
    ) -> None:
        self._world, self._role, self._keepsake = world, role, keepsake
        kept = keepsake is not None
        options = Options(
            connection_type=ConnectionType.LONG_POLLING,
            ack=kept or delivery is Delivery.ACKNOWLEDGED,
            ext={Ext.DELIVER_ONLY: True} if delivery is Delivery.CONNECTS_ONLY else {},
            grace_ms=None,
            by_hand=kept,
        )
        self._client = Client(options, world.rng)
        self._answers: dict[str, Callable[[], None]] = {}
        self._numbers = 0
        self._unhandled: set[str] = set()
        self._over = False
        self._carriers: Mapping[Lane, Carrier] = {lane: Carrier(self._hear, self._lost) for lane in Lane}
        for lane, carrier in self._carriers.items():
            carrier.wire = dial(lane, carrier)

    def begin(self) -> None:
        """Ask for a session, or take up the one that was kept."""
        self._world.after(0, self._role.ready)
        kept = self._keepsake
        if kept is not None and kept.client_id is not None:
            self._client.resume(kept.client_id, kept.batch)
        else:
            self._do(self._client.open(self._world.now_ns))

    def publish(self, message: Outgoing, done: Callable[[], None]) -> None:
        """Send a message; `done` is called when the hub has confirmed it."""
        data = data_of(message.payload)
        assert data is not None
        self._ask(self._client.publish(to_bayeux(message.topic), Raw(data), None), done)

    def subscribe(self, plan: ConsumerPlan, done: Callable[[], None]) -> None:
        """Listen; `done` is called when the hub has confirmed that. A session that was kept listens already."""
        if self._client.parked:
            self._do(self._client.go_on(self._world.now_ns))
            done()
        else:
            self._ask(self._client.subscribe(to_bayeux(plan.topic)), done)

    def ack(self, token: str) -> None:
        """A message is done; when all that came are, the hub is told, with the next connect."""
        self._unhandled.discard(token)
        self._go_on()

    def nack(self, _token: str) -> None:
        """Bayeux knows no such thing.

        Raises:
            ProtocolError: Always.
        """
        raise ProtocolError("a message of Bayeux cannot be refused")

    def _ask(self, asked: tuple[str, list[Action]], done: Callable[[], None]) -> None:
        request, actions = asked
        self._answers[request] = done
        self._do(actions)

    def _hear(self, body: bytes) -> None:
        self._do(self._client.receive(decode(body), self._world.now_ns))
        self._go_on()

    def _go_on(self) -> None:
        """Connect again, once all that came was handled."""
        kept = self._keepsake
        if kept is not None and self._client.parked and not self._unhandled:
            kept.client_id, kept.batch = self._client.client_id, self._client.batch
            self._do(self._client.go_on(self._world.now_ns))

    def _do(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Send(lane, message):
                    self._carriers[lane].ask(encode(message))
                case Deliver(message):
                    self._role.came(payload_of(message), self._token(), redelivered=False)
                case Answered(request, None):
                    self._answers.pop(request)()
                case _:
                    raise ProtocolError(f"the simulated hub refuses: {action}")
        if self._client.wake_ns is not None:
            self._world.at(self._client.wake_ns, self._wake)

    def _token(self) -> str | None:
        if self._keepsake is None:
            return None
        self._numbers += 1
        token = str(self._numbers)
        self._unhandled.add(token)
        return token

    def _wake(self) -> None:
        if not self._over:
            self._do(self._client.wake(self._world.now_ns))

    def _lost(self) -> None:
        """One connection is gone: the other is given up, and with it the session, or this life of it."""
        if self._over:
            return
        self._over = True
        for carrier in self._carriers.values():
            carrier.wire.reset()
        self._role.lost()
