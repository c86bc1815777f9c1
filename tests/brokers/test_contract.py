"""The STOMP transport keeps the contract at every broker, over TCP, TLS and WebSocket."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterator

import pytest

from mqctl.adapters.stomp import StompAdapter
from mqctl.model import Dialect, Topic
from mqctl.protocols.stomp.dialects import READINGS
from mqctl.target import Endpoint, Secret, Target, TlsOptions, is_web_socket
from mqctl.testing.contract import AdapterContract, Link, Subject
from tests.brokers.process import HOST, Broker, free_ports

LACKING = {"rabbitmq": {"selector"}}
"""What a broker cannot do of what the transport can."""


@pytest.fixture(params=["stomp", "stomp+ssl", "stomp+ws", "stomp+wss"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class TestContract(AdapterContract):
    """All laws."""

    @pytest.fixture
    def subject(self, broker: Broker, scheme: str) -> Iterator[Subject]:
        port = broker.ports[scheme]
        with Link(Endpoint(HOST, port)) as link:
            target = Target(
                scheme=scheme,
                endpoints=(link.endpoint,),
                path=broker.path,
                user=broker.user,
                password=Secret(broker.password),
                tls=TlsOptions(ca_file=str(broker.ca_file)),
                vhost=broker.vhost,
            )
            yield from _subject(broker, target, link).serve()


def _subject(broker: Broker, target: Target, link: Link) -> Subject:
    limited = dataclasses.replace(
        target,
        user=broker.credentials.limited_user,
        password=Secret(broker.credentials.limited_password),
    )
    web_socket, reading = is_web_socket(target.scheme), READINGS[Dialect(broker.name)]
    return Subject(
        adapter=StompAdapter(),
        target=target,
        features=StompAdapter.info.features - LACKING.get(broker.name, set()),
        queue=lambda: Topic(native=f"/queue/open.{uuid.uuid4().hex[:12]}"),
        link=link,
        nobody=dataclasses.replace(target, endpoints=(Endpoint(HOST, free_ports(1)[0]),)),
        stranger=dataclasses.replace(target, password=Secret("wrong")),
        # Over WebSocket RabbitMQ closes and keeps back what it refused.
        forbidden=None if web_socket and reading.web_socket_mute else (limited, Topic(levels=("forbidden", "x"))),
        text_only=web_socket and not reading.web_socket_binary,
    )
