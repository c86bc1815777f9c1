"""mqctl at CometD's server for Java: the installed command with its profiles, and what a server's options change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from typing import TypeVar

import pytest

from mqctl.adapters.base import SubscribeSpec
from mqctl.adapters.bayeux import BayeuxAdapter
from mqctl.errors import ExitCode
from mqctl.model import ConnectionEvent, Delivery, Fault, Outgoing, Topic
from mqctl.target import Endpoint, Target
from mqctl.testing.contract import Link
from tests.brokers import cometd
from tests.brokers.fleet import Fleet
from tests.brokers.program import Program, program_at
from tests.interop.script import Script, speaking

pytestmark = pytest.mark.broker("cometd-java")

HEAP_MB = 128
TOPIC = Topic(levels=("any",))
PATIENCE_S = 10.0
Event = TypeVar("Event", bound=ConnectionEvent)

PROFILES = {"cometd": "bayeux+http", "cometd-ws": "bayeux+ws"}


@pytest.fixture(params=PROFILES)
def mqctl(request: pytest.FixtureRequest, fleet: Fleet, tmp_path: Path) -> Program:
    broker = fleet.get("cometd-java")
    return program_at(broker, broker.url(PROFILES[request.param]), tmp_path, profile=request.param)


@pytest.fixture
def server() -> Iterator[Script]:
    """A server that forgets whom it has not heard of for half a second, and says so."""
    command = [*cometd.program("CometDServer", HEAP_MB), "0", "timeout=1000", "maxInterval=500"]
    with speaking(command, {}) as running:
        yield running


def test_publish_and_tail(mqctl: Program) -> None:
    """What one installed command publishes another one prints, as it was sent."""
    with mqctl.running("tail", "finance.**", "--count", "3", "--json") as tail:
        tail.await_line("subscribed")
        for payload in (["45"], ["한국 ✓"], ["--header", "color=red", '{"a":[1,2.5]}']):
            published = mqctl.run("publish", "finance.stock", *payload)
            assert published.code == ExitCode.OK, published.err
        ended = tail.ended()
    assert ended.code == ExitCode.OK, ended.err
    got = [json.loads(line) for line in ended.out.splitlines()]
    assert [(each["topic"], each["payload"]) for each in got] == [
        ("finance.stock", "45"),
        ("finance.stock", "한국 ✓"),
        ("finance.stock", '{"a":[1,2.5]}'),
    ]
    assert got[2]["headers"] == {"color": "red"}


@pytest.mark.parametrize("scheme", PROFILES.values())
def test_a_session_whose_time_is_over_is_replaced(server: Script, scheme: str) -> None:
    """A client that was not heard of for too long gets another session with the same subscriptions, and says so."""
    with Link(Endpoint("127.0.0.1", server.next()["port"])) as link:
        target = Target(scheme=scheme, endpoints=(link.endpoint,), path="/cometd")
        events: Queue[ConnectionEvent] = Queue()
        with BayeuxAdapter().connect(target, sink=lambda batch: [events.put(each) for each in batch]) as connection:
            connection.subscribe(SubscribeSpec(topic=TOPIC), timeout_s=PATIENCE_S)
            link.stall()
            assert server.next() == {"expired": True}
            link.resume()
            assert "session_unknown; a new session" in come(events, Fault).reason
            connection.submit(Outgoing(topic=TOPIC, payload=b"after"))
            assert come(events, Delivery).payload == b"after"
    assert server.next() == {"expired": False}


def come(events: Queue[ConnectionEvent], kind: type[Event]) -> Event:
    """Wait for the next event of a kind."""
    while not isinstance(event := events.get(timeout=PATIENCE_S), kind):
        pass
    return event
