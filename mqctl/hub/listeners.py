"""Whoever else wants to hear what a hub tells: functions of other packages, found by their entry points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import metadata
from typing import cast

from mqctl.errors import PluginError
from mqctl.hub.events import HubEvent

GROUP = "mqctl.hub_listeners.v1"
"""Entry points of this group are called with each event, in the hub's own thread: what they do has to be quick."""

Listener = Callable[[HubEvent], None]


def installed() -> list[Listener]:
    """All that are installed, in the order of their names.

    Raises:
        PluginError: One does not load.
    """
    points = sorted(metadata.entry_points(group=GROUP), key=lambda point: point.name)
    return [_load(point) for point in points]


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


def _load(point: metadata.EntryPoint) -> Listener:
    try:
        return cast("Listener", point.load())
    except Exception as error:
        raise PluginError(
            f"the listener {point.name} does not load: {type(error).__name__}: {error}",
            hint=f"it comes from {point.dist.name if point.dist else point.value}; update or uninstall that package",
        ) from error
