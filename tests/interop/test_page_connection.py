"""How the hub's page connects: over which transport, what it does when that ends, and who is let in."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from mqctl.faults.link import Link
from mqctl.hub.config import HubConfig
from mqctl.hub.rules import Rules, read_rule
from mqctl.hub.thread import HubThread
from mqctl.target import Endpoint, Secret, parse_url
from tests.brokers.program import PROGRAM, Program
from tests.interop.browser import Browser
from tests.interop.refusing import Refusing

pytestmark = pytest.mark.broker("chromium")

LOOPBACK = (Endpoint("127.0.0.1", 0),)
WEB_SOCKET, EVENTS = b"upgrade: websocket", b"accept: text/event-stream"
TITLES = {"websocket": "WebSocket", "eventsource": "server-sent events", "long-polling": "long-polling"}


def rects(window: Browser) -> list[str]:
    """The angles that the list of received messages has."""
    return [row.text.rpartition(":")[2].rstrip("}") for row in window.all("#rect-log li")]


def try_now(window: Browser) -> None:
    """Press the button that says so, unless the page was quicker, and it is gone."""
    window.js("document.getElementById('again').click()")


def web(hub: HubThread) -> Endpoint:
    return hub.ask(lambda running: running.endpoints[-1])


def sessions(hub: HubThread) -> int:
    return hub.ask(lambda running: running.exchange.broker.stats().sessions)


@pytest.mark.parametrize("transport", TITLES)
def test_every_transport_carries_messages_both_ways_and_in_order(
    window: Browser, page_hub: HubThread, mqctl: Program, transport: str
) -> None:
    window.visit(page_hub, f"?transport={transport}#rect", f"connected over {TITLES[transport]}")
    assert window.find("transport").get_attribute("value") == transport
    angles = [str(angle) for angle in range(50)]
    assert mqctl.run("publish", "rect", *angles).code == 0
    window.until(lambda: rects(window), lambda seen: len(seen) == 50)
    assert rects(window) == angles
    window.find("tab-console").click()
    window.all("#publish button")[0].click()
    window.until_text("publish-result", "confirmed 1")
    window.until_text("console-tally", "51 messages")
    assert window.complaints() == []


@pytest.mark.parametrize(
    ("words", "title"),
    [((WEB_SOCKET,), TITLES["eventsource"]), ((WEB_SOCKET, EVENTS), TITLES["long-polling"])],
    ids=["no web-socket", "neither"],
)
def test_what_a_proxy_refuses_is_done_without(
    window: Browser, page_hub: HubThread, mqctl: Program, words: tuple[bytes, ...], title: str
) -> None:
    """And what the fallback carries is complete."""
    with Refusing(web(page_hub), words) as proxy:
        window.driver.get(f"http://{proxy.endpoint}/#rect")
        window.until_text("state-text", f"connected over {title}")
        assert set(proxy.refused) == set(words)
        mqctl.run("publish", "rect", "1", "2", "3")
        window.until(lambda: rects(window), lambda seen: seen == ["1", "2", "3"])
        window.driver.get("about:blank")
    window.complaints()


def test_another_transport_by_a_choice(window: Browser, page_hub: HubThread) -> None:
    """The address remembers it, and the session before is ended at once."""
    window.visit(page_hub)
    window.all("#transport option[value=long-polling]")[0].click()
    window.until_text("state-text", "connected over long-polling")
    assert "?transport=long-polling" in window.driver.current_url
    window.until(lambda: sessions(page_hub), lambda count: count == 1, 5.0)


@pytest.mark.parametrize("transport", TITLES)
def test_a_page_that_goes_away_takes_leave(window: Browser, page_hub: HubThread, transport: str) -> None:
    """Its session does not linger until its time is over."""
    window.visit(page_hub, f"?transport={transport}")
    window.driver.get("about:blank")
    window.until(lambda: sessions(page_hub), lambda count: count == 0, 5.0)


@contextmanager
def running_hub(*options: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """The installed hub, and its URLs."""
    command = [PROGRAM, "hub", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, [process.stdout.readline().strip() for _ in range(2)]
        finally:
            process.kill()


@pytest.mark.parametrize("transport", TITLES)
def test_a_hub_that_comes_back_is_found(window: Browser, tmp_path, transport: str) -> None:
    """Killed without a word, and started again at the same address: the page says so, and subscribes again."""
    with running_hub("--stomp", "127.0.0.1:0", "--http", "127.0.0.1:0") as (first, urls):
        stomp, http = (str(parse_url(url).endpoints[0]) for url in urls)
        window.driver.get(f"http://{http}/?transport={transport}#rect")
        window.until_text("state-text", "connected over")
        first.send_signal(signal.SIGKILL)
        window.until_text("state-text", "not connected")
        assert window.find("again").is_displayed()
    with running_hub("--stomp", stomp, "--http", http):
        try_now(window)
        window.until_text("state-text", "connected over")
        home = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "MQCTL_URL": urls[0]}
        Program(environment=home).run("publish", "rect", "77")
        window.until_text("degrees", "77°")
        window.driver.get("about:blank")
    window.complaints()


@pytest.mark.parametrize("transport", TITLES)
def test_nothing_is_lost_where_only_the_connection_breaks(
    window: Browser, page_hub: HubThread, mqctl: Program, transport: str
) -> None:
    """A new one takes the session up soon, with what waited in it."""
    with Refusing(web(page_hub), ()) as proxy:
        window.driver.get(f"http://{proxy.endpoint}/?transport={transport}#rect")
        window.until_text("state-text", f"connected over {TITLES[transport]}")
        proxy.cut()
        mqctl.run("publish", "rect", "5")
        window.until_text("state-text", f"connected over {TITLES[transport]}")
        window.until(lambda: rects(window), lambda seen: seen == ["5"])
        assert sessions(page_hub) == 1
        window.driver.get("about:blank")
    window.complaints()


@pytest.mark.parametrize("transport", TITLES)
def test_a_connection_that_breaks_while_the_page_subscribes(
    window: Browser, page_hub: HubThread, mqctl: Program, transport: str
) -> None:
    """The page is not connected then, and does not believe that it is."""
    with Link(web(page_hub)) as link:
        broken = link.down.cut_at(b'"channel":"/meta/subscribe"')
        window.driver.get(f"http://{link.endpoint}/?transport={transport}#rect")
        assert broken.wait(10.0)
        window.until_text("state-text", f"connected over {TITLES[transport]}")
        mqctl.run("publish", "rect", "7")
        window.until_text("degrees", "7°")
        window.driver.get("about:blank")
    window.complaints()


def test_what_is_wanted_may_change_while_nothing_is_connected(
    window: Browser, page_hub: HubThread, mqctl: Program
) -> None:
    """The session that is taken up then has it."""
    with Refusing(web(page_hub), ()) as proxy:
        window.driver.get(f"http://{proxy.endpoint}/")
        window.until_text("state-text", "connected over WebSocket")
        proxy.words = (b"bayeux",)
        proxy.cut()
        window.until_text("state-text", "not connected")
        window.find("subscribe-topic").clear()
        window.find("subscribe-topic").send_keys("one.two\n")
        proxy.words = ()
        try_now(window)
        window.until_text("state-text", "connected over WebSocket")
        assert sessions(page_hub) == 1
        mqctl.run("publish", "one.two", "here")
        window.until(lambda: [row.text for row in window.all("#console-log li")], lambda rows: "here" in "".join(rows))
        window.driver.get("about:blank")
    window.complaints()


def test_a_password_is_asked_for(window: Browser) -> None:
    """By a form that says what was wrong; then the page is connected, and knows it when the connection is lost."""
    config = HubConfig(stomp=(), http=LOOPBACK, user="somebody", password=Secret("pass:wörd"))
    with HubThread(config) as hub:
        window.visit(hub, state="refused: wrong user or password")
        assert window.js("return document.activeElement.id") == "user"
        assert window.text("login-problem") == ""
        window.find("user").send_keys("somebody")
        window.find("password").send_keys("wrong\n")
        window.until_text("login-problem", "wrong user or password")
        window.find("password").clear()
        window.find("password").send_keys("pass:wörd\n")
        window.until_text("state-text", "connected over WebSocket")
        assert not window.find("login").is_displayed()
        window.all("#transport option[value=eventsource]")[0].click()
        window.until_text("state-text", "connected over server-sent events")
        assert window.complaints() == []


def test_what_the_hub_does_not_allow_is_said(window: Browser) -> None:
    rules = Rules((read_rule("open.**"),), (read_rule("rect"),))
    with HubThread(replace(HubConfig(stomp=(), http=LOOPBACK), rules=rules)) as hub:
        window.visit(hub)
        window.until_text("subscribe-problem", "The hub refuses this subscription")
        window.until_text("chart-problem", "The hub refuses this subscription")
        assert window.text("rect-problem") == ""
        window.all("#publish button")[0].click()
        window.until_text("publish-result", "rejected 1")


def test_without_a_connection_nothing_is_said_to_be_sent(window: Browser) -> None:
    with HubThread(HubConfig(stomp=(), http=LOOPBACK)) as hub:
        window.visit(hub)
    window.until_text("state-text", "not connected")
    window.all("#publish button")[0].click()
    window.until_text("publish-result", "attempted 1, confirmed 0, rejected 1, unknown 0 · not connected")
    window.complaints()
