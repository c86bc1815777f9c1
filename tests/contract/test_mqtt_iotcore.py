"""The MQTT transport keeps its contract at a broker that comes as a Python package.

Plain, through all layers at once, and in its newer version: the rest is tried where the real brokers are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from mqctl.adapters.mqtt import MqttAdapter
from mqctl.target import Endpoint, MqttOptions, Secret, Target, TlsOptions, is_web_socket
from mqctl.testing.contract import AdapterContract, Link, Subject, lacking
from tests.brokers.launch import launch
from tests.brokers.process import HOST, Broker

BEFORE_5 = lacking("headers", "content-type", "reply-to", "expires")


@pytest.fixture(scope="module")
def iotcore() -> Iterator[Broker]:
    with launch("iotcore") as broker:
        yield broker


@lacking("queue", "stranger", "forbidden", "header-lines")
class TestMqttAtIotcore(AdapterContract):
    adapter = MqttAdapter()

    @pytest.fixture(params=[pytest.param("mqtt", marks=BEFORE_5), pytest.param("mqtt+wss", marks=BEFORE_5), "mqtt-v5"])
    def subject(self, iotcore: Broker, request: pytest.FixtureRequest) -> Iterator[Subject]:
        scheme, _, is_5 = request.param.partition("-")
        upstream = Endpoint(HOST, iotcore.ports[request.param])
        with Link(upstream) as link:
            target = Target(
                scheme=scheme,
                endpoints=(link.endpoint,),
                path=iotcore.path if is_web_socket(scheme) else "",
                user=iotcore.user,
                password=Secret(iotcore.password),
                tls=TlsOptions(ca_file=str(iotcore.ca_file)),
                mqtt=MqttOptions(version="5" if is_5 else "3.1.1"),
            )
            with Link(upstream) as gone:
                nowhere = gone.endpoint
            yield from Subject(
                adapter=self.adapter,
                target=target,
                link=link,
                nobody=dataclasses.replace(target, endpoints=(nowhere,)),
            ).serve(request)
