"""When to try again after a connection was lost, and when to give up. No clock and no sleep in here.

The pauses grow by a factor and are drawn between nothing and their ceiling ("full jitter"), so that the clients of a
broker that comes back do not come back all at once.
"""

from __future__ import annotations

import random
from typing import NamedTuple

_NS = 1_000_000_000
_EXPONENT_MAX = 64


class Policy(NamedTuple):
    """How long and how often to try, in seconds. `within_s` inf is for ever, 0 is never.

    `first_s` is the ceiling of the first pause, `pause_max_s` that of all. A connection that did not last `steady_s`
    did not end the outage: pauses go on growing, and the time goes on.
    """

    within_s: float
    pause_max_s: float
    first_s: float = 0.25
    factor: float = 2.0
    steady_s: float = 2.0

    def ceiling_s(self, tries: int) -> float:
        """The longest pause after so many tries."""
        # The power alone would leave the floats behind.
        return min(self.pause_max_s, self.first_s * self.factor ** min(tries, _EXPONENT_MAX))


class Backoff:
    """The course of one connection's outages. Times are CLOCK_MONOTONIC, in nanoseconds.

    Args:
        policy: What to keep to.
        rng: Draws the pauses.
    """

    def __init__(self, policy: Policy, rng: random.Random) -> None:
        self._policy = policy
        self._rng = rng
        self._tries = 0
        self._since_ns = 0
        self._resumed_ns: int | None = None

    def lost(self, now_ns: int) -> None:
        """The connection went away."""
        steady_ns = self._policy.steady_s * _NS
        if self._resumed_ns is None or now_ns - self._resumed_ns >= steady_ns:
            self._tries, self._since_ns = 0, now_ns

    def resumed(self, now_ns: int) -> None:
        """There is a connection again."""
        self._resumed_ns = now_ns

    def left_s(self, now_ns: int) -> float:
        """How much of the time to try in is left."""
        return self._policy.within_s - (now_ns - self._since_ns) / _NS

    def pause_s(self, now_ns: int) -> float | None:
        """How long to wait before the next try, which this counts; None to give up. The last one ends on time."""
        left_s = self.left_s(now_ns)
        if left_s <= 0:
            return None
        ceiling_s = self._policy.ceiling_s(self._tries)
        self._tries += 1
        return min(self._rng.uniform(0, ceiling_s), left_s)
