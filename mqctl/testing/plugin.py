"""pytest plugin: fixtures for projects that test against mqctl. Costs nothing until one of them is used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mqctl.hub.thread import HubThread

pytest.register_assert_rewrite(
    "mqctl.testing.laws_acknowledge",
    "mqctl.testing.laws_connect",
    "mqctl.testing.laws_publish",
    "mqctl.testing.laws_subscribe",
    "mqctl.testing.subject",
)


@pytest.fixture
def mqctl_hub() -> Iterator[HubThread]:
    """A hub that lives as long as the test, on a free port of loopback; its `url` and `endpoint` say where."""
    from mqctl.hub.config import HubConfig
    from mqctl.hub.thread import HubThread
    from mqctl.target import Endpoint

    with HubThread(HubConfig(stomp=(Endpoint("127.0.0.1", 0),))) as hub:
        yield hub
