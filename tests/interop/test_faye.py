"""The client of Faye at the hub."""

from __future__ import annotations

import json
import subprocess

import pytest

from mqctl.target import parse_url
from tests.brokers.files import foreign
from tests.interop.conftest import PASSWORD

pytestmark = pytest.mark.broker("faye-client")

LIMIT_S = 25.0


@pytest.mark.parametrize("transport", ["long-polling", "websocket"])
def test_round_trip(hub_urls: tuple[str, ...], transport: str) -> None:
    """Every message once and in order. It begins with a request, and a WebSocket takes its session up."""
    url = f"http://{parse_url(hub_urls[1]).endpoints[0]}/bayeux"
    command = [*foreign("faye"), url, PASSWORD, transport]
    ended = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=LIMIT_S, check=False)
    assert ended.returncode == 0, ended.stderr.decode()
    assert json.loads(ended.stdout) == {"type": transport, "got": list(range(20))}
