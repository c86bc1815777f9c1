"""The client of Faye at the hub."""

from __future__ import annotations

import json
import subprocess

import pytest

from mqctl.hub.thread import HubThread
from mqctl.target import parse_url
from tests.brokers.files import INTEROP, foreign
from tests.hub.client import Client
from tests.interop.browser import Browser
from tests.interop.conftest import PASSWORD

pytestmark = pytest.mark.broker("faye-client")

LIMIT_S = 25.0

LISTEN = """
const [path, ready] = arguments;
window.heard = [];
window.EventSource = class extends EventSource {
  constructor(url) {
    super(url);
    this.addEventListener("message", (event) => heard.push(...JSON.parse(event.data)));
  }
};
window.got = [];
window.client = new Faye.Client(path);
client.disable("websocket");
client.subscribe("/f/*", (data) => got.push(data)).then(ready);
"""
"""With an eye on the browser's own EventSource."""


@pytest.mark.parametrize("transport", ["long-polling", "websocket"])
def test_round_trip(hub_urls: tuple[str, ...], transport: str) -> None:
    """Every message once and in order. It begins with a request, and a WebSocket takes its session up."""
    url = f"http://{parse_url(hub_urls[1]).endpoints[0]}/bayeux"
    command = [*foreign("faye"), url, PASSWORD, transport]
    ended = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=LIMIT_S, check=False)
    assert ended.returncode == 0, ended.stderr.decode()
    assert json.loads(ended.stdout) == {"type": transport, "got": list(range(20))}


@pytest.mark.broker("chromium")
def test_server_sent_events(window: Browser, page_hub: HubThread) -> None:
    """A browser hears all from its EventSource, every message once and in order. Faye uses it at home only."""
    http = page_hub.ask(lambda hub: hub.endpoints[1])
    window.driver.get(f"http://{http}/healthz")
    window.js((INTEROP / "faye/node_modules/faye/client/faye-browser.js").read_text() + "\nwindow.Faye = Faye;")
    window.driver.execute_async_script(LISTEN, "/bayeux")
    # It begins with requests, and goes over when its EventSource is open.
    window.until(lambda: window.js("return client._dispatcher.connectionType"), lambda name: name == "eventsource")
    with Client(page_hub.endpoint) as publisher:
        for number in range(20):
            publisher.publish("/topic/f.x", str(number).encode())
    assert window.until(lambda: window.js("return got"), lambda got: len(got) >= 20) == list(range(20))
    heard = window.js("return heard")
    assert [each["data"] for each in heard if each["channel"] == "/f/x"] == list(range(20))
    window.driver.get("about:blank")
