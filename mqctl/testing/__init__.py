"""For authors of transports, and for tests against mqctl. Loaded by name, so that the pytest plugin stays light."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mqctl.testing.actors import Consumer, Producer
    from mqctl.testing.contract import AdapterContract, Link, Recorder, Subject, fresh_topic
    from mqctl.testing.history import History
    from mqctl.testing.offers import lacking
    from mqctl.testing.verdict import Inconclusive, assert_history
    from mqctl.testing.workbench import Connections, Proxies

__all__ = [
    "AdapterContract",
    "Connections",
    "Consumer",
    "History",
    "Inconclusive",
    "Link",
    "Producer",
    "Proxies",
    "Recorder",
    "Subject",
    "assert_history",
    "fresh_topic",
    "lacking",
]

_HOMES = {
    "Connections": "workbench",
    "Consumer": "actors",
    "History": "history",
    "Inconclusive": "verdict",
    "Link": "link",
    "Producer": "actors",
    "Proxies": "workbench",
    "Recorder": "recorder",
    "assert_history": "verdict",
    "lacking": "offers",
}
"""What is not in `contract`, which brings pytest and all laws with it."""


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"mqctl.testing.{_HOMES.get(name, 'contract')}"), name)
