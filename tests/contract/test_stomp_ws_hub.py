"""The STOMP transport over WebSocket keeps its contract at the hub."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Iterator

import pytest

from mqctl.adapters.stomp import StompAdapter
from mqctl.hub.config import HubConfig
from mqctl.hub.thread import HubThread
from mqctl.model import Topic
from mqctl.target import Endpoint, Secret, Target, Url, parse_url
from mqctl.testing.contract import AdapterContract, Link, Subject, lacking

PASSWORD = Secret(secrets.token_hex(8))


@pytest.fixture(scope="module")
def url() -> Iterator[Url]:
    with HubThread(HubConfig(stomp=(), http=(Endpoint("127.0.0.1", 0),), user="mqctl", password=PASSWORD)) as thread:
        yield parse_url(thread.url)


@lacking("selector", "forbidden")
class TestStompOverWebSocketAtTheHub(AdapterContract):
    adapter = StompAdapter()

    @pytest.fixture
    def subject(self, url: Url, request: pytest.FixtureRequest) -> Iterator[Subject]:
        with Link(url.endpoints[0]) as link:
            target = Target(
                scheme="stomp+ws", path=url.path, endpoints=(link.endpoint,), user="mqctl", password=PASSWORD
            )
            with Link(url.endpoints[0]) as gone:
                nowhere = gone.endpoint
            yield from Subject(
                adapter=self.adapter,
                target=target,
                queue=lambda: Topic(native=f"/queue/contract-{secrets.token_hex(6)}"),
                link=link,
                nobody=dataclasses.replace(target, endpoints=(nowhere,)),
                stranger=dataclasses.replace(target, password=Secret("wrong")),
            ).serve(request)
