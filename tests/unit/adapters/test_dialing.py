"""How endpoints share the time, and which scheme is the other one."""

from __future__ import annotations

import socket
import time

import pytest

from mqctl.adapters.dialing import Dialer, encrypted_scheme, plain_scheme, try_each
from mqctl.errors import ConfigError, ConnectError, RefusedError
from mqctl.target import Endpoint, Target, TlsOptions

ENDPOINTS = tuple(Endpoint("h", port) for port in (1, 2, 3))
TARGET = Target(scheme="stomp", endpoints=ENDPOINTS, connect_timeout_s=9.0)


@pytest.mark.parametrize("protocol", ["stomp", "mqtt"])
def test_the_other_scheme_of_a_protocol_keeps_what_carries_it(protocol):
    for scheme in (protocol, f"{protocol}+ssl"):
        assert (plain_scheme(scheme), encrypted_scheme(scheme)) == (protocol, f"{protocol}+ssl")
    for scheme in (f"{protocol}+ws", f"{protocol}+wss"):
        assert (plain_scheme(scheme), encrypted_scheme(scheme)) == (f"{protocol}+ws", f"{protocol}+wss")


def test_the_other_scheme_of_bayeux():
    for scheme in ("bayeux+http", "bayeux+https"):
        assert (plain_scheme(scheme), encrypted_scheme(scheme)) == ("bayeux+http", "bayeux+https")


def test_each_endpoint_has_its_share_of_the_time_that_is_left():
    """One that fails at once leaves its share to the others."""
    shares: list[float] = []

    def refuse(_endpoint: Endpoint, deadline: float) -> None:
        shares.append(deadline - time.monotonic())
        raise ConnectError("no")

    with pytest.raises(ConnectError):
        try_each(TARGET, refuse)
    assert shares == pytest.approx([3.0, 4.5, 9.0], abs=0.5)


def test_what_all_said_is_told_with_the_first_hint():
    def refuse(endpoint: Endpoint, _deadline: float) -> None:
        raise ConnectError(f"no {endpoint.port}", hint=f"hint {endpoint.port}")

    with pytest.raises(ConnectError, match="no endpoint answers: no 1; no 2; no 3") as caught:
        try_each(TARGET, refuse)
    assert caught.value.hint == "hint 1"


def test_an_answer_that_is_no_ends_the_search():
    tried: list[int] = []

    def deny(endpoint: Endpoint, _deadline: float) -> None:
        tried.append(endpoint.port)
        raise RefusedError("wrong password")

    with pytest.raises(RefusedError):
        try_each(TARGET, deny)
    assert tried == [1]


def test_the_first_that_connects_is_taken():
    def connect(endpoint: Endpoint, _deadline: float) -> int:
        if endpoint.port == 1:
            raise ConnectError("no")
        return endpoint.port

    assert try_each(TARGET, connect) == 2


@pytest.mark.parametrize("scheme", ["stomp+ssl", "stomp+wss", "mqtt+ssl", "mqtt+wss"])
def test_tls_that_cannot_be_spoken_is_told_before_anything_is_tried(scheme):
    with pytest.raises(ConfigError):
        Dialer(Target(scheme=scheme, endpoints=(), tls=TlsOptions(ca_file="/no/such.pem")))


@pytest.mark.parametrize(
    ("scheme", "hint"),
    [("stomp", "STOMP switched on"), ("mqtt", "MQTT switched on"), ("stomp+ws", "15674"), ("mqtt+wss", "15675")],
)
def test_a_refused_port_hints_at_what_the_scheme_needs(scheme, hint):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        gone = Endpoint(*listener.getsockname())
    with pytest.raises(ConnectError, match="nobody listens") as caught:
        Dialer(Target(scheme=scheme, endpoints=(gone,))).dial(gone, time.monotonic() + 5)
    assert hint in (caught.value.hint or "")
