"""The hub's page in a browser."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mqctl.hub.config import HubConfig
from mqctl.hub.thread import HubThread
from mqctl.target import Endpoint
from tests.brokers.program import Program
from tests.interop.browser import Browser, browser

pytestmark = pytest.mark.broker("chromium")

LOOPBACK = (Endpoint("127.0.0.1", 0),)


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    """One browser for all tests: each opens the page anew."""
    with browser() as opened:
        yield opened


@pytest.fixture
def hub() -> Iterator[HubThread]:
    with HubThread(HubConfig(stomp=LOOPBACK, http=LOOPBACK)) as thread:
        yield thread


@pytest.fixture
def mqctl(hub: HubThread, tmp_path: Path) -> Program:
    """The installed command at the hub."""
    return Program(environment={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "MQCTL_URL": hub.urls[0]})


@pytest.fixture
def page(window: Browser, hub: HubThread) -> Iterator[Browser]:
    """The page, connected; nothing in it may fail or break its policy."""
    visit(window, hub)
    yield window
    assert window.complaints() == []


def visit(window: Browser, hub: HubThread, address: str = "") -> None:
    """Open the page of a hub, and wait until it is connected."""
    endpoint = hub.ask(lambda running: running.endpoints[-1])
    window.driver.get("about:blank")
    window.complaints()
    window.driver.get(f"http://{endpoint}/{address}")
    window.until_text("state-text", "connected over")


def test_a_rectangle_turns(page: Browser, mqctl: Program) -> None:
    """The command's angle is the square's, by the shorter way."""
    page.find("tab-rect").click()
    for angle, turned in ((45, 45), (350, -10), (20.5, 20.5)):
        assert mqctl.run("publish", "rect", str(angle)).code == 0
        page.until_text("degrees", f"{angle}°")
        assert page.js("return document.getElementById('square').style.transform") == f"rotate({turned}deg)"
    rows = page.until(lambda: [row.text for row in page.all("#rect-log li")], lambda found: len(found) == 3)
    assert '{"data":45}' in rows[0]
