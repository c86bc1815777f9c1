"""What is lost is found again: each command over a connection that breaks on the way."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mqctl.errors import ExitCode
from mqctl.target import parse_url
from mqctl.testing import Link
from tests.cli.conftest import put


@pytest.fixture
def link(broker: str) -> Iterator[Link]:
    """The way to the hub."""
    with Link(parse_url(broker).endpoints[0]) as link:
        yield link


@pytest.fixture
def env(env: dict[str, str], link: Link) -> dict[str, str]:
    """Commands go by the link."""
    return {**env, "MQCTL_URL": f"stomp://{link.endpoint}"}


def test_a_tail_survives_a_cut(start, link, broker):
    tail = start("tail", "x", "--count", "2")
    tail.said("subscribed")
    put(broker, "/topic/x", b"before")
    assert tail.printed() == b"before\n"
    link.cut()
    said = tail.said("connected again")
    assert f"connected again to {link.endpoint} after " in said
    put(broker, "/topic/x", b"after")
    ended = tail.end()
    assert (ended.code, ended.lines) == (ExitCode.OK, ["before", "after"])
    assert "mqctl: connection lost: " in ended.err
    assert "; trying again for up to 1m\n" in ended.err
    assert ended.last.startswith("mqctl: received 2, reconnects 1, longest outage ")
