"""`tail --resume` at servers of CometD: nothing is lost, and nothing comes twice, wherever a run is cut off."""

from __future__ import annotations

import contextlib
import os
import random
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.brokers.launch import launch
from tests.cli.commands import Running
from tests.cli.resuming import MESSAGES, cut_off
from tests.interop.script import script

TIMEOUT_MS = 2_000


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts a command; none outlives the test."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    with contextlib.ExitStack() as running:

        def start(*args: str) -> Running:
            begun = Running(args, environment)
            running.callback(begun.close)
            return begun

        yield start


@contextlib.contextmanager
def node() -> Iterator[int]:
    with script("bayeux", "server.js", "cometd-acks", str(TIMEOUT_MS), environment={}) as server:
        yield int(server.next()["port"])


@contextlib.contextmanager
def java() -> Iterator[int]:
    with launch("cometd-java", timeout=TIMEOUT_MS) as broker:
        yield broker.ports["bayeux+http"]


@pytest.mark.timeout(90)
@pytest.mark.parametrize(
    ("serve", "scheme"),
    [
        pytest.param(node, "bayeux+http", marks=pytest.mark.broker("bayeux")),
        pytest.param(java, "bayeux+http", marks=pytest.mark.broker("cometd-java")),
        pytest.param(java, "bayeux+ws", marks=pytest.mark.broker("cometd-java")),
    ],
)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_session_goes_on(start, tmp_path, serve, scheme, number):
    seed = 11
    with serve() as port:
        url = f"{scheme}://127.0.0.1:{port}/cometd"
        printed = cut_off(start, url, tmp_path / "session.json", random.Random(seed), number)
    everything = list(range(MESSAGES))
    assert (printed if number is signal.SIGINT else sorted(set(printed))) == everything, f"seed {seed}"
