"""CometD's client for Java at the hub, over long-polling and over WebSocket, with its extensions."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from mqctl.hub.config import HubConfig
from mqctl.hub.thread import HubThread
from mqctl.target import Endpoint, Secret, parse_url
from mqctl.testing.contract import Link
from tests.brokers import cometd
from tests.brokers.process import free_ports
from tests.hub.client import Client
from tests.interop.conftest import PASSWORD, USER
from tests.interop.script import Script, speaking

pytestmark = pytest.mark.broker("cometd-java")

HEAP_MB = 128
LOGIN = {"login": USER, "passcode": PASSWORD}

Play = Callable[[str], Any]
Start = Callable[[Endpoint, str], AbstractContextManager[Script]]


@pytest.fixture(params=["long-polling", "websocket"])
def transport(request: pytest.FixtureRequest) -> str:
    """What the client uses."""
    return str(request.param)


@pytest.fixture
def start(transport: str) -> Start:
    """Starts a case of `CometDClient.java` at an address."""

    def run(endpoint: Endpoint, case: str, password: str = PASSWORD) -> AbstractContextManager[Script]:
        url = f"http://{endpoint}/cometd"
        command = [*cometd.program("CometDClient", HEAP_MB), url, USER, password, transport, case]
        return speaking(command, {})

    return run


@pytest.fixture
def http(hub_urls: tuple[str, ...]) -> Endpoint:
    return parse_url(hub_urls[1]).endpoints[0]


@pytest.fixture
def play(start: Start, http: Endpoint) -> Play:
    """Plays a case at the hub; what came of it."""

    def run(case: str, **changes: str) -> Any:
        with start(http, case, **changes) as client:
            return client.rest()

    return run


def test_round_trip(play: Play, transport: str) -> None:
    """Any JSON arrives as sent, in order, each confirmed; and over the transport that was meant."""
    got = [1, "two", [3], {"four": 4}, 1.5]
    assert play("roundtrip") == [{"type": transport, "confirmed": True, "got": got, "left": 0}]


def test_patterns(play: Play) -> None:
    """Each message once a subscription; a service is subscribed to in name only."""
    one, every = ["/a/b", "/a/d"], ["/a/b", "/a/b/c", "/a/d"]
    assert play("patterns") == [{"one": one, "all": every, "left": 0, "service": True}]


def test_batch(play: Play) -> None:
    """Requests in one array are done in their order; and nothing comes to who has unsubscribed."""
    assert play("batch") == [
        {"successful": True, "got": list(range(20))},
        {"unsubscribed": True, "published": True, "left": True, "got": 0},
    ]


def test_the_time(play: Play) -> None:
    """Client and hub agree what time it is, as they are on one machine."""
    assert play("clock") == [{"successful": True, "near": True, "lag": True}]


def test_bytes(play: Play) -> None:
    """The binary extension carries any bytes, and what is said of them."""
    assert play("binary") == [{"hex": (bytes(range(256)) + b"\0").hex(), "last": True, "meta": {"name": "all"}}]


def test_wrong_password(play: Play) -> None:
    """The refusal reaches the client in words, and it does not try for ever."""
    assert play("refused", password="wrong") == [
        {
            "successful": False,
            "error": "403:wrong user or password:handshake_denied",
            "advice": {"reconnect": "none"},
            "over": True,
        }
    ]


def test_acknowledgement(start: Start, http: Endpoint, hub: Endpoint) -> None:
    """With the ack extension nothing is lost, doubled or out of order though connections break; the session stays."""
    with Link(http) as link, start(link.endpoint, "follow") as client, Client(hub, headers=LOGIN) as publisher:
        greeting = client.next()
        assert greeting["acknowledged"]
        for number in range(60):
            publisher.publish("/topic/a", str(number).encode())
            if number % 20 == 10:
                link.cut()
            if number % 3 == 0:
                assert client.next() == {"data": number // 3}
        publisher.publish("/topic/a", b"end")
        got = client.rest()
    assert got == [*({"data": data} for data in [*range(20, 60), "end"]), {"session": greeting["session"], "left": 0}]


def test_a_hub_that_comes_back(start: Start) -> None:
    """A hub that was restarted knows no session: the client asks for another one, and goes on."""
    http = Endpoint("127.0.0.1", *free_ports(1))
    config = HubConfig(stomp=(Endpoint("127.0.0.1", 0),), http=(http,), user=USER, password=Secret(PASSWORD))
    with contextlib.ExitStack() as stack:
        with HubThread(config):
            client = stack.enter_context(start(http, "again"))
            before = client.next()["subscribed"]
        with HubThread(config) as thread:
            after = client.next()["subscribed"]
            publisher = stack.enter_context(Client(parse_url(thread.urls[0]).endpoints[0], headers=LOGIN))
            publisher.publish("/topic/a", b"end")
            assert client.next() == {"data": "end"}
            assert client.rest() == []
    assert before != after
