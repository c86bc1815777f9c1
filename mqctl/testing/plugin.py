"""pytest plugin: fixtures for projects that test against mqctl. Costs nothing until one of them is used."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.register_assert_rewrite(
    "mqctl.testing.laws_acknowledge",
    "mqctl.testing.laws_connect",
    "mqctl.testing.laws_publish",
    "mqctl.testing.laws_subscribe",
    "mqctl.testing.subject",
)


@pytest.fixture
def mqctl_hub() -> Iterator[str]:
    """The STOMP URL of a hub that lives as long as the test, on a free port of the loopback interface."""
    from mqctl.hub.config import HubConfig
    from mqctl.hub.thread import HubThread
    from mqctl.target import Endpoint

    with HubThread(HubConfig(stomp=(Endpoint("127.0.0.1", 0),))) as hub:
        yield hub.urls[0]
