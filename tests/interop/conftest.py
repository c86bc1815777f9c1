"""A hub for foreign clients, and the rule for tests that need one from `make brokers`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mqctl.hub.config import HubConfig
from mqctl.hub.thread import HubThread
from mqctl.target import Endpoint, Secret, parse_url
from tests.brokers import require

USER, PASSWORD = "somebody", "pass:word"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        require.prepare(item)


def pytest_runtest_setup(item: pytest.Item) -> None:
    require.demand(item)


@pytest.fixture
def hub_urls() -> Iterator[tuple[str, ...]]:
    """A hub with a password, on free ports: where it is over TCP, and over WebSocket."""
    loopback = (Endpoint("127.0.0.1", 0),)
    config = HubConfig(stomp=loopback, http=loopback, user=USER, password=Secret(PASSWORD), heart_beat_ms=200)
    with HubThread(config) as thread:
        yield thread.urls


@pytest.fixture
def hub(hub_urls: tuple[str, ...]) -> Endpoint:
    """Where it is over TCP."""
    return parse_url(hub_urls[0]).endpoints[0]
