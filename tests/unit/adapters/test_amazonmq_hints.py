"""A connection that fails at Amazon MQ is explained in its terms, whatever the protocol."""

from __future__ import annotations

import socket

import pytest

from mqctl.adapters import dialing
from mqctl.adapters.registry import adapter_for
from mqctl.errors import ConnectError
from mqctl.target import Endpoint, Target

ID = "b-4aada85d-a80c-4be0-9d30-e344a01b921e"
ONE = Endpoint(f"{ID}-1.mq.eu-west-1.amazonaws.com", 61614)


def hint(scheme: str, *endpoints: Endpoint) -> str:
    target = Target(scheme=scheme, endpoints=endpoints, connect_timeout_s=5)
    with pytest.raises(ConnectError) as failed, adapter_for(scheme).connect(target, sink=lambda _: None):
        pass
    return str(failed.value.hint)


@pytest.fixture
def resolves(monkeypatch):
    """Makes every name mean an address of this machine, or fail."""

    def resolves(answer):
        def getaddrinfo(host, port, **_):
            if isinstance(answer, Exception):
                raise answer
            return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", answer))]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    return resolves


def test_refused(resolves):
    """Nobody listens: the standby, where the other half was not named."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        resolves(listener.getsockname()[1])
    assert "name both endpoints" in hint("stomp+ssl", ONE)
    assert "name both endpoints" not in hint("stomp+ssl", ONE, Endpoint(ONE.host.replace("-1.", "-2."), 61614))
    assert "endpoints" not in hint("stomp+ssl", Endpoint("broker.example", 61614))


def test_timeout(monkeypatch):
    """Nobody answers: the security group with the port."""

    def silent(endpoint, _):
        raise ConnectError("no answer") from TimeoutError()

    monkeypatch.setattr(dialing, "connect", silent)
    assert "its security group must let port 61614 in" in hint("stomp+ssl", ONE)


def test_no_host(resolves):
    """A name that is gone tells its region; a resolver that is out of order tells nothing about the broker."""
    resolves(socket.gaierror(socket.EAI_NONAME, "Name or service not known"))
    assert "the broker is gone, or not in eu-west-1" in hint("stomp+ssl", ONE)
    resolves(socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"))
    assert hint("stomp+ssl", ONE) == "None"
