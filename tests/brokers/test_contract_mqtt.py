"""The MQTT transport keeps the contract at every broker that speaks MQTT, in each version and over all it serves."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from mqctl.adapters.mqtt import MqttAdapter
from mqctl.model import Dialect, Topic
from mqctl.target import Endpoint, MqttOptions, Secret, Target, TlsOptions, is_web_socket
from mqctl.testing.contract import AdapterContract, Link, Subject
from tests.brokers.process import HOST, Broker, free_ports

PAYLOAD_MAX = 8 * 1024 * 1024
SINCE_5 = {"headers", "content-type", "reply-to", "expires"}
LACKING = {
    "classic": {"shared"},
    "rabbitmq": {"shared"},
}
"""What a broker cannot do of what the transport can."""

SLOW = {"mosquitto": 100_000}
"""Payloads that a broker sends in bearable time over WebSocket: Mosquitto 2.0 sends 4 KiB each tenth of a second."""

ONLY_3 = ("classic", "rabbitmq")
"""Brokers without MQTT 5."""


@pytest.fixture(params=["mqtt", "mqtt+ssl", "mqtt+ws", "mqtt+wss"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["3.1.1", "5"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class TestContract(AdapterContract):
    """All laws."""

    @pytest.fixture
    def subject(self, mqtt_broker: Broker, scheme: str, version: str) -> Iterator[Subject]:
        if version == "5" and mqtt_broker.name in ONLY_3:
            pytest.skip(f"{mqtt_broker.name} has no MQTT 5")
        listener = f"{scheme}-v5" if version == "5" and mqtt_broker.name == "iotcore" else scheme
        if listener not in mqtt_broker.ports:
            pytest.skip(f"{mqtt_broker.name} does not serve MQTT {version} over {scheme}")
        with Link(Endpoint(HOST, mqtt_broker.ports[listener])) as link:
            target = Target(
                scheme=scheme,
                endpoints=(link.endpoint,),
                path=mqtt_broker.path if is_web_socket(scheme) else "",
                user=mqtt_broker.user,
                password=Secret(mqtt_broker.password),
                tls=TlsOptions(ca_file=str(mqtt_broker.ca_file)),
                mqtt=MqttOptions(version=version),
                dialect=None if mqtt_broker.name == "iotcore" else Dialect(mqtt_broker.name),
            )
            yield from _subject(mqtt_broker, target, link, version).serve()


def _subject(broker: Broker, target: Target, link: Link, version: str) -> Subject:
    limited = dataclasses.replace(
        target,
        user=broker.credentials.limited_user,
        password=Secret(broker.credentials.limited_password),
    )
    lacking = LACKING.get(broker.name, set()) | (set() if version == "5" else SINCE_5)
    return Subject(
        adapter=MqttAdapter(),
        target=target,
        features=MqttAdapter.info.features - lacking,
        link=link,
        nobody=dataclasses.replace(target, endpoints=(Endpoint(HOST, free_ports(1)[0]),)),
        # rumqttd hangs up on a wrong password without CONNACK, as on nonsense: nobody can tell why.
        stranger=None if broker.name == "iotcore" else dataclasses.replace(target, password=Secret("wrong")),
        # Artemis 2.56 delivers persistent messages in another order, to MQTT 5 clients even at QoS 0.
        ordered=not (broker.name == "artemis" and version == "5"),
        payload_max=SLOW.get(broker.name, PAYLOAD_MAX) if is_web_socket(target.scheme) else PAYLOAD_MAX,
        forbidden=(limited, Topic(levels=("forbidden", "x")))
        if version == "5" and broker.name == "mosquitto"
        else None,
    )
