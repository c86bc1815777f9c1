"""The STOMP client that browsers use, @stomp/stompjs, at the hub, over TCP and over the WebSocket that Node.js has."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.brokers.files import foreign
from tests.interop.conftest import PASSWORD, USER

pytestmark = pytest.mark.broker("stompjs")

LIMIT_S = 20.0

Play = Callable[[str], Any]


@pytest.fixture(params=[0, 1], ids=["tcp", "web-socket"])
def play(hub_urls: tuple[str, ...], request: pytest.FixtureRequest) -> Play:
    """Plays a case of `driver.js`; what came of it."""

    def run(case: str) -> Any:
        command = [*foreign("stompjs"), hub_urls[request.param], USER, PASSWORD, case]
        ended = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=LIMIT_S, check=False)
        assert ended.returncode == 0, ended.stderr.decode()
        return json.loads(ended.stdout)

    return run


def test_round_trip(play: Play) -> None:
    """Text, bytes and an odd header arrive as sent, in order, each confirmed."""
    assert play("roundtrip") == {
        "version": "1.2",
        "got": ["text", "한국어 ✓", ""],
        "binary": bytes(range(256)).hex(),
        "odd": "a:b\\ c\nd",
    }


def test_acknowledges(play: Play) -> None:
    """Acknowledged: gone. Refused: again and marked. Left: there for the next one."""
    assert play("acknowledge") == {"again": ["1", "true"], "left": "2"}


def test_transaction(play: Play) -> None:
    """Only what was committed comes."""
    assert play("transaction") == {"body": "commit"}


def test_heart_beats(play: Play) -> None:
    """The hub beats as agreed, and hears the client's beats: the connection stays."""
    assert play("beats") == {"connected": True}


def test_wrong_password(play: Play) -> None:
    """The refusal reaches the client in words."""
    assert "password" in play("refused")["message"]
