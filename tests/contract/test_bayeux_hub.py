"""The Bayeux transport keeps its contract at the hub, over long-polling and over WebSocket."""

from __future__ import annotations

import dataclasses
import math
import random
import secrets
from collections.abc import Iterator

import pytest

from mqctl.adapters import reconnecting
from mqctl.adapters.base import SubscribeSpec
from mqctl.adapters.bayeux import BayeuxAdapter
from mqctl.hub.config import HubConfig
from mqctl.hub.thread import HubThread
from mqctl.model import (
    Connected,
    Delivery,
    Disconnected,
    Interrupted,
    Outgoing,
    Resumed,
    Topic,
)
from mqctl.target import Endpoint, ReconnectOptions, Secret, Target, parse_url
from mqctl.testing.contract import Link, Subject, lacking
from mqctl.testing.recorder import Recorder
from tests.contract.bayeux import BayeuxContract

PASSWORD = Secret(secrets.token_hex(8))
PATIENCE_S = 10.0


@pytest.fixture(scope="module")
def hub() -> Iterator[Endpoint]:
    loopback = (Endpoint("127.0.0.1", 0),)
    with HubThread(HubConfig(stomp=(), http=loopback, user="mqctl", password=PASSWORD)) as thread:
        yield parse_url(thread.url).endpoints[0]


@lacking("queue", "forbidden")
class TestBayeuxAtTheHub(BayeuxContract):
    @pytest.fixture(params=["bayeux+http", "bayeux+sse", "bayeux+ws"])
    def subject(self, hub: Endpoint, request: pytest.FixtureRequest) -> Iterator[Subject]:
        with Link(hub) as link:
            target = Target(scheme=request.param, endpoints=(link.endpoint,), user="mqctl", password=PASSWORD)
            with Link(hub) as gone:
                nowhere = gone.endpoint
            yield from Subject(
                adapter=self.adapter,
                target=target,
                link=link,
                nobody=dataclasses.replace(target, endpoints=(nowhere,)),
                stranger=dataclasses.replace(target, password=Secret("wrong")),
            ).serve(request)

    def test_a_wildcard_takes_one_segment_and_a_subtree_all_of_them(self, subject: Subject) -> None:
        connection, recorder = subject.connect()
        root = subject.topic().levels
        one, all_of_them = (
            connection.subscribe(SubscribeSpec(topic=Topic(levels=(*root, wild))), timeout_s=subject.patience_s)
            for wild in ("*", "**")
        )
        for rest in ((), ("a",), ("a", "b")):
            subject.publish(connection, Topic(levels=(*root, *rest)), ".".join(rest).encode())
        subject.publish(connection, subject.topic(), b"elsewhere")
        subject.barrier(connection, recorder)
        came = recorder.deliveries(4)
        assert [each.payload for each in came if each.subscription == one] == [b"a"]
        assert [each.payload for each in came if each.subscription == all_of_them] == [b"", b"a", b"a.b"]

    @pytest.mark.parametrize(
        "payload",
        [
            b"45",
            b'"45"',
            b'"abc"',
            b'"\\"abc\\""',
            b'{"a" : [1.50, null]}',
            b"[1]\n",
            b"NaN",
            b'"',
            b"[" * 80,
            b'"\\ud800"',
        ],
    )
    def test_json_or_what_looks_like_it_arrives_to_the_byte(self, subject: Subject, payload: bytes) -> None:
        self.test_a_payload_arrives_as_it_was_sent(subject, payload)


def test_what_a_broken_stream_had_is_lost_and_that_is_told() -> None:
    """Nothing that comes by a stream is acknowledged; another session takes its place, though requests went through."""
    config = HubConfig(stomp=(), http=(Endpoint("127.0.0.1", 0),))
    with HubThread(config) as hub, Link(parse_url(hub.url).endpoints[0]) as link:
        target = Target(scheme="bayeux+sse", endpoints=(link.endpoint,), path="/bayeux")
        lasting = dataclasses.replace(target, reconnect=ReconnectOptions(math.inf, 0.1))
        recorder = Recorder()
        topic = Topic(levels=("a",))
        with (
            reconnecting.connect(BayeuxAdapter(), lasting, sink=recorder, rng=random.Random(1)) as connection,
            BayeuxAdapter().connect(target, sink=Recorder()) as writer,
        ):
            connection.subscribe(SubscribeSpec(topic=topic), timeout_s=PATIENCE_S)
            writer.submit(Outgoing(topic=topic, payload=b"1"))
            recorder.message(b"1")
            broken = link.down.cut_at(b'"data":2')
            writer.submit(Outgoing(topic=topic, payload=b"2"))
            assert broken.wait(PATIENCE_S)
            connection.subscribe(SubscribeSpec(topic=Topic(levels=("b",))), timeout_s=PATIENCE_S)
            writer.submit(Outgoing(topic=topic, payload=b"3"))
            recorder.message(b"3")
        kinds = [type(event) for event in recorder.events]
        assert kinds == [Connected, Delivery, Interrupted, Resumed, Delivery, Disconnected]
