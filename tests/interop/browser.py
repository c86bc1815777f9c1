"""A headless Chromium, and what tests ask of the hub's page in it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from mqctl.hub.thread import HubThread
from tests.brokers import chromium

PATIENCE_S = 10.0
T = TypeVar("T")


class Browser:
    """One window."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def find(self, name: str) -> WebElement:
        """The element of an id."""
        return self.driver.find_element(By.ID, name)

    def all(self, selector: str) -> list[WebElement]:
        """The elements of a CSS selector."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def js(self, script: str, *arguments: Any) -> Any:
        """What a script returns."""
        return self.driver.execute_script(script, *arguments)

    def text(self, name: str) -> str:
        """What an element says, seen or not."""
        return self.js("return document.getElementById(arguments[0]).textContent.trim()", name)

    def until(self, ask: Callable[[], T], wanted: Callable[[T], object] = bool, within_s: float = PATIENCE_S) -> T:
        """Ask until the answer is as wanted."""
        seen: list[T] = []

        def look(_: Chrome) -> bool:
            seen[:] = [ask()]
            return bool(wanted(seen[0]))

        with contextlib.suppress(Exception):
            WebDriverWait(self.driver, within_s, poll_frequency=0.05).until(look)
        assert seen, "the page does not answer"
        assert wanted(seen[0]), seen[0]
        return seen[0]

    def until_text(self, name: str, part: str) -> str:
        """Wait until an element says something."""
        return self.until(lambda: self.text(name), lambda text: part in text)

    def visit(self, hub: HubThread, address: str = "", state: str = "connected over") -> None:
        """Open the page of a hub anew, and wait until it says how it is connected."""
        endpoint = hub.ask(lambda running: running.endpoints[-1])
        self.driver.get("about:blank")
        self.complaints()
        self.driver.get(f"http://{endpoint}/{address}")
        self.until_text("state-text", state)

    def complaints(self) -> list[str]:
        """What the browser wrote into its console since the last call: errors, and what the policy stopped."""
        return [entry["message"] for entry in self.driver.get_log("browser")]


@contextlib.contextmanager
def browser(*, width: int = 1200, height: int = 900) -> Iterator[Browser]:
    """A browser with an empty profile; root may not have a sandbox."""
    found = chromium.installed()
    options = ChromeOptions()
    options.binary_location = str(found.browser)
    for argument in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "no-first-run", "disable-gpu"):
        options.add_argument(f"--{argument}")
    options.add_argument(f"--window-size={width},{height}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options=options, service=Service(str(found.driver)))
    try:
        yield Browser(driver)
    finally:
        driver.quit()
