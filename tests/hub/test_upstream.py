"""Hubs in front of a broker, which is a hub too: one copy for everybody, honest receipts, no circles."""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from mqctl.adapters import reconnecting
from mqctl.adapters.bayeux import BayeuxAdapter
from mqctl.adapters.stomp import StompAdapter
from mqctl.broker import Limits, SlowConsumer
from mqctl.faults.link import Link
from mqctl.hub.events import MessagesDropped, SessionClosed, UpstreamBack, UpstreamLost
from mqctl.hub.rules import Rules, read_rule
from mqctl.model import Fault, Interrupted, Resumed
from mqctl.target import Endpoint, ReconnectOptions, Target
from mqctl.upstream import bridge as bridges
from mqctl.upstream.bridge import Bridge
from mqctl.upstream.scope import EVERYTHING, read_scope
from tests.hub.bayeux import Poller
from tests.hub.client import PATIENCE_S, Client
from tests.hub.conftest import TestHub

LOOPBACK = (Endpoint("127.0.0.1", 0),)
ADAPTERS = {"stomp": StompAdapter, "bayeux+ws": BayeuxAdapter}
LAST = b"last"

Front = Callable[..., TestHub]


class Fronted(TestHub):
    """A hub with an upstream, and what was said of that."""

    __test__ = False

    def __init__(self, there: Endpoint, *, scheme: str = "stomp", scope: tuple[str, ...] = EVERYTHING, **settings: Any):
        self.said: list[Any] = []
        path = "" if scheme == "stomp" else "/bayeux"
        patience = ReconnectOptions(math.inf, 0.05, stubborn=True)
        target = Target(scheme=scheme, endpoints=(there,), path=path, reconnect=patience)
        self.closing = ExitStack()
        connect = lambda sink: self.closing.enter_context(  # noqa: E731
            reconnecting.connect(ADAPTERS[scheme](), target, sink=sink, rng=random.Random(1))
        )
        self.bridge = self.closing.enter_context(
            Bridge(connect, read_scope(scope), target=target, heed=self.said.append)
        )
        super().__init__("tcp", upstream=self.bridge, http=LOOPBACK, **settings)

    def close(self) -> None:
        super().close()
        self.closing.close()

    @property
    def web(self) -> Endpoint:
        return self.thread.ask(lambda hub: hub.endpoints[1])

    def upstream(self) -> Any:
        return self.thread.ask(lambda _: self.bridge.stats())

    def until_upstream(self, holds: Callable[[Any], bool]) -> Any:
        end_s = time.monotonic() + PATIENCE_S
        while not holds(stats := self.upstream()):
            assert time.monotonic() < end_s, stats
        return stats


@pytest.fixture
def front() -> Iterator[Front]:
    """Starts hubs in front of an endpoint."""
    hubs: list[Fronted] = []

    def front(there: Endpoint, **settings: Any) -> Fronted:
        hubs.append(Fronted(there, **settings))
        return hubs[-1]

    yield front
    for hub in reversed(hubs):
        hub.close()


@pytest.fixture
def link(hub: TestHub) -> Iterator[Link]:
    """A way to the broker."""
    with Link(hub.endpoint) as link:
        yield link


def up_to_last(client: Client) -> list[bytes]:
    bodies = []
    while (body := client.expect("MESSAGE").body) != LAST:
        bodies.append(body)
    return bodies


@pytest.mark.parametrize("scheme", list(ADAPTERS))
def test_a_message_comes_once_to_everybody(start, front, scheme):
    broker = start(http=LOOPBACK, stomp=LOOPBACK)
    there = broker.thread.ask(lambda hub: hub.endpoints[scheme != "stomp"])
    one, other = front(there, scheme=scheme), front(there, scheme=scheme)
    readers = [each.client() for each in (broker, one, other)]
    for reader in readers:
        reader.subscribe("/topic/a.>")
    for publisher in (one.client(), other.client(), broker.client()):
        publisher.publish("/topic/a.b", b'"x"', b'"y"')
    broker.client().publish("/topic/a.b", LAST)
    for reader in readers:
        assert up_to_last(reader) == [b'"x"', b'"y"'] * 3


def test_it_goes_from_stomp_to_bayeux_and_back_with_its_headers(hub, front):
    one, other = front(hub.endpoint), front(hub.endpoint)
    reader = one.client()
    reader.subscribe("/topic/a")
    with Poller(other.web) as poller:
        poller.connected().subscribe("/a")
        one.client().publish("/topic/a", b'{"n":1}', colour="red", content_type="application/json")
        (message,) = [each for each in poller.connect() if each["channel"] == "/a"]
        assert (message["data"], message["ext"]["headers"]["colour"]) == ({"n": 1}, "red")
        (reply, *_) = poller.say("/a", data={"n": 2}, ext={"headers": {"colour": "blue"}})[-1:]
        assert reply["successful"]
    first, second = reader.expect("MESSAGE"), reader.expect("MESSAGE")
    assert (first.body, first.headers["colour"], first.headers["content-type"]) == (
        b'{"n":1}', "red", "application/json"
    )  # fmt: skip
    assert (second.body, second.headers["colour"]) == (b'{"n": 2}', "blue")
    assert "mqctl-hubs" not in first.headers


def test_queues_and_topics_out_of_scope_stay_in_the_hub(hub, front):
    one = front(hub.endpoint, scope=("a.**",))
    there, here = hub.client(), one.client()
    there.subscribe("/topic/>", "t")
    there.subscribe("/queue/q", "q")
    here.subscribe("/topic/>", "t")
    here.subscribe("/queue/q", "q")
    one.client().publish("/topic/b", b"b")
    one.client().publish("/queue/q", b"q")
    one.client().publish("/topic/a", LAST)
    assert up_to_last(here) == [b"b", b"q"]
    assert up_to_last(there) == []


def test_a_receipt_waits_for_the_broker(hub, front, link):
    """So does the goodbye, and what was said before has its answer before."""
    one = front(link.endpoint)
    publisher = one.client()
    link.stall()
    publisher.send("SEND", {"destination": "/topic/a", "receipt": "1"}, b"x")
    publisher.send("DISCONNECT", {"receipt": "2"})
    assert one.until_upstream(lambda stats: stats.forwarded == 1).confirmed == 0
    assert not publisher.unread()
    link.resume()
    assert [publisher.expect("RECEIPT").headers["receipt-id"] for _ in range(2)] == ["1", "2"]
    publisher.end()
    assert one.upstream().confirmed == 1


def test_a_transaction_is_answered_when_all_of_it_has_arrived(hub, front):
    one = front(hub.endpoint, scope=("a",))
    reader, publisher = one.client(), one.client()
    reader.subscribe("/topic/>")
    publisher.send("BEGIN", {"transaction": "t"})
    for name in ("a", "b", "a"):
        publisher.send("SEND", {"destination": f"/topic/{name}", "transaction": "t"}, name.encode())
    publisher.ask("COMMIT", {"transaction": "t"})
    assert one.upstream().confirmed == 2
    assert sorted(reader.bodies(3)) == [b"a", b"a", b"b"]


def test_what_the_broker_refuses_the_hub_refuses(start, front):
    broker = start(rules=Rules(publish=(read_rule("open.**"),)))
    one = front(broker.endpoint)
    publisher = one.client()
    publisher.send("SEND", {"destination": "/topic/closed", "receipt": "1"}, b"x")
    error = publisher.expect("ERROR")
    assert error.headers["receipt-id"] == "1"
    assert "refused upstream: clients may not publish to /topic/closed" in error.headers["message"]
    one.until_upstream(lambda stats: stats.rejected == 1)
    assert any(isinstance(each, Fault) and "refused: clients may not" in each.reason for each in one.said)


def test_a_message_that_may_have_arrived_is_answered_by_nothing(hub, front, link):
    one = front(link.endpoint)
    publisher = one.client()
    link.stall()
    publisher.send("SEND", {"destination": "/topic/a", "receipt": "1"}, b"x")
    one.until_upstream(lambda stats: stats.forwarded == 1)
    link.cut()
    publisher.end()
    assert one.until_upstream(lambda stats: stats.connected).unknown == 1
    assert "nobody knows whether a message arrived" in one.events.wait(SessionClosed)[0].reason


def test_a_lost_connection_is_told_and_what_was_published_meanwhile_arrives(hub, front, link):
    one = front(link.endpoint)
    reader, publisher = one.client(), one.client()
    reader.subscribe("/topic/a")
    link.refuse()
    link.cut()
    one.events.wait(UpstreamLost)
    assert not one.upstream().connected
    publisher.send("SEND", {"destination": "/topic/a", "receipt": "1"}, b"x")
    one.until_upstream(lambda stats: stats.waiting == 1)
    link.accept()
    assert one.events.wait(UpstreamBack)[0].attempts > 0
    assert publisher.expect("RECEIPT").headers["receipt-id"] == "1"
    assert reader.bodies(1) == [b"x"]
    assert [type(each) for each in one.said] == [Interrupted, Resumed]


def test_publishers_are_held_while_too_much_waits_and_nothing_is_lost(hub, front, link, monkeypatch):
    """Those of Bayeux can't be held, and are refused."""
    monkeypatch.setattr(bridges, "WAITING_MAX", 100)
    one = front(link.endpoint)
    reader, publisher = one.client(), one.client()
    reader.subscribe("/topic/a")
    link.stall()
    bodies = [b"%d" % number for number in range(1000)]
    sending = threading.Thread(target=publisher.publish, args=("/topic/a", *bodies))
    sending.start()
    assert one.until_upstream(lambda stats: stats.waiting >= 80).waiting < 100
    with Poller(one.web) as poller:
        poller.connected()
        replies = [poller.publish("/b")[-1] for _ in range(25)]
    assert [reply["successful"] for reply in replies[:20]] == [True] * 20
    assert "upstream_messages (100)" in replies[-1]["error"]
    link.resume()
    sending.join(PATIENCE_S)
    assert reader.bodies(1000) == bodies


def test_a_slow_reader_of_a_hub_that_blocks_loses_nothing(hub, front):
    one = front(hub.endpoint, slow_consumer=SlowConsumer.BLOCK, broker_limits=Limits(backlog_messages=50),
                write_buffer_bytes=4096)  # fmt: skip
    reader = one.client()
    reader.subscribe("/topic/a")
    bodies = [b"%06d" % number + b"x" * 20_000 for number in range(1000)]
    hub.client().publish("/topic/a", *bodies)
    assert reader.bodies(1000) == bodies
    assert one.upstream().dropped == 0


def test_a_message_whose_time_is_over_goes_nowhere(hub, front):
    one = front(hub.endpoint)
    one.client().publish("/topic/a", b"x", expires="1")
    assert one.events.wait(MessagesDropped)[0].reason == "expired"
    assert one.upstream().forwarded == 0


def test_hubs_in_a_row_deliver_once_and_a_circle_is_refused(hub, front):
    """Nobody can start a circle; one comes about when a broker gives its address to a hub in front of it."""
    with Link(hub.endpoint) as link:
        one = front(link.endpoint)
        other = front(one.endpoint)
        reader = other.client()
        reader.subscribe("/topic/a")
        other.client().publish("/topic/a", b"in a row")
        assert reader.bodies(1) == [b"in a row"]
        link._upstream = other.endpoint
        link.cut()
        one.events.wait(UpstreamBack)
        publisher = one.client()
        publisher.send("SEND", {"destination": "/topic/a", "receipt": "1"}, b"round and round")
        error = publisher.expect("ERROR")
        assert "the hubs are upstream of each other in a circle" in error.headers["message"]
        assert one.upstream().forwarded == other.upstream().forwarded == 2
        assert not reader.ask("SEND", {"destination": "/queue/nobody"})
        # Their ends would else wait for each other.
        link.refuse()
        link.cut()


@pytest.mark.parametrize("seed", range(3))
def test_delays_change_neither_number_nor_order(hub, front, seed):
    print(f"seed {seed}")
    with Link(hub.endpoint, seed=seed) as near, Link(hub.endpoint, seed=seed + 100) as far:
        for link in (near, far):
            link.up.delay(0.001, jitter_s=0.005)
            link.down.delay(0.001, jitter_s=0.005)
        hubs = [front(near.endpoint), front(far.endpoint)]
        readers = [each.client() for each in (*hubs, hub)]
        for reader in readers:
            reader.subscribe("/topic/a")
        publishers = [threading.Thread(target=each.client().publish, args=("/topic/a", *numbered(name)))
                      for name, each in zip("abc", (*hubs, hub), strict=True)]  # fmt: skip
        for publisher in publishers:
            publisher.start()
        for publisher in publishers:
            publisher.join(PATIENCE_S)
        hub.client().publish("/topic/a", LAST)
        heard = [up_to_last(reader) for reader in readers]
    assert heard[0] == heard[1] == heard[2]
    for name in "abc":
        assert [body for body in heard[0] if body.startswith(name.encode())] == numbered(name)


@pytest.mark.parametrize("seed", range(3))
def test_cuts_double_nothing_and_keep_the_order(hub, front, seed):
    print(f"seed {seed}")
    rng = random.Random(seed)
    with Link(hub.endpoint, seed=seed) as link:
        one = front(link.endpoint)
        reader, publisher = one.client(), one.client()
        reader.subscribe("/topic/a")
        sent = numbered("a", 3000)
        for number, body in enumerate(sent):
            if number % 1000 == 500:
                link.down.cut_after(rng.randint(0, 20_000))
            publisher.send("SEND", {"destination": "/topic/a"}, body)
        one.until_upstream(lambda stats: stats.connected and not stats.waiting)
        hub.client().publish("/topic/a", LAST)
        heard = up_to_last(reader)
    numbers = [int(body[1:]) for body in heard]
    assert numbers == sorted(set(numbers))
    stats = one.upstream()
    assert (stats.forwarded, stats.confirmed + stats.unknown) == (3000, 3000)
    assert stats.unknown > 0


def numbered(name: str, count: int = 200) -> list[bytes]:
    return [f"{name}{number}".encode() for number in range(count)]
