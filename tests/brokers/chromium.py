"""Chromium, with what drives it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

from tests.brokers.files import NotInstalled


class Chromium(NamedTuple):
    """Where the two programs are."""

    browser: Path
    driver: Path


def installed() -> Chromium:
    """The browser of this machine.

    Raises:
        NotInstalled: It, or its driver, is missing.
    """
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        raise NotInstalled("chromium or chromedriver is not installed: run `make brokers`")
    return Chromium(Path(browser), Path(driver))
