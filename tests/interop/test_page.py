"""The hub's page in a browser: what it shows of what is published, and what it publishes."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest

from mqctl.hub.thread import HubThread
from tests.brokers.program import Program
from tests.hub.client import Client
from tests.interop.browser import Browser

pytestmark = pytest.mark.broker("chromium")

MARKUP = "<img src=x onerror=document.title='broken'><script>document.title='broken'</script>"


def listen(hub: HubThread, destination: str) -> Client:
    """A subscriber over STOMP."""
    client = Client(hub.endpoint)
    client.subscribe(destination)
    return client


def next_json(client: Client) -> object:
    """What the next message of a subscriber carries."""
    return json.loads(client.frame().body)


def write(page: Browser, name: str, text: str) -> None:
    """Replace what is in a field."""
    field = page.find(name)
    field.clear()
    field.send_keys(text)


def test_a_rectangle_turns(page: Browser, mqctl: Program) -> None:
    """The command's angle is the square's, by the shorter way, and the list has what was received."""
    page.find("tab-rect").click()
    for angle, turned in ((45, 45), (350, -10), (20.5, 20.5)):
        assert mqctl.run("publish", "rect", str(angle)).code == 0
        page.until_text("degrees", f"{angle}°")
        assert page.js("return document.getElementById('square').style.transform") == f"rotate({turned}deg)"
    rows = page.until(lambda: [row.text for row in page.all("#rect-log li")], lambda found: len(found) == 3)
    assert re.fullmatch(r'\d\d:\d\d:\d\d\s+[a-z0-9]{6}\s+\{"data":45\}', rows[0])


def test_the_square_is_as_the_application_draws_it(page: Browser) -> None:
    """100×100 and blue; it takes 0.2 s to turn, or with the switch off no time."""
    page.find("tab-rect").click()
    square = page.find("square")
    assert (square.size, square.value_of_css_property("background-color")) == (
        {"width": 100, "height": 100},
        "rgba(42, 102, 207, 1)",
    )
    assert square.value_of_css_property("transition") == "transform 0.2s"
    page.find("transition").click()
    assert square.value_of_css_property("transition-duration") == "0s"


def test_what_is_no_angle_is_counted_and_shown(page: Browser, mqctl: Program) -> None:
    page.find("tab-rect").click()
    mqctl.run("publish", "rect", "7", "--bare")
    mqctl.run("publish", "rect", "--json-data", '"forty"')
    mqctl.run("publish", "rect", "--bare", "{broken")
    mqctl.run("publish", "rect", "--json-data", "[1, 2]")
    page.until_text("rect-tally", "4 messages")
    page.until_text("rect-tally", "3 not understood, the last: not a number of degrees")
    assert page.text("degrees") == "7°"
    assert page.all("#rect-log li.bad")[0].text.endswith("text, not a number: forty")


def test_an_array_is_drawn_as_bars_and_numbers_as_a_line(page: Browser, mqctl: Program) -> None:
    page.find("tab-chart").click()
    mqctl.run("publish", "chart", "3", "7", "12", "5", "18", "9", "4")
    page.until_text("chart-max", "18")
    assert page.text("chart-min") == "3"
    assert page.find("chart-paper").get_attribute("aria-label") == "Bar chart"
    page.until(lambda: coloured(page, "chart-paper", "--bars"), lambda share: 0.1 < share < 0.5)
    page.until_text("spoken", "7 bars: 3, 7, 12, 5, 18, 9, 4")
    mqctl.run("publish", "chart", "--each", "3", "-4", "8.5")
    page.until_text("chart-last", "8.5")
    assert (page.text("chart-min"), page.text("chart-max")) == ("-4", "8.5")
    assert page.find("chart-paper").get_attribute("aria-label") == "Line chart"
    page.until_text("chart-tally", "line · 4 messages")
    page.until(lambda: coloured(page, "chart-paper", "--accent"), lambda share: 0.0001 < share < 0.1)


@pytest.mark.parametrize("array", ["[]", "[0]", "[-1, -1]", "[1e300, -1e300]", json.dumps([1] * 5000)], ids=len)
def test_no_array_is_too_much_for_the_chart(page: Browser, mqctl: Program, array: str) -> None:
    page.find("tab-chart").click()
    mqctl.run("publish", "chart", "--json-data", array)
    mqctl.run("publish", "chart", "--json-data", "[1e301]")
    page.until_text("chart-tally", "1 not understood, the last: element 1 is too large")


def test_dots_are_where_their_producers_are(page: Browser, mqctl: Program) -> None:
    page.find("tab-dots").click()
    for who, x, y in (("a" * 12, 100, 50), ("b" * 12, 400, 250), ("a" * 12, 1200, -30)):
        mqctl.run("publish", "test.micomet", json.dumps({"x": x, "y": y, "producerId": who, "time": "2026-01-01"}))
    rows = page.until(lambda: [row.text for row in page.all("#dots-list li")], lambda found: "1200" in "".join(found))
    assert [row.split() for row in rows] == [["a" * 12, "1200,", "-30"], ["b" * 12, "400,", "250"]]
    page.until_text("dots-rate", "0")
    page.until_text("dots-tally", "3 messages")
    page.until(lambda: coloured(page, "dots-paper", "--dot1"))
    page.find("dots-clear").click()
    page.until_text("dots-tally", "0 messages")
    assert page.text("dots-count") == "0"
    assert page.until(lambda: coloured(page, "dots-paper", "--dot1") == 0)


@pytest.mark.parametrize(
    ("generator", "destination", "length"), [("rotate", "/topic/rect", 6), ("bars", "/topic/chart", 6),
                                             ("circle", "/topic/test.micomet", 12)],
)  # fmt: skip
def test_generators_publish_what_the_application_does(
    page: Browser, page_hub: HubThread, generator: str, destination: str, length: int
) -> None:
    """Seen by a subscriber over STOMP: the envelope, the values, and the period."""
    with listen(page_hub, destination) as subscriber:
        page.js("document.querySelector(`input[value=${arguments[0]}]`).click()", generator)
        assert page.find("period").get_attribute("value") == ("50" if generator == "circle" else "1000")
        write(page, "period", "20")
        page.find("generate-toggle").click()
        messages = [next_json(subscriber) for _ in range(5)]
        page.find("generate-toggle").click()
    (producer_id,) = {message.pop("producerId") for message in messages}
    assert len(producer_id) == length
    for message in messages:
        assert datetime.fromisoformat(message.pop("time" if generator == "circle" else "date")).tzinfo is UTC
    if generator == "rotate":
        assert messages == [{"data": angle} for angle in (50, 100, 150, 200, 250)]
    elif generator == "bars":
        assert all(len(message["data"]) == 7 and {*message["data"]} <= {*range(1, 21)} for message in messages)
    else:
        assert messages == [{"x": x, "y": y} for x, y in ((450, 250), (450, 253), (450, 257), (450, 260), (450, 264))]
    page.until_text("generate-tally", "rejected 0, unknown 0")
    assert page.text("generate-toggle") == "Start"


@pytest.mark.parametrize(
    ("sent_as", "typed", "arrives"),
    [
        ("json", '{"a": [1, null]}', b'{"a":[1,null]}'),
        ("text", "hello there", b"hello there"),
        ("text", MARKUP, MARKUP.encode()),
    ],
)
def test_what_is_typed_is_published(
    page: Browser, page_hub: HubThread, sent_as: str, typed: str, arrives: bytes
) -> None:
    with listen(page_hub, "/topic/a.b") as subscriber:
        write(page, "publish-topic", "a.b")
        write(page, "payload", typed)
        page.js("document.getElementById('format').value = arguments[0]", sent_as)
        page.all("#publish button")[0].click()
        assert subscriber.frame().body == arrives
        page.until_text("publish-result", "attempted 1, confirmed 1, rejected 0, unknown 0")


def test_the_envelope_of_what_is_typed(page: Browser, page_hub: HubThread) -> None:
    with listen(page_hub, "/topic/rect") as subscriber:
        page.js("document.getElementById('format').value = 'envelope'")
        page.all("#publish button")[0].click()
        message = next_json(subscriber)
    assert set(message) == {"producerId", "data", "date"}
    assert message["data"] == 45
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", message["date"])


@pytest.mark.parametrize(
    ("topic", "payload", "says"),
    [("a..b", "1", "a topic has no empty level"), ("a.*", "1", "one topic"), ("a", "{", "not JSON"),
     ("/meta/x", "1", "denied_by_security_policy")],
)  # fmt: skip
def test_what_cannot_be_published_says_why(page: Browser, topic: str, payload: str, says: str) -> None:
    write(page, "publish-topic", topic)
    write(page, "payload", payload)
    page.all("#publish button")[0].click()
    page.until_text("publish-result", says)


def test_what_arrives_is_listed_by_topic(page: Browser, mqctl: Program) -> None:
    """At first everything; a pattern of mqctl's matches what it does there, and a queue of the newest is kept."""
    mqctl.run("publish", "a.b", "first")
    assert "first" in page.until(lambda: [row.text for row in page.all("#console-log li")])[-1]
    write(page, "subscribe-topic", "a.**")
    page.all("#subscribe button")[0].click()
    page.find("clear-log").click()
    mqctl.run("publish", "a", "the head of the subtree")
    mqctl.run("publish", "b", "not this")
    mqctl.run("publish", "a.b.c", *map(str, range(300)))
    page.until_text("console-tally", "301 messages")
    rows = page.until(lambda: page.all("#console-log li"), lambda rows: rows and rows[-1].text.endswith("299"))
    assert len(rows) == 100
    assert rows[-1].text.split()[1:] == ["a.b.c", "299"]
    assert page.js("const log = document.getElementById('console-log'); return log.scrollTop > 100")
    write(page, "subscribe-topic", "a.*.c")
    page.all("#subscribe button")[0].click()
    page.until_text("subscribe-problem", "'*' is one level at the end")


def test_nothing_that_is_published_ends_the_connection(page: Browser, mqctl: Program) -> None:
    """Neither depth nor size, bytes that are no text, nor JSON that is no number of JavaScript's."""
    mqctl.run("publish", "rect", "--bare", "--lines", data=b"[" * 9000 + b"]" * 9000)
    mqctl.run("publish", "rect", "--bare", "--lines", data=b"1e999")
    mqctl.run("publish", "chart", "--bare", "--lines", data=b"[" + b"7," * 300_000 + b"7]")
    mqctl.run("publish", "other", "--file", "-", data=bytes(range(256)))
    page.until_text("console-tally", "4 messages")
    rows = page.until(
        lambda: [row.text.split(maxsplit=2) for row in page.all("#console-log li")], lambda found: len(found) == 4
    )
    assert rows[3][2] == "256 bytes that are no text"
    page.find("tab-chart").click()
    page.until_text("chart-tally", "the first 2000 bars of 300001")
    page.find("tab-rect").click()
    mqctl.run("publish", "rect", "9")
    page.until_text("degrees", "9°")


def test_payloads_are_never_markup(page: Browser, mqctl: Program) -> None:
    for topic in ("rect", "chart", "test.micomet", "other"):
        mqctl.run("publish", topic, "--json-data" if topic in ("rect", "chart") else "--", json.dumps(MARKUP))
    hostile = {"x": 1, "y": 2, "producerId": MARKUP, "time": MARKUP}
    mqctl.run("publish", "test.micomet", json.dumps(hostile))
    page.until_text("console-tally", "5 messages")
    page.until(lambda: any(MARKUP[:20] in row.text for row in page.all("#console-log li")))
    page.find("tab-dots").click()
    page.until(lambda: any(MARKUP in row.text for row in page.all("#dots-list li")))
    page.find("tab-rect").click()
    page.until(lambda: any(MARKUP[:20] in row.text for row in page.all("#rect-log li")))
    assert page.all("main img, main script") == []
    assert page.driver.title == "mqctl hub"


@pytest.mark.parametrize(
    ("tab", "topic", "generator"),
    [
        ("rect", "rect", "rotate"),
        ("chart", "chart", "sine"),
        ("dots", "test.micomet", "circle"),
        ("console", "x", "ramp"),
    ],
)
def test_a_flood_does_not_freeze_it(page: Browser, mqctl: Program, tab: str, topic: str, generator: str) -> None:
    """10,000 messages a second, each of them counted; what is drawn leaves time for whoever clicks."""
    page.find(f"tab-{tab}").click()
    page.js("""
        window.longest_ms = 0;
        let last_ms = performance.now();
        setInterval(() => {
            const now_ms = performance.now();
            window.longest_ms = Math.max(window.longest_ms, now_ms - last_ms);
            last_ms = now_ms;
        }, 10)""")
    flood = ("--generate", generator, "--rate", "10000", "--count", "20000")
    assert mqctl.run("publish", topic, *flood).code == 0
    page.until_text(f"{tab}-tally", "20,000 messages")
    assert page.js("return window.longest_ms") < 1000


def coloured(page: Browser, canvas: str, name: str) -> float:
    """The share of a drawing that has a colour of the style sheet."""
    return page.js(
        """
        const canvas = document.getElementById(arguments[0]);
        const copy = new OffscreenCanvas(canvas.width + 1, canvas.height);
        const pen = copy.getContext("2d", { willReadFrequently: true });
        pen.fillStyle = getComputedStyle(canvas).getPropertyValue(arguments[1]);
        pen.fillRect(canvas.width, 0, 1, 1);
        pen.drawImage(canvas, 0, 0);
        const wanted = new Uint32Array(pen.getImageData(canvas.width, 0, 1, 1).data.buffer)[0];
        const drawn = new Uint32Array(pen.getImageData(0, 0, canvas.width, canvas.height).data.buffer);
        return drawn.filter((each) => each === wanted).length / drawn.length;
        """,
        canvas,
        name,
    )
