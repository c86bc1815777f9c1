"""The page with pictures that lies beside the history of a run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from mqctl.experiments.check import Report
from mqctl.experiments.history import Reader
from mqctl.experiments.html import page
from mqctl.experiments.scene import scene

REPORT: Final = "report.html"


def illustrate(history: Path, report: Report, doubts: Iterable[str] = (), expected: str = "") -> Path:
    """Write the page of a run into its folder.

    Args:
        history: Of the run.
        report: What it proves.
        doubts: What else speaks against it.
        expected: What is known to happen at such a broker, in words.
    """
    with history.open("rb") as file:
        text = page(report, scene(Reader(file, str(history)), report), doubts, expected)
    path = history.with_name(REPORT)
    path.write_text(text, encoding="utf-8")
    return path
