"""The brokers that are up during a run of tests."""

from __future__ import annotations

import contextlib

from tests.brokers.launch import launch
from tests.brokers.process import Broker, BrokerFailed


class Fleet:
    """Starts each broker at its first use. One that could not be started twice is given up: a try takes a minute."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self._known: dict[str, Broker | BrokerFailed] = {}

    def get(self, name: str) -> Broker:
        """The broker, up.

        Raises:
            BrokerFailed: It did not start.
        """
        if name not in self._known:
            self._known[name] = self._started(name)
        known = self._known[name]
        if isinstance(known, BrokerFailed):
            raise known
        if not known.alive:
            known.restart()
        return known

    def _started(self, name: str) -> Broker | BrokerFailed:
        """Up at the first try or the second, for which a port that somebody else just took is another one."""
        failure = BrokerFailed(name)
        for _ in range(2):
            try:
                return self._stack.enter_context(launch(name))
            except BrokerFailed as error:
                failure = error
        return failure
