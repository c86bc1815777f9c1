"""The STOMP transport keeps its contract at the hub."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Iterator

import pytest

from mqctl.adapters.stomp import StompAdapter
from mqctl.hub.config import HubConfig
from mqctl.hub.thread import HubThread
from mqctl.model import Topic
from mqctl.target import Endpoint, Secret, Target, parse_url
from mqctl.testing.contract import AdapterContract, Link, Subject

PASSWORD = Secret(secrets.token_hex(8))


@pytest.fixture(scope="module")
def hub() -> Iterator[Endpoint]:
    with HubThread(HubConfig(stomp=(Endpoint("127.0.0.1", 0),), user="mqctl", password=PASSWORD)) as thread:
        yield parse_url(thread.urls[0]).endpoints[0]


class TestStompAtTheHub(AdapterContract):
    @pytest.fixture
    def subject(self, hub: Endpoint) -> Iterator[Subject]:
        with Link(hub) as link:
            target = Target(scheme="stomp", endpoints=(link.endpoint,), user="mqctl", password=PASSWORD)
            with Link(hub) as gone:
                nowhere = gone.endpoint
            yield from Subject(
                adapter=StompAdapter(),
                target=target,
                features=StompAdapter.info.features - {"selector"},
                queue=lambda: Topic(native=f"/queue/contract-{secrets.token_hex(6)}"),
                link=link,
                nobody=dataclasses.replace(target, endpoints=(nowhere,)),
                stranger=dataclasses.replace(target, password=Secret("wrong")),
            ).serve()
