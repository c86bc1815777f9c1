"""The hub's page for everybody: by keyboard, with a screen reader, on a small screen, in the dark, without motion."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from mqctl.hub.thread import HubThread
from tests.brokers.program import Program
from tests.interop.browser import Browser

pytestmark = pytest.mark.broker("chromium")

TABS = ("console", "rect", "chart", "dots")


@pytest.fixture
def tuned(window: Browser) -> Iterator[Browser]:
    """The browser, of which a test may change what it is like."""
    yield window
    window.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    prefer(window)


def prefer(window: Browser, **features: str) -> None:
    """What the user prefers, as style sheets ask for it."""
    media = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
    window.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})


def press(window: Browser, *keys: str) -> None:
    ActionChains(window.driver).send_keys(*keys).perform()


def focused(window: Browser) -> str:
    return window.js("const at = document.activeElement; return at.id || at.value || at.textContent")


def fill(page: Browser, mqctl: Program) -> None:
    """Something in every view, all of it long."""
    mqctl.run("publish", "rect", "--json-data", json.dumps("long" * 100))
    mqctl.run("publish", "rect", "123456.789")
    mqctl.run("publish", "chart", "123456.789", "-1e250")
    mqctl.run("publish", "test.micomet", json.dumps({"x": 1e7, "y": 2, "producerId": "w" * 80}))
    mqctl.run("publish", "a" * 120, "b" * 300)
    page.until_text("console-tally", "5 messages")


def test_tabs_by_keyboard(page: Browser) -> None:
    """One stop of the Tab key, arrows and Home and End between them, and then the panel."""
    press(page, Keys.TAB, Keys.TAB)
    assert focused(page) == "tab-console"
    for key, name in ((Keys.ARROW_RIGHT, "rect"), (Keys.END, "dots"), (Keys.ARROW_RIGHT, "console"),
                      (Keys.ARROW_LEFT, "dots"), (Keys.HOME, "console"), (Keys.ARROW_RIGHT, "rect")):  # fmt: skip
        press(page, key)
        assert focused(page) == f"tab-{name}"
        shown = [each for each in TABS if page.find(each).is_displayed()]
        assert shown == [name]
        assert [tab.get_attribute("aria-selected") for tab in page.all("[role=tab]")] == [
            str(each == name).lower() for each in TABS
        ]
    press(page, Keys.TAB)
    assert focused(page) == "rect"
    press(page, Keys.TAB)
    assert focused(page) == "transition"
    press(page, Keys.SPACE)
    assert not page.find("transition").is_selected()


def test_everything_of_the_console_is_reached_by_keyboard(page: Browser) -> None:
    """And what is focused shows it."""
    press(page, Keys.TAB)
    reached = []
    for _ in range(16):
        press(page, Keys.TAB)
        reached.append(focused(page))
        outline = page.js("""
            const at = document.activeElement;
            const shown = at.type === "radio" ? at.nextElementSibling : at;
            return getComputedStyle(shown).outlineStyle + getComputedStyle(shown).outlineWidth""")
        assert outline == "solid3px", reached
        if reached[-1] == "console-log":
            break
    assert reached == [
        *("tab-console", "console", "rotate", "period", "generate-toggle", "publish-topic", "payload", "format"),
        *("Publish", "subscribe-topic", "Subscribe", "clear-log", "console-log"),
    ]


def test_publishing_by_keyboard_alone(page: Browser) -> None:
    page.find("payload").send_keys(Keys.CONTROL, Keys.ENTER)
    page.until_text("publish-result", "confirmed 1")


def test_the_address_remembers_the_tab(page: Browser) -> None:
    page.find("tab-chart").click()
    assert page.driver.current_url.endswith("#chart")
    page.driver.refresh()
    page.until_text("state-text", "connected over")
    assert page.find("chart").is_displayed()
    assert not page.find("console").is_displayed()


def test_everything_has_a_name_and_a_role(page: Browser) -> None:
    """What a screen reader is given, as the browser computes it."""
    for name in TABS:
        page.find(f"tab-{name}").click()
        assert page.find(name).accessible_name.lower() == name
        assert page.find(name).aria_role == "tabpanel"
        for each in page.all(f"#{name} :is(input, select, textarea, button, canvas, [role=img], [tabindex])"):
            assert each.accessible_name, each.get_attribute("outerHTML")
    assert [each.aria_role for each in page.all(".tabs, .tabs button")] == ["tablist", *["tab"] * 4]
    assert page.find("state").aria_role == "status"
    page.find("tab-rect").click()
    assert page.find("transition").aria_role == "switch"
    assert page.find("transport").accessible_name == "Transport"
    assert page.all("html[lang=en]")
    ids = [each.get_attribute("id") for each in page.all("[id]")]
    assert len(ids) == len(set(ids))
    for name in ("aria-controls", "aria-labelledby", "aria-describedby"):
        assert {each.get_attribute(name) for each in page.all(f"[{name}]")} <= {*ids}


def test_a_flood_is_not_read_out(page: Browser, mqctl: Program) -> None:
    """Lists are not live; what is said is said now and then, and only of the view that is seen."""
    assert [each.get_attribute("id") for each in page.all("[aria-live]")] == ["spoken"]
    assert [each.get_attribute("id") for each in page.all("[role=log], [role=timer], [role=marquee]")] == []
    page.find("tab-rect").click()
    page.js("""
        window.said = 0;
        new MutationObserver(() => (window.said += 1)).observe(document.getElementById("spoken"), {childList: true})""")
    mqctl.run("publish", "rect", "--generate", "rotate", "--rate", "50", "--count", "100")
    mqctl.run("publish", "chart", "1", "2")
    page.until_text("rect-tally", "100 messages")
    page.until_text("spoken", "turned to 270°")
    assert page.js("return window.said") <= 3


@pytest.mark.parametrize("name", TABS)
def test_no_sideways_scrolling_on_a_small_screen(
    tuned: Browser, page_hub: HubThread, mqctl: Program, name: str
) -> None:
    """320 pixels, as WCAG 2.2, 1.4.10 has it."""
    metrics = {"width": 320, "height": 640, "deviceScaleFactor": 1, "mobile": False}
    tuned.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    tuned.visit(page_hub)
    fill(tuned, mqctl)
    tuned.find(f"tab-{name}").click()
    assert tuned.js("const all = document.documentElement; return all.scrollWidth - all.clientWidth") == 0
    wide = tuned.js("""return [...document.querySelectorAll("body *")].filter((each) =>
        each.checkVisibility() && !each.closest(".unseen, legend") && each.getBoundingClientRect().right > innerWidth)
        .map((each) => each.outerHTML.slice(0, 80))""")
    assert wide == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_written_can_be_read(tuned: Browser, page_hub: HubThread, mqctl: Program, scheme: str) -> None:
    """A contrast of 4.5 to 1 at least (WCAG 2.2, 1.4.3), also of the texts in drawings."""
    prefer(tuned, prefers_color_scheme=scheme)
    tuned.visit(page_hub)
    fill(tuned, mqctl)
    background = rgb(tuned.js("return getComputedStyle(document.body).backgroundColor"))
    assert (luminance(background) < 0.1) == (scheme == "dark")
    for name in TABS:
        tuned.find(f"tab-{name}").click()
        texts = tuned.js(TEXTS)
        assert len(texts) > 5
        for text, ink, paper in texts:
            assert contrast(rgb(ink), rgb(paper)) >= 4.5, (name, text, ink, paper)
    for ink in ("ink", "faint"):
        colours = tuned.js(f"""
            const probe = document.createElement("i");
            document.body.append(probe);
            return ["{ink}", "card"].map((name) => {{
                probe.style.color = `var(--${{name}})`;
                return getComputedStyle(probe).color;
            }})""")
        assert contrast(*map(rgb, colours)) >= 4.5


def test_who_wants_no_motion_gets_none(tuned: Browser, page_hub: HubThread) -> None:
    prefer(tuned, prefers_reduced_motion="reduce")
    tuned.visit(page_hub, "#rect")
    assert not tuned.find("transition").is_selected()
    assert tuned.find("square").value_of_css_property("transition-duration") == "0s"


TEXTS = """
    const paperOf = (element) => {
        for (let each = element; each; each = each.parentElement) {
            const colour = getComputedStyle(each).backgroundColor;
            if (colour !== "rgba(0, 0, 0, 0)") return colour;
        }
    };
    const square = document.getElementById("square");
    return [...document.querySelectorAll("body *")]
        .filter((each) => each.checkVisibility() && !each.closest(".unseen, option"))
        .filter((each) => each.matches("input:not([type=checkbox]), select, textarea") ||
            [...each.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim()))
        .map((each) => [each.textContent.trim().slice(0, 40), getComputedStyle(each).color,
            paperOf(each.id === "degrees" ? square : each)]);
"""


def rgb(text: str) -> list[float]:
    return [float(part) / 255 for part in text[text.index("(") + 1 : -1].split(",")[:3]]


def luminance(colour: list[float]) -> float:
    """As WCAG 2.2 defines it."""
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True))


def contrast(*colours: Any) -> float:
    dark, light = sorted(map(luminance, colours))
    return (light + 0.05) / (dark + 0.05)
