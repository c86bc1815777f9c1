"""The official client of CometD at the hub, over long-polling and over WebSocket, with its extensions."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from mqctl.target import Endpoint, parse_url
from tests.brokers.files import foreign
from tests.hub.client import Client
from tests.interop.conftest import PASSWORD, USER
from tests.interop.script import script

pytestmark = pytest.mark.broker("cometd")

LIMIT_S = 25.0

Play = Callable[[str], Any]


@pytest.fixture(params=["long-polling", "websocket"])
def transport(request: pytest.FixtureRequest) -> str:
    """What the client may use."""
    return str(request.param)


@pytest.fixture
def arguments(hub_urls: tuple[str, ...], transport: str) -> list[str]:
    """Of `driver.js`, up to the case."""
    return [f"http://{parse_url(hub_urls[1]).endpoints[0]}/cometd", USER, PASSWORD, transport]


@pytest.fixture
def play(arguments: list[str]) -> Play:
    """Plays a case of `driver.js`; what came of it."""

    def run(case: str) -> Any:
        command = [*foreign("cometd"), *arguments, case]
        ended = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=LIMIT_S, check=False)
        assert ended.returncode == 0, ended.stderr.decode()
        return json.loads(ended.stdout)

    return run


def test_round_trip(play: Play, transport: str) -> None:
    """Any JSON arrives as sent, in order, each confirmed; and over the transport that was meant."""
    assert play("roundtrip") == {
        "type": transport,
        "confirmed": True,
        "got": [1, "two", [3], {"four": 4}, None],
        "left": 0,
    }


def test_patterns(play: Play) -> None:
    """Each message once, however many subscriptions of the client match; a service is subscribed to in name only."""
    assert play("patterns") == {
        "got": [1, 3, 1, 2, 3],
        "left": 0,
        "service": True,
        "wild": "405::channel_invalid",
    }


def test_acknowledgement(play: Play) -> None:
    """With the ack extension nothing is lost, doubled or out of order though connections break."""
    assert play("acknowledged") == {"ordered": True, "rest": 0}


def test_the_time(play: Play) -> None:
    """Client and hub agree what time it is, as they are on one machine."""
    assert play("clock") == {"successful": True, "near": True, "lag": True}


def test_bytes(play: Play) -> None:
    """The binary extension carries any bytes."""
    assert play("binary") == {"hex": (bytes(range(256)) + b"\0").hex(), "last": True}


def test_reload(play: Play) -> None:
    """A page that is loaded again goes on with its session, and misses nothing."""
    assert play("reload") == {"data": "meanwhile", "reloaded": True, "same": True}


def test_wrong_password(play: Play) -> None:
    """The refusal reaches the client in words, and it does not try for ever."""
    assert play("refused") == {
        "successful": False,
        "error": "403:wrong user or password:handshake_denied",
        "advice": {"reconnect": "none"},
        "status": "disconnected",
    }


def test_the_other_half_speaks_stomp(arguments: list[str], hub: Endpoint) -> None:
    """What STOMP sends arrives: JSON as it is, text as a string, bytes as bytes, headers; and it comes back so."""
    sent: list[tuple[bytes, dict[str, str], dict[str, Any]]] = [
        (b"45", {}, {"data": 45}),
        (b"not JSON", {}, {"data": "not JSON"}),
        ("값 ✓".encode(), {"color": "red"}, {"data": "값 ✓", "headers": {"color": "red"}}),
        (b'{"a":[1,2.5]}', {}, {"data": {"a": [1, 2.5]}}),
        (b"\xff\x00\x01", {}, {"bytes": "ff0001"}),
    ]
    with (
        script("cometd", "driver.js", *arguments, "bridge", environment={}) as bridge,
        Client(hub, headers={"login": USER, "passcode": PASSWORD}) as client,
    ):
        client.subscribe("/topic/out")
        assert bridge.next() == "ready"
        for payload, headers, seen in sent:
            client.publish("/topic/in.deep", payload, **headers)
            assert bridge.next() == {"channel": "/in/deep", **seen}
            back = client.expect("MESSAGE")
            assert back.body == payload
            assert headers.items() <= back.headers.items()
        client.publish("/topic/in.deep", b"end")
        assert bridge.next() == {"channel": "/in/deep", "data": "end"}
        assert bridge.rest() == []
