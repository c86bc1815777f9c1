"""The CometD half of the original application in Chromium, on npm's `cometd`, at a hub of another origin."""

from __future__ import annotations

import json
import math
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest

from mqctl.errors import ExitCode
from mqctl.hub.config import HubConfig
from mqctl.hub.thread import HubThread
from mqctl.target import Endpoint
from tests.brokers.files import INTEROP
from tests.brokers.program import Program
from tests.interop.browser import Browser

pytestmark = [pytest.mark.broker("chromium"), pytest.mark.broker("cometd")]

HOST = "app.localhost"
"""Browsers find it on this machine; to the hub it is a stranger until it is allowed."""

TOPIC = "test.micomet"
LOOPBACK = (Endpoint("127.0.0.1", 0),)


class Quiet(SimpleHTTPRequestHandler):
    """Serves the files of this folder, and tells nobody."""

    def log_message(self, *_: object) -> None:
        pass


class Application(NamedTuple):
    """The page in a browser, and the command at the same hub."""

    page: Browser
    mqctl: Program
    transport: str

    def came(self) -> list[dict[str, Any]]:
        """All that came, before the page was loaded again too."""
        return json.loads(self.page.js("return sessionStorage.getItem('came') ?? '[]'"))


@pytest.fixture
def origin() -> Iterator[str]:
    """Where the page is served."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(INTEROP)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://{HOST}:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def visited(window: Browser, origin: str, transport: str, *allowed: str) -> Iterator[HubThread]:
    """The page, loaded, and the hub whose address it was given."""
    with HubThread(HubConfig(stomp=LOOPBACK, http=LOOPBACK, allow_origins=allowed)) as hub:
        port = hub.ask(lambda running: running.endpoints[1].port)
        question = urlencode({"url": f"http://{HOST}:{port}/cometd", "transport": transport})
        window.driver.get(f"{origin}/micomet/?{question}")
        yield hub
        window.driver.get("about:blank")
    window.complaints()


@pytest.fixture(params=["long-polling", "websocket"])
def application(request: pytest.FixtureRequest, window: Browser, origin: str, tmp_path: Path) -> Iterator[Application]:
    """The page, connected."""
    with visited(window, origin, request.param, origin) as hub:
        window.until_text("status", f"first {request.param}")
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "MQCTL_URL": hub.url}
        yield Application(window, Program(environment=environment), request.param)


def test_the_grid_draws_what_mqctl_publishes(application: Application) -> None:
    """A dot for each producer, where it was last; how many came in the last second; and Clear."""
    page, mqctl, _ = application
    published = mqctl.run("publish", TOPIC, "--generate", "circle", "--interval", "10ms", "--count", "50")
    assert published.code == ExitCode.OK, published.err
    other = {"x": 7, "y": 8, "producerId": "anotherother", "time": "2026-11-22T09:00:00.000Z"}
    assert mqctl.run("publish", TOPIC, json.dumps(other)).code == ExitCode.OK
    dots = page.until(lambda: [dot.get_attribute("cx") for dot in page.all("circle")], lambda found: "7" in found)
    *_, last, _ = came = application.came()
    assert len(came) == 51
    assert dots == [str(last["x"]), "7"]
    page.until(lambda: page.text("rate"), lambda rate: int(rate) > 0)
    page.find("clear").click()
    assert page.all("circle") == []


def test_mqctl_tails_what_the_console_publishes(application: Application) -> None:
    """One degree a step, on the circle that the application draws."""
    page, mqctl, _ = application
    with mqctl.running("tail", TOPIC, "--count", "5", "--json") as tail:
        tail.await_line("subscribed")
        page.find("run").click()
        ended = tail.ended()
    page.find("run").click()
    assert ended.code == ExitCode.OK, ended.err
    steps = [json.loads(json.loads(line)["payload"]) for line in ended.out.splitlines()]
    assert {len(step["producerId"]) for step in steps} == {12}
    angles = [math.degrees(math.atan2(step["y"] - 250, step["x"] - 250)) for step in steps]
    assert angles == pytest.approx(range(1, 6), abs=0.3)
    assert all(step["time"].endswith("Z") for step in steps)


def test_a_page_that_is_loaded_again_misses_nothing(application: Application) -> None:
    """It goes on with its session; what was under way when it went comes again."""
    page, mqctl, transport = application
    session = page.text("status").split()[-1]
    lines = "".join(f'{{"x": {number}, "y": 0, "producerId": "a"}}\n' for number in range(300))
    with mqctl.running("publish", TOPIC, "--lines", "--rate", "150") as publish:
        publish.write(lines.encode())
        for count in (50, 150):
            page.until(application.came, lambda came, count=count: len(came) >= count)
            page.driver.refresh()
            assert page.until_text("status", "again") == f"again {transport} {session}"
        assert publish.ended().code == ExitCode.OK
    came = page.until(application.came, lambda came: came[-1]["x"] == 299)
    assert list(dict.fromkeys(message["x"] for message in came)) == list(range(300))


@pytest.mark.parametrize("transport", ["long-polling", "websocket"])
def test_a_page_of_another_origin_is_refused(window: Browser, origin: str, transport: str) -> None:
    """Until the hub is told to let it in."""
    with visited(window, origin, transport):
        window.until_text("status", "refused")
