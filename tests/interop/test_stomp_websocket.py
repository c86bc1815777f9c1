"""The original application on @stomp/stompjs, over STOMP in WebSocket: it and mqctl draw each other's messages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mqctl.errors import ExitCode
from tests.brokers.fleet import Fleet
from tests.brokers.launch import serving
from tests.brokers.program import Ended, Program, program_at
from tests.cli.commands import Running
from tests.interop.conftest import PASSWORD, USER
from tests.interop.script import Script, browser_url, login_at, script

pytestmark = pytest.mark.broker("stompjs")


class Place(NamedTuple):
    """Where the application and mqctl meet."""

    page_url: str
    login: dict[str, str]
    mqctl: Program

    def application(self, *arguments: str) -> AbstractContextManager[Script]:
        return script("stompjs", "application.js", self.page_url, *arguments, environment=self.login)


@pytest.fixture
def own_hub(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The installed hub with a password; where it speaks STOMP over TCP and over WebSocket."""
    environment = {"PATH": "", "HOME": str(tmp_path), "HUB_PASSWORD": PASSWORD}
    listeners = ("--stomp", "127.0.0.1:0", "--http", "127.0.0.1:0")
    running = Running(("hub", *listeners, "--user", USER, "--password", "env:HUB_PASSWORD"), environment)
    try:
        yield running.printed().decode().strip(), running.printed().decode().strip()
    finally:
        running.close()


@pytest.fixture(params=[0, 1], ids=["hub-stomp", "hub-stomp+ws"])
def at_hub(request: pytest.FixtureRequest, own_hub: tuple[str, str], tmp_path: Path) -> Place:
    settings = {"url": own_hub[request.param], "user": USER, "password": PASSWORD}
    environment = {"HOME": str(tmp_path), **{f"MQCTL_{name.upper()}": value for name, value in settings.items()}}
    login = {"BROKER_USER": USER, "BROKER_PASSWORD": PASSWORD}
    return Place(own_hub[1].removeprefix("stomp+"), login, Program(environment=environment))


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.broker(name)) for name in serving("stomp+wss")])
def at_broker(request: pytest.FixtureRequest, fleet: Fleet, tmp_path: Path) -> Place:
    broker = fleet.get(request.param)
    mqctl = program_at(broker, broker.url("stomp+ws"), tmp_path)
    return Place(browser_url(broker, "stomp+wss"), login_at(broker), mqctl)


def test_at_the_hub(at_hub: Place) -> None:
    """Both ways, mqctl over either transport."""
    the_pages_draw_what_mqctl_publishes(at_hub)
    watch_shows_what_the_application_publishes(at_hub)


def test_at_a_broker(at_broker: Place) -> None:
    """Both ways, the application behind TLS."""
    the_pages_draw_what_mqctl_publishes(at_broker)
    watch_shows_what_the_application_publishes(at_broker)


def the_pages_draw_what_mqctl_publishes(place: Place) -> None:
    with place.application("pages") as pages:
        assert pages.next()["ready"]
        well(place.mqctl.run("publish", "rect", "45"))
        well(place.mqctl.run("publish", "chart", "3", "7", "12"))
        well(place.mqctl.run("publish", "chart", "--json-data", "7"))
        assert [seen(pages.next()) for _ in range(3)] == [
            ("rect", True, 45),
            ("chart", True, [3, 7, 12]),
            ("chart", False, 7),
        ]


def watch_shows_what_the_application_publishes(place: Place) -> None:
    with place.mqctl.running("watch", "rect", "chart", "--count", "3") as watch:
        watch.await_line("subscribed")
        angles = generate(place, "rect", 2)
        (bars,) = generate(place, "chart", 1)
        lines = well(watch.ended()).out.splitlines()
    assert lines[:2] == [f"rect {angle['data']}° from {angle['producerId']}" for angle in angles]
    assert lines[2].split() == ["chart", *map(str, bars["data"])]


def seen(report: Any) -> tuple[str, bool, Any]:
    return report["page"], report["drawn"], report["data"]


def generate(place: Place, topic: str, count: int) -> list[Any]:
    with place.application(topic, "20", str(count)) as console:
        return console.rest()


def well(ended: Ended) -> Ended:
    assert ended.code == ExitCode.OK, ended.err
    return ended
