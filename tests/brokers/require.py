"""The marker `broker(name)`: a missing one skips its tests on a desk, and fails them under MQCTL_REQUIRE_BROKERS=1.

A test may need several, a broker and a foreign client, and has a marker for each.
"""

from __future__ import annotations

import os

import pytest

from tests.brokers.files import NotInstalled
from tests.brokers.launch import INSTALLATIONS

TIMEOUT_S = 120
"""For one test, with the start of its broker."""


def prepare(item: pytest.Item) -> None:
    """Allow for the start of the broker."""
    if _names(item) and item.get_closest_marker("timeout") is None:
        item.add_marker(pytest.mark.timeout(TIMEOUT_S))


def demand(item: pytest.Item) -> None:
    """Skip or fail a test of which something is not installed."""
    try:
        for name in _names(item):
            INSTALLATIONS[name]()
    except NotInstalled as error:
        if os.environ.get("MQCTL_REQUIRE_BROKERS") == "1":
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))


def _names(item: pytest.Item) -> list[str]:
    return [str(marker.args[0]) for marker in item.iter_markers("broker")]
