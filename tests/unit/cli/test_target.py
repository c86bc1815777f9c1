"""From a target to a connection: what is added to an error on its way."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from mqctl.cli.target import connected
from mqctl.errors import RefusedError, UnsupportedError
from mqctl.hub.config import HubConfig
from mqctl.hub.thread import HubThread
from mqctl.target import Endpoint, ReconnectOptions, Secret, Target, parse_url

AT_AMAZON = "b-4aada85d-a80c-4be0-9d30-e344a01b921e-1.mq.eu-west-1.amazonaws.com"


@pytest.fixture
def port(monkeypatch) -> Iterator[int]:
    """The port of a hub with a password, which every host's name leads to."""
    config = HubConfig(stomp=(Endpoint("127.0.0.1", 0),), user="alice", password=Secret("right"))
    with HubThread(config) as hub:
        port = parse_url(hub.urls[0]).endpoints[0].port
        address = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port))
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [address])
        yield port


def target(host: str, port: int, *, password: str = "wrong", within_s: float = 0.0) -> Target:
    return Target(
        scheme="stomp",
        endpoints=(Endpoint(host, port),),
        user="alice",
        password=Secret(password),
        reconnect=ReconnectOptions(within_s=within_s),
    )


@pytest.mark.parametrize("within_s", [0.0, 1.0])
@pytest.mark.parametrize(("host", "hint"), [(AT_AMAZON, "not those of IAM"), ("broker.example", "None")])
def test_refused_login(port, host, hint, within_s):
    """Who is not let in at Amazon MQ hears whose users these are; who reconnects hears it too."""
    asked = target(host, port, within_s=within_s)
    with pytest.raises(RefusedError) as refused, connected(asked, lambda _: None):
        pass
    assert hint in str(refused.value.hint)


def test_what_we_refuse_ourselves(port):
    """What was never sent is no question of users and rights."""
    with (
        pytest.raises(UnsupportedError) as refused,
        connected(target(AT_AMAZON, port, password="right"), lambda _: None),
    ):
        raise UnsupportedError("no")
    assert refused.value.hint is None
