"""The MQTT client that browsers use, npm's `mqtt`: what it publishes mqctl reads, and the other way round."""

from __future__ import annotations

import base64
import json
import re
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from _pytest.mark import ParameterSet

from mqctl.errors import ExitCode
from tests.brokers.fleet import Fleet
from tests.brokers.process import Broker
from tests.brokers.program import Ended, Program, program_at
from tests.cli.terminal import ENTER, Terminal
from tests.interop.script import Script, browser_url, login_at, script

pytestmark = pytest.mark.broker("mqttjs")

PLACES = {
    "classic": ("mqtt", "mqtt+ws", "stomp", "stomp+ws"),
    "rabbitmq": ("mqtt", "mqtt+ws", "stomp", "stomp+ws"),
    "artemis": ("mqtt", "mqtt+ws", "stomp-prefixed"),
    "mosquitto": ("mqtt", "mqtt+ws"),
}
"""The brokers where the application runs over WebSocket, and by which listeners mqctl meets it there."""

DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


class Place(NamedTuple):
    """Where the application and mqctl meet."""

    broker: Broker
    page_url: str
    mqctl: Program


def _param(*names: str) -> ParameterSet:
    """A broker, the listener for the application, and that for mqctl."""
    return pytest.param(names, marks=pytest.mark.broker(names[0]), id="-".join(names))


ALL = [
    *(_param(name, "mqtt+ws", listener) for name, listeners in PLACES.items() for listener in listeners),
    *(_param(name, "mqtt+wss", "mqtt+wss") for name in PLACES),
]
FEW = [_param(name, "mqtt+ws", listener) for name in ("classic", "rabbitmq") for listener in ("mqtt+ws", "stomp")]
"""For what depends on no transport."""


@pytest.fixture(params=ALL)
def place(request: pytest.FixtureRequest, fleet: Fleet, tmp_path: Path) -> Place:
    name, page, listener = request.param
    broker = fleet.get(name)
    return Place(broker, browser_url(broker, page), program_at(broker, broker.url(listener), tmp_path))


@pytest.fixture
def pages(place: Place) -> Iterator[Script]:
    """The application's two pages, in their browser."""
    with script("mqttjs", "application.js", place.page_url, "pages", environment=login_at(place.broker)) as running:
        assert running.next()["ready"]
        yield running


def generate(place: Place, topic: str, count: int) -> list[Any]:
    """Let the application's console publish; what it sent."""
    arguments = (place.page_url, topic, "20", str(count))
    with script("mqttjs", "application.js", *arguments, environment=login_at(place.broker)) as running:
        return running.rest()


def as_kept(broker: Broker, came: Iterable[Any]) -> list[Any]:
    """What came, in order. Artemis 2.56.0 keeps none between messages of QoS 1 (ARTEMIS-6191): there, as sorted."""
    return sorted(came, key=str) if broker.name == "artemis" else list(came)


def well(ended: Ended) -> Ended:
    assert ended.code == ExitCode.OK, ended.err
    return ended


def test_watch_shows_in_a_pipe_what_the_application_publishes(place: Place) -> None:
    """Angles and bars in the order of the console, with the producer's name."""
    with place.mqctl.running("watch", "rect", "chart", "--count", "4") as watch:
        watch.await_line("subscribed")
        angles = generate(place, "rect", 3)
        (bars,) = generate(place, "chart", 1)
        lines = well(watch.ended()).out.splitlines()
    assert [angle["data"] for angle in angles] == [50, 100, 150]
    shown = [f"rect {angle['data']}° from {angle['producerId']}" for angle in angles]
    shown.append(" ".join(["chart", *map(str, bars["data"])]))
    assert as_kept(place.broker, lines[:4]) == as_kept(place.broker, shown)
    assert any("a1  a2  a3  a4  a5  a6  a7" in line for line in lines[4:]), "the picture"


@pytest.mark.parametrize("place", FEW, indirect=True)
def test_watch_draws_on_a_terminal_what_the_application_publishes(place: Place) -> None:
    """The angle in the rectangle and in the list beside it; seven bars with their values."""
    terminal = Terminal(("watch", "rect", "chart"), {**place.mqctl.environment, "LC_ALL": "C.UTF-8"}, 120, 40)
    try:
        terminal.until(lambda shown: ENTER in shown.raw and "127.0.0.1:" in shown.lines[-1])
        angle = generate(place, "rect", 3)[-1]
        (bars,) = generate(place, "chart", 1)
        terminal.shows("150°", angle["producerId"], "3 messages", "a1", "a7", str(max(bars["data"])), "1 message")
        terminal.type(b"q")
        assert terminal.end() == ExitCode.OK
    finally:
        terminal.close()


def test_the_pages_draw_what_mqctl_publishes(place: Place, pages: Script) -> None:
    """Numbers turn the rectangle, arrays are bars; the envelope is that of the application's own clients."""
    well(place.mqctl.run("publish", "rect", "45"))
    well(place.mqctl.run("publish", "chart", "3", "7", "12"))
    well(place.mqctl.run("publish", "rect", "--generate", "rotate", "--count", "3", "--interval", "10ms"))
    came = [pages.next() for _ in range(5)]
    drawn = [("rect", True, 45), ("chart", True, [3, 7, 12]), *(("rect", True, angle) for angle in (0, 50, 100))]
    saw = [(each["page"], each["drawn"], each["data"]) for each in came]
    assert as_kept(place.broker, saw) == as_kept(place.broker, drawn)
    assert all(DATE.fullmatch(each["date"]) and len(each["producerId"]) == 6 for each in came)
    assert len({each["producerId"] for each in came[2:]}) == 1, "a producer keeps its name"


@pytest.mark.parametrize("place", FEW, indirect=True)
def test_the_pages_ignore_what_is_not_theirs(place: Place, pages: Script) -> None:
    """An array on rect, a number on chart, a bare value, words: nothing is drawn, and the next message is."""
    foreign = [
        ("rect", "--json-data", "[1,2]"),
        ("rect", "--json-data", '"45"'),
        ("chart", "--json-data", "7"),
        ("rect", "--bare", "45"),
        ("chart", "--bare", "hello"),
    ]
    for arguments in foreign:
        well(place.mqctl.run("publish", *arguments))
    well(place.mqctl.run("publish", "chart", "1", "2"))
    drawn = [pages.next()["drawn"] for _ in range(len(foreign) + 1)]
    assert drawn == [False] * len(foreign) + [True]


TRUE_BROKERS = ("mosquitto", "artemis")
"""Those that keep to every quality of service, and have MQTT 5."""

VERSIONS = {"4": "3.1.1", "5": "5"}
"""As the script names them, and as mqctl does."""


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.broker(name)) for name in TRUE_BROKERS])
def broker(request: pytest.FixtureRequest, fleet: Fleet) -> Broker:
    return fleet.get(request.param)


@pytest.fixture
def name() -> str:
    """Nobody else's topic, in MQTT's words."""
    return f"open/{secrets.token_hex(6)}"


class Peers(NamedTuple):
    """mqctl and npm's `mqtt` at one broker, both speaking one version."""

    broker: Broker
    version: str
    mqctl: Program

    def script(self, *arguments: str) -> Any:
        url = browser_url(self.broker, "mqtt+ws")
        return script("mqttjs", "driver.js", url, self.version, *arguments, environment=login_at(self.broker))

    def publish(self, *messages: dict[str, Any]) -> None:
        with self.script("publish", *map(json.dumps, messages)) as running:
            assert running.rest() == []


@pytest.fixture(params=VERSIONS)
def peers(request: pytest.FixtureRequest, broker: Broker, tmp_path: Path) -> Peers:
    version = VERSIONS[request.param]
    return Peers(broker, request.param, program_at(broker, broker.url("mqtt+ws"), tmp_path, mqtt_version=version))


@pytest.fixture
def five(broker: Broker, tmp_path: Path) -> Peers:
    return Peers(broker, "5", program_at(broker, broker.url("mqtt"), tmp_path, mqtt_version="5"))


BYTES = bytes(range(256))


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_every_quality_of_service_reaches_the_script(peers: Peers, name: str, tmp_path: Path, qos: int) -> None:
    """Text, nothing and all bytes arrive as sent, in order, at the quality asked for."""
    (tmp_path / "bytes").write_bytes(BYTES)
    with peers.script("subscribe", name, "2") as reader:
        assert reader.next() == {"granted": 2}
        for what in (("한국어 ✓", ""), ("--file", str(tmp_path / "bytes"))):
            well(peers.mqctl.run("publish", name, *what, "--qos", str(qos)))
        came = [reader.next() for _ in range(3)]
    payloads = [bytes.fromhex(each["payload"]) for each in came]
    assert as_kept(peers.broker, payloads) == as_kept(peers.broker, ["한국어 ✓".encode(), b"", BYTES])
    assert [(each["topic"], each["qos"], each["retain"]) for each in came] == [(name, qos, False)] * 3


def test_what_is_retained_greets_the_script(peers: Peers, name: str) -> None:
    """The last value waits for newcomers, until an empty one takes its place."""
    well(peers.mqctl.run("publish", name, "old", "new", "--retain"))
    with peers.script("subscribe", name, "1") as reader:
        assert reader.next() == {"granted": 1}
        came = reader.next()
    assert (bytes.fromhex(came["payload"]), came["retain"]) == (b"new", True)
    well(peers.mqctl.run("publish", name, "", "--retain"))
    with peers.script("subscribe", name, "1") as reader:
        assert reader.next() == {"granted": 1}
        well(peers.mqctl.run("publish", name, "live"))
        assert bytes.fromhex(reader.next()["payload"]) == b"live"


def test_properties_reach_the_script(five: Peers, name: str) -> None:
    """Headers are user properties; the kind of content, where to answer and until when have their own."""
    described = ("--content-type", "text/plain", "--reply-to", "answers/here", "--expires", "60s")
    with five.script("subscribe", name, "1") as reader:
        reader.next()
        well(five.mqctl.run("publish", name, "x", "-H", "colour=파랑", "-H", "correlation-data=7", *described))
        properties = reader.next()["properties"]
    assert properties["userProperties"] == {"colour": "파랑"}
    assert properties["contentType"] == "text/plain"
    assert properties["responseTopic"] == "answers/here"
    assert bytes.fromhex(properties["correlationData"]) == b"7"
    assert 0 < properties["messageExpiryInterval"] <= 60


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_tail_reads_what_the_script_publishes(peers: Peers, name: str, qos: int) -> None:
    """Bytes that are no text come as base64, text as text; nothing is changed on the way."""
    payloads = [BYTES, "한국어 ✓".encode(), b"", b"a\r\nb\0"]
    with peers.mqctl.running("tail", name, "--json", "--count", "4", "--qos", "2") as tail:
        tail.await_line("subscribed")
        peers.publish(*({"topic": name, "payload": payload.hex(), "qos": qos} for payload in payloads))
        came = [json.loads(line) for line in well(tail.ended()).out.splitlines()]
    bodies = [each.get("payload") for each in came]
    assert as_kept(peers.broker, bodies) == as_kept(peers.broker, [None, *map(bytes.decode, payloads[1:])])
    assert [base64.b64decode(each["payload_b64"]) for each in came if "payload_b64" in each] == [BYTES]
    assert [each["qos"] for each in came] == [qos] * 4


def test_tail_reads_what_the_script_says_about_a_message(five: Peers, name: str) -> None:
    """The properties of a message are headers."""
    properties = {
        "userProperties": {"colour": "파랑"},
        "contentType": "application/json",
        "responseTopic": "answers/here",
        "correlationData": "ff00",
        "messageExpiryInterval": 60,
    }
    with five.mqctl.running("tail", name, "--json", "--count", "1") as tail:
        tail.await_line("subscribed")
        five.publish({"topic": name, "payload": "7b7d", "qos": 1, "properties": properties})
        headers = json.loads(well(tail.ended()).out)["headers"]
    assert 0 < int(headers.pop("message-expiry")) <= 60
    assert headers == {
        "colour": "파랑",
        "content-type": "application/json",
        "reply-to": "answers/here",
        "correlation-data-b64": "/wA=",
    }


def test_tail_knows_what_the_script_left_behind(peers: Peers, name: str) -> None:
    """A retained message says that it is one."""
    peers.publish({"topic": name, "payload": "6f6c64", "qos": 1, "retain": True})
    line = json.loads(well(peers.mqctl.run("tail", name, "--json", "--count", "1")).out)
    assert (line["payload"], line["retained"]) == ("old", True)
    assert peers.mqctl.run("tail", name, "--retained", "skip", "--idle", "500ms").out == ""
