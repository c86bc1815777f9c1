"""The STOMP transport keeps its contract at every broker, over TCP and over TLS."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Iterator

import pytest

from mqctl.adapters.stomp import StompAdapter
from mqctl.model import Topic
from mqctl.target import Endpoint, Secret, Target, TlsOptions
from mqctl.testing.contract import AdapterContract, Link, Subject
from tests.brokers.process import HOST, Broker, free_ports

LACKS = {
    "classic": {"priority"},
    "artemis": {"first-level wildcards"},
    "rabbitmq": {"selector"},
}


def fresh_queue() -> Topic:
    return Topic(native=f"/queue/open.contract-{secrets.token_hex(6)}")


def subject_at(broker: Broker, scheme: str, port: int) -> Iterator[Subject]:
    with Link(Endpoint(HOST, port)) as link:
        target = Target(
            scheme=scheme,
            endpoints=(link.endpoint,),
            user=broker.user,
            password=Secret(broker.password),
            tls=TlsOptions(ca_file=str(broker.ca_file)),
            vhost=broker.vhost,
        )
        limited = dataclasses.replace(
            target,
            user=broker.credentials.limited_user,
            password=Secret(broker.credentials.limited_password),
        )
        yield from Subject(
            adapter=StompAdapter(),
            target=target,
            features=StompAdapter.info.features - LACKS[broker.name],
            queue=fresh_queue,
            link=link,
            nobody=dataclasses.replace(target, endpoints=(Endpoint(HOST, *free_ports(1)),)),
            stranger=dataclasses.replace(target, password=Secret("wrong")),
            forbidden=(limited, Topic(native="/queue/closed.contract")),
        ).serve()


class TestOverTcp(AdapterContract):
    @pytest.fixture
    def subject(self, broker: Broker) -> Iterator[Subject]:
        yield from subject_at(broker, "stomp", broker.stomp_port)


class TestOverTls(AdapterContract):
    @pytest.fixture
    def subject(self, broker: Broker) -> Iterator[Subject]:
        yield from subject_at(broker, "stomp+ssl", broker.stomps_port)
