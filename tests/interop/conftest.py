"""A hub for foreign clients, and the rule for tests that need one from `make brokers`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mqctl.hub.config import HubConfig
from mqctl.hub.thread import HubThread
from mqctl.target import Endpoint, Secret
from tests.brokers import require

USER, PASSWORD = "somebody", "pass:word"


def pytest_runtest_setup(item: pytest.Item) -> None:
    require.demand(item)


@pytest.fixture
def hub() -> Iterator[Endpoint]:
    """A hub with a password, on a free port."""
    config = HubConfig(stomp=(Endpoint("127.0.0.1", 0),), user=USER, password=Secret(PASSWORD), heart_beat_ms=200)
    with HubThread(config) as thread:
        yield thread.endpoint
