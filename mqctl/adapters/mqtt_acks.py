"""Acknowledgements of received messages, in the order in which these came (MQTT 3.1.1, 4.6)."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from itertools import takewhile

from mqctl.errors import UsageError
from mqctl.model import AckMode, AckToken, SubscriptionId


class Arrival:
    """A message of QoS 1 or 2 that came. Equal to nothing but itself, so that a packet's id may be used again."""

    __slots__ = ("done", "mid", "qos")

    def __init__(self, mid: int, qos: int) -> None:
        self.mid = mid
        self.qos = qos
        self.done = False


class Ledger:
    """The messages of a connection that are not acknowledged. One that is done waits for all that came before it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._arrivals: deque[Arrival] = deque()
        self._modes: dict[SubscriptionId, AckMode] = {}
        self._waiting: dict[SubscriptionId, dict[Arrival, None]] = {}

    def begin(self, subscription: SubscriptionId, mode: AckMode) -> None:
        """A subscription starts."""
        with self._lock:
            self._modes[subscription] = mode
            self._waiting[subscription] = {}

    def end(self, subscription: SubscriptionId) -> None:
        """A subscription is over: what it had not acknowledged stays so, and holds up nothing any more."""
        with self._lock:
            self._modes.pop(subscription, None)
            given_up = self._waiting.pop(subscription, {})
            if given_up:
                self._arrivals = deque(arrival for arrival in self._arrivals if arrival not in given_up)

    def add(self, mid: int, qos: int) -> Arrival:
        """A message came."""
        arrival = Arrival(mid, qos)
        with self._lock:
            self._arrivals.append(arrival)
        return arrival

    def token(self, subscription: SubscriptionId, arrival: Arrival) -> AckToken | None:
        """The token of a message; None where nobody can acknowledge it, because the subscription just ended."""
        with self._lock:
            waiting = self._waiting.get(subscription)
            if waiting is None:
                return None
            waiting[arrival] = None
        return AckToken(subscription, arrival)

    def use(self, token: AckToken) -> list[tuple[int, int]]:
        """Take back a token, and in client mode all earlier ones.

        Returns:
            What is to be acknowledged now, in this order: packet ids with their quality of service.

        Raises:
            UsageError: It is not one of ours, or not any more.
        """
        with self._lock:
            waiting = self._waiting.get(token.subscription, {})
            arrival = token.native
            if not isinstance(arrival, Arrival) or arrival not in waiting:
                raise UsageError("this message was acknowledged before, or came over another connection")
            covered = [arrival]
            if self._modes[token.subscription] is AckMode.CLIENT:
                covered = [*takewhile(lambda each: each is not arrival, waiting), arrival]
            for each in covered:
                del waiting[each]
            return self._done(covered)

    def settle(self, arrivals: Iterable[Arrival]) -> list[tuple[int, int]]:
        """These are done without a token; what is to be acknowledged now, as of `use`."""
        with self._lock:
            return self._done(arrivals)

    def _done(self, arrivals: Iterable[Arrival]) -> list[tuple[int, int]]:
        for arrival in arrivals:
            arrival.done = True
        ready: list[tuple[int, int]] = []
        while self._arrivals and self._arrivals[0].done:
            arrival = self._arrivals.popleft()
            ready.append((arrival.mid, arrival.qos))
        return ready
