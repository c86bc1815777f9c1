"""A hub, a home of its own for the command, and somebody who hears what was really published."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mqctl.hub.config import HubConfig
from mqctl.hub.thread import HubThread
from mqctl.target import Endpoint, parse_url
from tests.cli.commands import Result, Running, run, run_here
from tests.hub.client import Client


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    """A hub's URL."""
    with HubThread(HubConfig(stomp=(Endpoint("127.0.0.1", 0),))) as hub:
        yield hub.urls[0]


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment in which nothing of the developer is left."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path),
        "MQCTL_PROFILE_DIR": str(tmp_path),
        "LC_ALL": "C.UTF-8",
    }


@pytest.fixture
def env(home: dict[str, str], broker: str) -> dict[str, str]:
    """The same, with the hub as the broker."""
    return {**home, "MQCTL_URL": broker}


@pytest.fixture
def mqctl(env: dict[str, str]) -> Callable[..., Result]:
    """Runs a command to its end."""
    return lambda *args, data=None, **streams: run(args, streams.pop("env", env), data, **streams)


@pytest.fixture
def here(env: dict[str, str]) -> Callable[..., Result]:
    """Runs a command to its end in this process."""
    return lambda *args, **given: run_here(args, given.pop("env", env), **given)


@pytest.fixture
def start(env: dict[str, str]) -> Iterator[Callable[..., Running]]:
    """Starts a command that runs beside the test; none outlives it."""
    begun: list[Running] = []

    def start(*args: str, **streams) -> Running:
        begun.append(Running(args, streams.pop("env", env), **streams))
        return begun[-1]

    yield start
    for running in begun:
        running.close()


class Ear:
    """Hears what arrives at a destination, by a client of its own."""

    def __init__(self, url: str, *destinations: str) -> None:
        self.client = Client(parse_url(url).endpoints[0])
        for number, destination in enumerate(destinations):
            self.client.subscribe(destination, str(number))

    def frames(self) -> list:
        """All that arrived; the last thing to ask."""
        frames = self.client.ask("DISCONNECT", {})
        self.client.close()
        return frames

    def rest(self) -> list:
        """All that arrives until the hub hangs up."""
        frames = []
        with contextlib.suppress(AssertionError, ConnectionResetError):
            while True:
                frames.append(self.client.frame())
        self.client.close()
        return frames

    def bodies(self) -> list[bytes]:
        """The payloads of all that arrived."""
        return [frame.body for frame in self.frames()]


@pytest.fixture
def ear(broker: str) -> Iterator[Callable[..., Ear]]:
    """Opens ears."""
    ears: list[Ear] = []

    def ear(*destinations: str) -> Ear:
        ears.append(Ear(broker, *destinations))
        return ears[-1]

    yield ear
    for each in ears:
        each.client.close()


def put(url: str, destination: str, *bodies: bytes, **headers: str) -> None:
    """Publish without the command under test."""
    with Client(parse_url(url).endpoints[0]) as client:
        client.raw(b"".join(client.encoded("SEND", {"destination": destination, **headers}, body) for body in bodies))
        client.ask("DISCONNECT", {})
