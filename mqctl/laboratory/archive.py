"""Where runs are kept: a folder each, with the history and what was run where."""

from __future__ import annotations

import itertools
import json
import os
import platform
import sys
import time
from collections.abc import Mapping
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from mqctl import __version__
from mqctl.errors import UsageError

HISTORY: Final = "history.jsonl"
FACTS: Final = "run.json"
LIBRARIES: Final = ("stomp.py", "paho-mqtt", "websocket-client", "aiohttp", "msgspec")
SAME_SECOND_MAX: Final = 1000


class Folder:
    """The folder of one run.

    Attributes:
        path: Where it is.
        history: Where its history is.

    Args:
        parent: Where folders are kept; made if it is not there.
        name: Of the experiment.

    Raises:
        UsageError: It cannot be made.
    """

    def __init__(self, parent: Path, name: str) -> None:
        stamp = datetime.now().astimezone().strftime("%Y%m%dT%H%M%S")
        try:
            self.path = _fresh(parent, f"{stamp}-{name}")
        except OSError as error:
            raise UsageError(
                f"no folder for runs can be made in {parent}: {error.strerror}", hint="choose one with --run-dir"
            ) from error
        self.history = self.path / HISTORY
        self._facts: dict[str, Any] = {}

    def note(self, **facts: Any) -> None:
        """Keep facts about the run, beside those that are there; the file is whole at any time."""
        self._facts |= facts
        draft = self.path / f".{FACTS}"
        draft.write_text(json.dumps(self._facts, indent=2, ensure_ascii=False, default=str) + "\n", encoding="utf-8")
        draft.replace(self.path / FACTS)


def _fresh(parent: Path, name: str) -> Path:
    for number in itertools.count(1):
        path = parent / (name if number == 1 else f"{name}.{number}")
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            if number < SAME_SECOND_MAX:
                continue
            raise
        return path
    raise AssertionError("numbers do not end")


def versions() -> Mapping[str, str]:
    """Of what had a part in it."""
    return {
        "mqctl": __version__,
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in LIBRARIES},
    }


def host() -> Mapping[str, Any]:
    """The machine, and what it had to do already."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "load": [round(each, 2) for each in os.getloadavg()],
        "switch_interval_s": sys.getswitchinterval(),
    }


def clock() -> Mapping[str, Any]:
    """The clock that all times of a history are by, and what it showed when the epoch's clock showed that."""
    info = time.get_clock_info("monotonic")
    return {
        "name": info.implementation,
        "resolution_s": info.resolution,
        "at_ns": time.monotonic_ns(),
        "epoch_ns": time.time_ns(),
    }
