"""The marker `broker(name)`: a missing one skips its tests on a desk, and fails them under MQCTL_REQUIRE_BROKERS=1."""

from __future__ import annotations

import os

import pytest

from tests.brokers.files import NotInstalled
from tests.brokers.launch import INSTALLATIONS

TIMEOUT_S = 120
"""For one test, with the start of its broker."""


def prepare(item: pytest.Item) -> None:
    """Allow for the start of the broker."""
    if _name(item) is not None and item.get_closest_marker("timeout") is None:
        item.add_marker(pytest.mark.timeout(TIMEOUT_S))


def demand(item: pytest.Item) -> None:
    """Skip or fail a test whose broker is not installed."""
    name = _name(item)
    if name is None:
        return
    try:
        INSTALLATIONS[name]()
    except NotInstalled as error:
        if os.environ.get("MQCTL_REQUIRE_BROKERS") == "1":
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))


def _name(item: pytest.Item) -> str | None:
    marker = item.get_closest_marker("broker")
    return None if marker is None else str(marker.args[0])
