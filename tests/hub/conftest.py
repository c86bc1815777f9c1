"""Hubs to test against: each on a free port, in a thread, watched."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, TypeVar

import pytest

from mqctl.broker import BrokerStats
from mqctl.hub.config import HubConfig
from mqctl.hub.events import HubEvent, MessagesDropped
from mqctl.hub.thread import HubThread
from mqctl.target import Endpoint
from tests.hub.client import PATIENCE_S, Client
from tests.hub.web_client import WebClient

Event = TypeVar("Event", bound=HubEvent)


class Events:
    """What a hub told, to be waited for."""

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.RLock())
        self._all: list[HubEvent] = []

    def __call__(self, event: HubEvent) -> None:
        with self._changed:
            self._all.append(event)
            self._changed.notify_all()

    def of(self, kind: type[Event]) -> list[Event]:
        """All of a kind so far."""
        with self._changed:
            return [event for event in self._all if isinstance(event, kind)]

    def wait(self, kind: type[Event], count: int = 1, timeout_s: float = PATIENCE_S) -> list[Event]:
        """The events of a kind, once there are that many."""
        with self._changed:
            there = self._changed.wait_for(lambda: len(self.of(kind)) >= count, timeout_s)
            assert there, f"{count} of {kind.__name__} did not come, but {self._all}"
            return self.of(kind)

    def dropped(self, count: int) -> set[tuple[str, str]]:
        """Where and why, once that many messages are told to be dropped; drops are told in sums."""
        with self._changed:
            there = self._changed.wait_for(lambda: sum(drop.count for drop in self.of(MessagesDropped)) >= count,
                                           PATIENCE_S)  # fmt: skip
            assert there, f"{count} drops did not come, but {self.of(MessagesDropped)}"
            assert sum(drop.count for drop in self.of(MessagesDropped)) == count
            return {(drop.destination, drop.reason) for drop in self.of(MessagesDropped)}


CLIENTS = {"tcp": Client, "web-socket": WebClient}

either_way = pytest.mark.parametrize("via", list(CLIENTS), indirect=True)
"""For tests of what holds over TCP and over WebSocket."""


class TestHub:
    """A hub, its events, its clients, and the bugs that its loop reported.

    Args:
        via: What `client` connects by, a key of `CLIENTS`.
        settings: Of `HubConfig`.
    """

    __test__ = False

    def __init__(self, via: str = "tcp", **settings: Any) -> None:
        self.via = via
        self.events = Events()
        self.bugs: list[dict[str, Any]] = []
        self.stack = ExitStack()
        listener = "stomp" if via == "tcp" else "http"
        defaults = {"stomp": (), listener: (Endpoint("127.0.0.1", 0),), "drain_s": 2.0, "on_event": self.events}
        self.thread = HubThread(HubConfig(**{**defaults, **settings}))
        self.thread.__enter__()
        self.endpoint = self.thread.endpoint
        self.thread.ask(lambda hub: hub.exchange.loop.set_exception_handler(lambda _, what: self.bugs.append(what)))

    def client(self, version: str = "1.2", *, connect: bool = True, **headers: str) -> Client:
        """A client, closed after the test."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.stack.enter_context(CLIENTS[self.via](self.endpoint, version, connect=connect, headers=names))

    @property
    def stats(self) -> BrokerStats:
        """The broker's counts."""
        return self.thread.ask(lambda hub: hub.exchange.broker.stats())

    def until(self, holds: Callable[[BrokerStats], bool]) -> BrokerStats:
        """The counts, once something holds of them."""
        end_s = time.monotonic() + PATIENCE_S
        while not holds(stats := self.stats):
            assert time.monotonic() < end_s, stats
        return stats

    def until_stopping(self) -> None:
        """Return when the hub has been told to stop and listens no more."""
        end_s = time.monotonic() + PATIENCE_S
        while self.thread.ask(lambda hub: any(server.is_serving() for server in hub._servers)):
            assert time.monotonic() < end_s

    def close(self) -> None:
        """Stop, and see that the loop had nothing to complain of."""
        self.stack.close()
        self.thread.stop()
        assert not self.bugs, self.bugs


@pytest.fixture
def via(request: pytest.FixtureRequest) -> str:
    """What the hub's clients connect by; see `either_way`."""
    return getattr(request, "param", "tcp")


@pytest.fixture
def start(via: str) -> Iterator[Callable[..., TestHub]]:
    """Starts hubs with settings of `HubConfig`."""
    hubs: list[TestHub] = []

    def start(**settings: Any) -> TestHub:
        hubs.append(TestHub(via, **settings))
        return hubs[-1]

    yield start
    for hub in hubs:
        hub.close()


@pytest.fixture
def hub(start: Callable[..., TestHub]) -> TestHub:
    """A hub as it is by default."""
    return start()
