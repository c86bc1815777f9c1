"""Pictures kept as plain text: run the tests with MQCTL_UPDATE_GOLDENS=1 to draw them anew, and look at the diff."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "golden"


def check(name: str, picture: str) -> None:
    """Compare with `tests/golden/<name>.txt`."""
    file = FOLDER / f"{name}.txt"
    if os.environ.get("MQCTL_UPDATE_GOLDENS"):
        file.write_text(picture + "\n", encoding="utf-8")
    assert picture + "\n" == file.read_text(encoding="utf-8")
