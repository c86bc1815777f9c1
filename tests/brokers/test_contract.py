"""The STOMP transport keeps the contract at every broker, over TCP, TLS and WebSocket."""

from __future__ import annotations

import dataclasses
import itertools
import uuid
from collections.abc import Iterator

import pytest
from _pytest.mark import ParameterSet

from mqctl.adapters.stomp import StompAdapter
from mqctl.model import Topic
from mqctl.target import Endpoint, Secret, Target, TlsOptions, is_web_socket
from mqctl.testing.contract import AdapterContract, Link, Subject, lacking
from tests.brokers.fleet import Fleet
from tests.brokers.launch import serving
from tests.brokers.process import HOST, Broker, free_ports

SCHEMES = ("stomp", "stomp+ssl", "stomp+ws", "stomp+wss")

LACKING = {
    "artemis": {"transacted-acks"},
    "rabbitmq": {"selector"},
}
"""What a broker cannot do of what the transport can."""

LACKING_OVER_WEB_SOCKET = {
    "classic": {"binary"},
    # It closes, and keeps back what it refused.
    "rabbitmq": {"forbidden"},
}


def _served() -> Iterator[ParameterSet]:
    """Each broker over all that it serves."""
    for name, scheme in itertools.product(serving("stomp"), SCHEMES):
        over_web_socket = LACKING_OVER_WEB_SOCKET.get(name, set()) if is_web_socket(scheme) else set()
        marks = pytest.mark.broker(name), lacking(*LACKING.get(name, set()), *over_web_socket)
        yield pytest.param((name, scheme), marks=marks, id=f"{name}-{scheme}")


class TestContract(AdapterContract):
    """All laws."""

    adapter = StompAdapter()

    @pytest.fixture(params=_served())
    def subject(self, fleet: Fleet, request: pytest.FixtureRequest) -> Iterator[Subject]:
        name, scheme = request.param
        broker = fleet.get(name)
        with Link(Endpoint(HOST, broker.ports[scheme])) as link:
            target = Target(
                scheme=scheme,
                endpoints=(link.endpoint,),
                path=broker.path,
                user=broker.user,
                password=Secret(broker.password),
                tls=TlsOptions(ca_file=str(broker.ca_file)),
                vhost=broker.vhost,
            )
            yield from _subject(broker, target, link).serve(request)


def _subject(broker: Broker, target: Target, link: Link) -> Subject:
    limited = dataclasses.replace(
        target,
        user=broker.credentials.limited_user,
        password=Secret(broker.credentials.limited_password),
    )
    return Subject(
        adapter=TestContract.adapter,
        target=target,
        queue=lambda: Topic(native=f"/queue/open.{uuid.uuid4().hex[:12]}"),
        link=link,
        nobody=dataclasses.replace(target, endpoints=(Endpoint(HOST, free_ports(1)[0]),)),
        stranger=dataclasses.replace(target, password=Secret("wrong")),
        forbidden=(limited, Topic(levels=("forbidden", "x"))),
    )
