"""The brokers that are up during a run of tests."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from tests.brokers.launch import launch
from tests.brokers.process import Broker, BrokerFailed


class Fleet:
    """Starts each broker at its first use. One that could not be started twice is given up: a try takes a minute."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self._known: dict[tuple[object, ...], Broker | BrokerFailed] = {}

    def get(self, name: str, **settings: Any) -> Broker:
        """The broker, up; `settings` as `launch` has them.

        Raises:
            BrokerFailed: It did not start.
        """
        key = (name, *sorted(settings.items()))
        if key not in self._known:
            self._known[key] = self._started(name, settings)
        known = self._known[key]
        if isinstance(known, BrokerFailed):
            raise known
        if not known.alive:
            known.restart()
        return known

    def _started(self, name: str, settings: Mapping[str, Any]) -> Broker | BrokerFailed:
        """Up at the first try or the second, for which a port that somebody else just took is another one."""
        failure = BrokerFailed(name)
        for _ in range(2):
            try:
                return self._stack.enter_context(launch(name, **settings))
            except BrokerFailed as error:
                failure = error
        return failure
