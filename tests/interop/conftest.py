"""A hub for foreign clients, and the rule for tests that need one from `make brokers`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mqctl.hub.config import HubConfig
from mqctl.hub.thread import HubThread
from mqctl.target import Endpoint, Secret, parse_url
from tests.brokers import require
from tests.brokers.program import Program
from tests.interop.browser import Browser, browser

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


@pytest.fixture(scope="session")
def window() -> Iterator[Browser]:
    """One browser for all tests: each opens the page anew."""
    with browser() as opened:
        yield opened


@pytest.fixture
def page_hub() -> Iterator[HubThread]:
    """A hub without a password, for its page."""
    loopback = (Endpoint("127.0.0.1", 0),)
    with HubThread(HubConfig(stomp=loopback, http=loopback)) as thread:
        yield thread


@pytest.fixture
def mqctl(page_hub: HubThread, tmp_path: Path) -> Program:
    """The installed command at that hub."""
    return Program(environment={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "MQCTL_URL": page_hub.urls[0]})


@pytest.fixture
def page(window: Browser, page_hub: HubThread) -> Iterator[Browser]:
    """The page, connected; nothing in it may fail or break its policy."""
    window.visit(page_hub)
    yield window
    assert window.complaints() == []
