"""For authors of transports, and for tests against mqctl. Loaded by name, so that the pytest plugin stays light."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mqctl.testing.contract import AdapterContract, Link, Recorder, Subject, fresh_topic

__all__ = ["AdapterContract", "Link", "Recorder", "Subject", "fresh_topic"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from mqctl.testing import contract

    return getattr(contract, name)
