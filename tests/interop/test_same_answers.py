"""The hub says what CometD's server for Java says: the same requests, by hand over long-polling, and both answers."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from mqctl.hub.config import HubConfig
from mqctl.hub.thread import HubThread
from mqctl.target import Endpoint
from tests.brokers.fleet import Fleet

pytestmark = pytest.mark.broker("cometd-java")

LIMIT_S = 10.0

Message = dict[str, Any]
Answer = tuple[int, Any]
"""The status, and the messages, or None where there are none."""

HANDSHAKE: Message = {"channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["long-polling"]}
CONNECT: Message = {"channel": "/meta/connect", "connectionType": "long-polling"}
NOW = {"advice": {"timeout": 0}}
DISCONNECT: Message = {"channel": "/meta/disconnect"}


def subscribe(channels: object) -> Message:
    return {"channel": "/meta/subscribe", "subscription": channels}


def publish(channel: str, data: object, **more: object) -> Message:
    return {"channel": channel, "data": data, **more}


SAME: Mapping[str, list[list[Message]]] = {
    "connect": [[CONNECT | NOW], [CONNECT | NOW]],
    "disconnected": [[DISCONNECT], [CONNECT], [publish("/a", 1)], [subscribe("/a")], [DISCONNECT]],
    "unknown session, connect": [[CONNECT | {"clientId": "nope"}]],
    "unknown session, publish": [[publish("/a", 1, clientId="nope")]],
    "unknown session, subscribe": [[subscribe("/a") | {"clientId": "nope"}]],
    "unknown session, disconnect": [[DISCONNECT | {"clientId": "nope"}]],
    "several channels": [[subscribe(["/a/b", "/a/*", "/**"])], [publish("/a/b", 1)], [publish("/x", None)]],
    "in one array": [[subscribe("/a"), publish("/a", 1), publish("/a", 2), publish("/b", 3)]],
    "a subscription twice": [[subscribe("/a")], [subscribe("/a")], [publish("/a", 1)]],
    "unsubscribed": [[subscribe("/a")], [{"channel": "/meta/unsubscribe", "subscription": "/a"}], [publish("/a", 1)]],
    "meta": [[subscribe("/meta/connect")], [subscribe("/meta/*")], [subscribe("/meta/x")], [{"channel": "/meta/x"}]],
    "one of several refused": [[subscribe(["/a", "/meta/x"])]],
    "service": [[subscribe("/service/x")], [publish("/service/x", 1)]],
    "no subscription": [[{"channel": "/meta/subscribe"}], [{"channel": "/meta/unsubscribe"}], [subscribe(5)]],
    "bad channels": [[subscribe("a")], [publish("/a<", 1)], [{"data": 1}]],
    "odd channels": [[subscribe("/a b/")], [publish("/a b", 1)]],
    "ext": [[subscribe("/a")], [publish("/a", {"b": [1]}, ext={"color": "red"})]],
    "an interval": [[CONNECT | {"advice": {"timeout": 0, "interval": 100}}], [CONNECT | NOW]],
}
"""Conversations in which both say the same."""

DIFFERENT: Mapping[str, tuple[list[Message], list[object], list[object]]] = {
    "no common transport": ([HANDSHAKE | {"supportedConnectionTypes": ["x"]}], [True], ["405::no_transport"]),
    "handshake not alone": ([HANDSHAKE, publish("/a", 1)], [500], [400]),
    "no messages": ([], [500], [400]),
    "a wildcard within": ([subscribe("/a/*/b")], [500], ["403::subscription_invalid"]),
    "an empty segment": ([publish("/a//b", 1)], [500], ["405::channel_invalid"]),
    "no channels": ([subscribe([])], [None], ["403::subscription_invalid"]),
    "unsubscribe from what nobody knows": (
        [{"channel": "/meta/unsubscribe", "subscription": "/never"}],
        ["400::channel_missing"],
        [True],
    ),
    "publish to a wildcard": ([publish("/a/*", 1)], [True], ["405::channel_invalid"]),
    "publish nothing": ([{"channel": "/a"}], [True], ["400::data_missing"]),
    "an id with a dash": ([publish("/a", 1, id="h-1")], ["405::message_id_invalid"], [True]),
}
"""Requests of which the hub thinks otherwise: what CometD says, and the hub; a status that is not 200, else of each
reply the error or whether it was successful."""


class Peer:
    """A session, which is not checked for anything."""

    def __init__(self, endpoint: Endpoint, **more: object) -> None:
        self._endpoint = endpoint
        self._cookie: dict[str, str] = {}
        self._ids = iter(range(1, 1000))
        self._client_id = None
        self.greeting = self.ask(HANDSHAKE | more)
        self._client_id = self.greeting[1][0].pop("clientId")

    def ask(self, *messages: Message) -> Answer:
        """Send an array of messages, with what each lacks."""
        array = [{"id": str(next(self._ids)), "clientId": self._client_id, **message} for message in messages]
        connection = http.client.HTTPConnection(self._endpoint.host, self._endpoint.port, timeout=LIMIT_S)
        connection.request("POST", "/cometd", json.dumps(array), {"Content-Type": "application/json", **self._cookie})
        with connection.getresponse() as response:
            if cookie := response.getheader("Set-Cookie"):
                self._cookie = {"Cookie": cookie.partition(";")[0]}
            body = response.read()
        connection.close()
        return response.status, [*map(_tidied, json.loads(body))] if response.status == 200 else None


def _tidied(message: Message) -> Message:
    """CometD leaves an `ext` with nothing in it behind."""
    return {name: value for name, value in message.items() if (name, value) != ("ext", {})}


@pytest.fixture(scope="module")
def hub() -> Iterator[Endpoint]:
    with HubThread(HubConfig(stomp=(), http=(Endpoint("127.0.0.1", 0),))) as thread:
        yield thread.endpoint


@pytest.fixture
def servers(fleet: Fleet, hub: Endpoint) -> list[Endpoint]:
    """CometD's, and the hub."""
    return [Endpoint("127.0.0.1", fleet.get("cometd-java").ports["bayeux+http"]), hub]


def test_the_greeting(servers: list[Endpoint]) -> None:
    """But for the transports of each."""
    greetings = [Peer(server).greeting for server in servers]
    for _, (reply,) in greetings:
        assert {"websocket", "long-polling"} <= set(reply.pop("supportedConnectionTypes"))
    assert greetings[0] == greetings[1]


@pytest.mark.parametrize("name", SAME)
def test_the_same(servers: list[Endpoint], name: str) -> None:
    """Reply by reply, in the same order, with what is delivered between them."""
    cometd, hub = ([peer.ask(*array) for array in SAME[name]] for peer in map(Peer, servers))
    assert hub == cometd


@pytest.mark.parametrize("name", DIFFERENT)
def test_the_differences(servers: list[Endpoint], name: str) -> None:
    """They are those that we mean, and no others."""
    array, cometd, hub = DIFFERENT[name]
    assert [verdicts(Peer(server).ask(*array)) for server in servers] == [cometd, hub]


def verdicts(answer: Answer) -> list[object]:
    status, messages = answer
    return [status] if messages is None else [each.get("error", each.get("successful")) for each in messages]


def test_a_held_connect(servers: list[Endpoint]) -> None:
    """A message of somebody else ends it, one's own comes with the reply to the publish."""
    assert held(servers[1]) == held(servers[0])


def held(server: Endpoint) -> list[Answer]:
    peer, other = Peer(server), Peer(server)
    answers = [peer.ask(CONNECT | NOW), peer.ask(subscribe("/a"))]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(peer.ask, CONNECT | {"id": "held1"})
        answers += [other.ask(publish("/a", "theirs")), waiting.result(LIMIT_S)]
        waiting = pool.submit(peer.ask, CONNECT | {"id": "held2"})
        answers += [peer.ask(publish("/a", "own")), other.ask(publish("/a", "theirs")), waiting.result(LIMIT_S)]
    return answers


def test_acknowledgement(servers: list[Endpoint]) -> None:
    """What was not acknowledged comes again, and batches have the same numbers."""
    assert acknowledged(servers[1]) == acknowledged(servers[0])


def acknowledged(server: Endpoint) -> list[Answer]:
    peer, other = Peer(server, ext={"ack": True}), Peer(server)
    answers = [peer.ask(subscribe("/a")), peer.ask(CONNECT | NOW | {"ext": {"ack": -1}})]
    for number, batch in enumerate([0, 1, 1, 3, 4]):
        other.ask(publish("/a", number))
        answers += [peer.ask(CONNECT | NOW | {"ext": {"ack": batch}})]
    return answers
