"""A connection that is made again when it is lost keeps the contract too, and what it promises beyond."""

from __future__ import annotations

import dataclasses
import math
import random
import secrets
from collections.abc import Iterator

import pytest

from mqctl.adapters import reconnecting
from mqctl.adapters.base import Connection, EventSink, SubscribeSpec
from mqctl.adapters.stomp import StompAdapter
from mqctl.hub.config import HubConfig
from mqctl.hub.thread import HubThread
from mqctl.model import AckMode, Connected, Disconnected, Interrupted, Resumed, Topic
from mqctl.target import Endpoint, ReconnectOptions, Secret, Target, parse_url
from mqctl.testing.contract import AdapterContract, Link, Subject, lacking

PASSWORD = Secret(secrets.token_hex(8))


class Lasting(StompAdapter):
    """The STOMP transport, made again when it is lost."""

    def connect(self, target: Target, *, sink: EventSink) -> Connection:
        return reconnecting.connect(StompAdapter(), target, sink=sink, rng=random.Random(1))


@pytest.fixture(scope="module")
def hub() -> Iterator[Endpoint]:
    with HubThread(HubConfig(stomp=(Endpoint("127.0.0.1", 0),), user="mqctl", password=PASSWORD)) as thread:
        yield parse_url(thread.urls[0]).endpoints[0]


@lacking("selector", "forbidden")
class TestReconnecting(AdapterContract):
    adapter = Lasting()

    @pytest.fixture
    def subject(self, hub: Endpoint, request: pytest.FixtureRequest) -> Iterator[Subject]:
        with Link(hub) as link:
            target = Target(
                scheme="stomp",
                endpoints=(link.endpoint,),
                user="mqctl",
                password=PASSWORD,
                reconnect=ReconnectOptions(math.inf, 0.1),
            )
            with Link(hub) as gone:
                nowhere = gone.endpoint
            yield from Subject(
                adapter=self.adapter,
                target=target,
                queue=lambda: Topic(native=f"/queue/contract-{secrets.token_hex(6)}"),
                link=link,
                nobody=dataclasses.replace(target, endpoints=(nowhere,)),
                stranger=dataclasses.replace(target, password=Secret("wrong")),
            ).serve(request)

    def test_a_broken_connection_is_told_once_and_as_unexpected(self, subject: Subject) -> None:
        """As interrupted and resumed, and at the end as closed by us."""
        link = subject.a_link()
        connection, recorder = subject.connect()
        link.cut()
        connection.subscribe(SubscribeSpec(topic=subject.topic()), timeout_s=subject.patience_s)
        connection.close()
        assert [type(event) for event in recorder.events] == [Connected, Interrupted, Resumed, Disconnected]
        assert recorder.disconnected().expected

    def test_what_a_broken_connection_left_comes_again_and_says_so(self, subject: Subject) -> None:
        """To the same subscription, since that stands again; old tokens do nothing, and new ones acknowledge."""
        link = subject.a_link()
        queue = subject.a_queue()
        connection, recorder = subject.connect()
        subject.publish(connection, queue, b"1", b"2", b"3")
        spec = SubscribeSpec(topic=queue, ack_mode=AckMode.INDIVIDUAL)
        subscription = connection.subscribe(spec, timeout_s=subject.patience_s)
        old = recorder.deliveries(3)
        link.cut()
        again = recorder.deliveries(6)[3:]
        assert [(each.payload, each.redelivered, each.subscription) for each in again] == [
            (payload, True, subscription) for payload in (b"1", b"2", b"3")
        ]
        for each in (*old, *again[:2]):
            assert each.ack is not None
            connection.ack(each.ack)
        connection.close()
        self._what_comes_again(subject, queue, [b"3"])
