"""The MQTT transport keeps the contract at every broker that speaks MQTT, in each version and over all it serves."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator

import pytest
from _pytest.mark import ParameterSet

from mqctl.adapters.mqtt import MqttAdapter
from mqctl.model import Dialect, Topic
from mqctl.target import Endpoint, MqttOptions, Secret, Target, TlsOptions, is_web_socket
from mqctl.testing.contract import AdapterContract, Link, Subject, lacking
from tests.brokers.fleet import Fleet
from tests.brokers.launch import LISTENERS, serving
from tests.brokers.process import HOST, Broker, free_ports

LACKING = {
    "classic": {"forbidden", "shared"},
    # Artemis 2.56 delivers persistent messages in another order, to MQTT 5 clients even at QoS 0.
    "artemis": {"order"},
    "rabbitmq": {"forbidden", "qos-2", "shared"},
    # rumqttd hangs up on a wrong password without CONNACK, as on nonsense: nobody can tell why.
    "iotcore": {"forbidden", "stranger"},
}
"""What a broker cannot do of what the transport can."""

LACKING_BEFORE_5 = {"headers", "content-type", "reply-to", "expires", "forbidden"}

LACKING_OVER_WEB_SOCKET = {
    # It sends 4 KiB each tenth of a second (Mosquitto 2.0).
    "mosquitto": {"large"},
}

SCHEMES = ("mqtt", "mqtt+ssl", "mqtt+ws", "mqtt+wss")

VERSIONS = ("3.1.1", "5")

WITHOUT_5 = ("classic", "rabbitmq")


def _listener(broker: str, scheme: str, version: str) -> str:
    """The name of the port: iotcore alone has one for each version."""
    return f"{scheme}-v5" if version == "5" and broker == "iotcore" else scheme


def _served() -> Iterator[ParameterSet]:
    """Each broker with the schemes and versions that it serves."""
    for broker, scheme, version in itertools.product(serving("mqtt"), SCHEMES, VERSIONS):
        if version == "5" and broker in WITHOUT_5:
            continue
        if _listener(broker, scheme, version) in LISTENERS[broker]:
            case = (broker, scheme, version)
            marks = pytest.mark.broker(broker), lacking(*_lacking(broker, scheme, version))
            yield pytest.param(case, marks=marks, id="-".join(case))


def _lacking(broker: str, scheme: str, version: str) -> set[str]:
    return (
        LACKING.get(broker, set())
        | (LACKING_OVER_WEB_SOCKET.get(broker, set()) if is_web_socket(scheme) else set())
        | (set() if version == "5" else LACKING_BEFORE_5)
    )


@lacking("queue", "header-lines")
class TestContract(AdapterContract):
    """All laws."""

    adapter = MqttAdapter()

    @pytest.fixture(params=_served())
    def subject(self, fleet: Fleet, request: pytest.FixtureRequest) -> Iterator[Subject]:
        name, scheme, version = request.param
        broker = fleet.get(name)
        with Link(Endpoint(HOST, broker.ports[_listener(name, scheme, version)])) as link:
            target = Target(
                scheme=scheme,
                endpoints=(link.endpoint,),
                path=broker.path if is_web_socket(scheme) else "",
                user=broker.user,
                password=Secret(broker.password),
                tls=TlsOptions(ca_file=str(broker.ca_file)),
                mqtt=MqttOptions(version=version),
                dialect=None if name == "iotcore" else Dialect(name),
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
        link=link,
        nobody=dataclasses.replace(target, endpoints=(Endpoint(HOST, free_ports(1)[0]),)),
        stranger=dataclasses.replace(target, password=Secret("wrong")),
        forbidden=(limited, Topic(levels=("forbidden", "x"))),
    )
