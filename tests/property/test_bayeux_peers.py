"""Our client and our server, with a network between them that delays, overtakes, repeats and loses, by a seed."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable

import pytest
from msgspec import Raw, json

from mqctl.protocols.bayeux.client import Client, Options, State
from mqctl.protocols.bayeux.client_actions import Action, Answered, Deliver, Forgotten, Lane, Lost, Send
from mqctl.protocols.bayeux.message import Message, decode, encode
from mqctl.protocols.bayeux.server import Link
from mqctl.protocols.bayeux.session import ServerSession
from mqctl.protocols.bayeux.spec import ConnectionType
from tests.unit.protocols.bayeux.house import MS, House, Item

CHANNEL = "/numbers"
GRACE_MS = 400
Respond = Callable[[list[Message]], None]


class World:
    """A server, its clients, and what is on its way between them. `loss` and `repeats` are chances of a request."""

    def __init__(self, seed: int, *, loss: float = 0.0, repeats: float = 0.0) -> None:
        self.rng = random.Random(seed)
        self.loss, self.repeats = loss, repeats
        self.house = House(timeout_ms=300, max_interval_ms=400)
        self.waiting: dict[ServerSession, tuple[Respond, bool]] = {}
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._tick()

    def _tick(self) -> None:
        """The server looks at its clock now and then."""
        self.after(5, self._tick)

    def gets_lost(self) -> bool:
        return self.rng.random() < self.loss

    def after(self, ms: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._due, (self.house.now_ns + int(ms * MS), next(self._order), what))

    def run(self, ms: float) -> None:
        """Let that much time pass."""
        end_ns = self.house.now_ns + int(ms * MS)
        while self._due and self._due[0][0] <= end_ns:
            self.house.now_ns, _, what = heapq.heappop(self._due)
            what()
            self._look_after_sessions()
        self.house.now_ns = end_ns

    def serve(self, body: bytes, link: Link, respond: Respond) -> None:
        """A request arrives at the server."""
        answer = self.house.server.receive(decode(body), link, self.house.now_ns, 0)
        session = answer.session
        if session is None or answer.handshaken or session.client_id not in self.house.server.sessions:
            respond(answer.replies)
        elif answer.connects:
            self.waiting[session] = (respond, link.socket)
        else:
            respond([*([] if link.socket else map(_message, session.take())), *answer.replies])
        if link.socket and link.bound is not None and link.bound not in self.waiting:
            self.waiting[link.bound] = (respond, True)

    def _look_after_sessions(self) -> None:
        for session in list(self.house.server.sessions.values()):
            if self.house.server.lapse(session, self.house.now_ns):
                self.waiting.pop(session, None)
                continue
            if (waits := self.waiting.get(session)) is None:
                continue
            respond, socket = waits
            items, reply = session.poll(self.house.now_ns, pushed=socket)
            found = [*map(_message, items), *([reply] if reply is not None else [])]
            if found:
                if not socket:
                    del self.waiting[session]
                respond(found)


def _message(item: Item) -> Message:
    return Message(channel=item.channel, data=Raw(item.data))


class Peer:
    """A client and its way to the server: two connections where requests overtake each other, or one socket."""

    def __init__(self, world: World, *, socket: bool, ack: bool) -> None:
        self.world = world
        self.socket, self.ack = socket, ack
        self.lives: list[list[int]] = []
        self.confirmed: set[int] = set()
        self.published: dict[str, int] = {}
        self.forgotten = 0
        self.begin()

    def begin(self) -> None:
        """A new connection."""
        kind = ConnectionType.WEBSOCKET if self.socket else ConnectionType.LONG_POLLING
        options = Options(connection_type=kind, ack=self.ack, ext={}, grace_ms=GRACE_MS)
        self.client = Client(options, self.world.rng)
        self.link = Link(address="a", socket=self.socket)
        self.lives.append([])
        self.published = {}
        self.queue: list[bytes] = []
        self.busy = False
        self.arrives_ns = {"up": 0, "down": 0}
        self.do(self.client.open(self.world.house.now_ns))
        self.do(self.client.subscribe(CHANNEL)[1])

    def publish(self, number: int) -> None:
        request, actions = self.client.publish(CHANNEL, Raw(b"%d" % number), None)
        self.published[request] = number
        self.do(actions)

    def do(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Send(lane, message):
                    self.send(lane, encode([message]))
                case Deliver(message):
                    self.lives[-1].append(json.decode(message.data))
                case Answered(request, None) if request in self.published:
                    self.confirmed.add(self.published[request])
                case Forgotten():
                    self.forgotten += 1
                case Lost():
                    self.begin()
                    return
        if self.client.wake_ns is not None:
            client = self.client
            delay_ms = (self.client.wake_ns - self.world.house.now_ns) / MS
            self.world.after(max(0, delay_ms), lambda: self.wake(client))

    def miss(self, client: Client) -> None:
        """The connection is broken."""
        if client is self.client:
            self.begin()

    def wake(self, client: Client) -> None:
        if client is self.client and client.wake_ns is not None and client.wake_ns <= self.world.house.now_ns:
            self.do(client.wake(self.world.house.now_ns))

    def send(self, lane: Lane, body: bytes) -> None:
        if not self.socket and lane is Lane.REQUEST and self.busy:
            self.queue.append(body)
            return
        if not self.socket and lane is Lane.REQUEST:
            self.busy = True
        request = _Request(self, lane, body)
        request.go()
        if lane is Lane.CONNECT and not self.socket and self.world.rng.random() < self.world.repeats:
            # As a proxy does whose own connection broke.
            self.world.after(self.world.rng.choice((10, 100)), request.again)

    def delay_ms(self, way: str) -> float:
        """Over a socket nothing overtakes."""
        delay_ms = self.world.rng.choice((1, 5, 20, 60))
        if not self.socket:
            return delay_ms
        now_ns = self.world.house.now_ns
        self.arrives_ns[way] = max(self.arrives_ns[way], now_ns + delay_ms * MS)
        return (self.arrives_ns[way] - now_ns) / MS

    def hear(self, client: Client, lane: Lane, body: bytes) -> None:
        if client is not self.client:
            return
        self.do(client.receive(decode(body), self.world.house.now_ns))
        if not self.socket and lane is Lane.REQUEST and client is self.client:
            self.busy = False
            if self.queue:
                self.send(Lane.REQUEST, self.queue.pop(0))


class _Request:
    """A request under way."""

    def __init__(self, peer: Peer, lane: Lane, body: bytes) -> None:
        self.peer, self.lane, self.body = peer, lane, body
        self.client, self.link = peer.client, peer.link
        self.tries = 0
        self.answered = False

    def go(self) -> None:
        self.tries += 1
        mine = self.tries
        if self.peer.world.gets_lost():
            self.break_off()
        else:
            self.peer.world.after(self.peer.delay_ms("up"), lambda: self.arrive(mine))

    def break_off(self) -> None:
        """A connect has a deadline in the session; all else is missed by what carries it."""
        if self.peer.socket or self.lane is Lane.REQUEST:
            self.peer.world.after(GRACE_MS, lambda: self.peer.miss(self.client))

    def again(self) -> None:
        """What is answered from now on to the one before is for nobody."""
        if not self.answered:
            self.go()

    def arrive(self, mine: int) -> None:
        if mine != self.tries:
            return  # it broke off on the way
        own = self.link if self.peer.socket else Link(address="a", owner=self.link.owner)
        world = self.peer.world
        world.serve(self.body, own, lambda messages: self.respond(mine, messages))
        self.link.owner = own.owner
        if not self.peer.socket and b"scribe" in self.body and world.rng.random() < world.repeats:
            # The same again, and its answer is for nobody. A publish would be a message more.
            again = Link(address="a", owner=self.link.owner)
            world.after(world.rng.choice((1, 30)), lambda: world.serve(self.body, again, lambda _: None))

    def respond(self, mine: int, messages: list[Message]) -> None:
        if mine != self.tries:
            return
        if self.peer.world.gets_lost():
            self.break_off()
            return
        self.answered = True
        body = encode(messages)
        self.peer.world.after(self.peer.delay_ms("down"), lambda: self.peer.hear(self.client, self.lane, body))


def peers(world: World) -> tuple[Peer, list[Peer]]:
    """Who publishes, and one subscriber of each kind."""
    kinds = ((False, True), (True, False), (False, False))
    return Peer(world, socket=False, ack=True), [Peer(world, socket=socket, ack=ack) for socket, ack in kinds]


SEEDS = range(30)


@pytest.mark.parametrize("repeats", [0.0, 0.2])
@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_only_late_or_repeated_comes_once_and_in_order(seed: int, repeats: float) -> None:
    world = World(seed, repeats=repeats)
    publisher, subscribers = peers(world)
    world.run(2_000)
    for number in range(60):
        publisher.publish(number)
        world.run(world.rng.choice((0, 3, 50)))
    world.run(10_000)
    expected = list(range(60))
    assert publisher.confirmed == set(expected)
    polling, socket, unordered = subscribers
    assert [polling.lives, socket.lives] == [[expected], [expected]]
    if not repeats:
        # Without acknowledgement, what goes with an answer that is lost is lost.
        assert sorted(unordered.lives[0]) == expected
    assert not any(peer.forgotten for peer in (publisher, polling, socket))


@pytest.mark.parametrize("seed", SEEDS)
def test_after_losses_all_is_as_before(seed: int) -> None:
    """No connection hears anything twice or out of order, what is confirmed was sent, and all find back."""
    world = World(seed, loss=0.05, repeats=0.05)
    publisher, subscribers = peers(world)
    for number in range(100):
        publisher.publish(number)
        world.run(world.rng.choice((0, 30, 200)))
    world.loss = world.repeats = 0.0
    world.run(5_000)
    for peer in subscribers[:2]:
        for life in peer.lives:
            assert life == sorted(set(life))
    heard = {number for peer in (publisher, *subscribers) for life in peer.lives for number in life}
    assert heard <= set(range(100))
    assert {peer.client.state for peer in (publisher, *subscribers)} == {State.OPEN}
    publisher.publish(1_000)
    world.run(2_000)
    assert 1_000 in publisher.confirmed
    assert all(peer.lives[-1][-1] == 1_000 for peer in subscribers)
    assert max(len(peer.lives) for peer in (publisher, *subscribers)) > 1, "nothing was lost"
