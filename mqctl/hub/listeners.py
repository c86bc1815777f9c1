"""Whoever else listens to a hub: functions and objects of other packages, found by their entry points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import metadata
from typing import Any, NamedTuple

from mqctl.errors import PluginError
from mqctl.hub.events import HubEvent
from mqctl.hub.services import Service

GROUP = "mqctl.hub_listeners.v1"
"""Entry points of this group are called in the hub's own thread: what they do has to be quick."""

Listener = Callable[[HubEvent], None]


class Installed(NamedTuple):
    """What other packages have for a hub."""

    listeners: list[Listener]
    """Called with each event."""
    services: list[Service]
    """Called with each message to `/service/**`."""


def installed() -> Installed:
    """All that is installed, in the order of the names.

    Raises:
        PluginError: One does not load, or can neither be called nor has `on_service`.
    """
    points = sorted(metadata.entry_points(group=GROUP), key=lambda point: point.name)
    found = [_load(point) for point in points]
    return Installed(
        [each for each in found if callable(each)],
        [each.on_service for each in found if hasattr(each, "on_service")],
    )


def together(listeners: Sequence[Listener]) -> Listener:
    """One listener that hands on to several; where one fails the others still hear."""

    def tell(event: HubEvent) -> None:
        failures = []
        for listener in listeners:
            try:
                listener(event)
            except Exception as error:  # noqa: BLE001 - whose it is nobody knows here
                failures.append(error)
        if failures:
            raise ExceptionGroup("listeners to the hub failed", failures)

    return tell


def _load(point: metadata.EntryPoint) -> Any:
    try:
        loaded = point.load()
        found = loaded() if isinstance(loaded, type) else loaded
        if not callable(found) and not hasattr(found, "on_service"):
            raise TypeError("it can neither be called nor has it on_service")
    except Exception as error:
        raise PluginError(
            f"the listener {point.name} does not load: {type(error).__name__}: {error}",
            hint=f"it comes from {point.dist.name if point.dist else point.value}; update or uninstall that package",
        ) from error
    return found
