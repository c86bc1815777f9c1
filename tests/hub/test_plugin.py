"""The fixture for other projects' tests."""

from __future__ import annotations

from mqctl.target import parse_url
from tests.hub.client import Client


def test_mqctl_hub(mqctl_hub):
    """A running hub, and where it is in both spellings."""
    assert parse_url(mqctl_hub.url).endpoints == (mqctl_hub.endpoint,)
    with Client(mqctl_hub.endpoint) as client:
        client.subscribe("/topic/a")
        client.publish("/topic/a", b"x")
        assert client.bodies(1) == [b"x"]
