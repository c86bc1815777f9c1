"""What is asked of a broker, and when each publisher sends what.

Open loop: every message has its time on a fixed schedule, whatever became of those before it. Publishers take turns, so
that the total is even. Closed loop: the next message goes out when there is room for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

NS_PER_S = 1_000_000_000

OVERTIME_S = 5.0
"""How long after the end of its time an open loop still sends what it is late with. The rest is never sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How much is sent, by how many, to how many.

    `rate` is in messages per second of all publishers together; None is a closed loop, in which each publisher has at
    most `in_flight` messages unconfirmed. The run is `count` messages or `duration_s` long, after the warm-up. `run` is
    stamped on every message. With `shared`, the subscribers share the messages.
    """

    run: int
    publishers: int
    subscribers: int
    rate: float | None
    size: int
    warmup_s: float
    duration_s: float | None
    count: int | None
    in_flight: int
    shared: bool

    @property
    def warmup_ns(self) -> int:
        """How long the warm-up is."""
        return round(self.warmup_s * NS_PER_S)

    @property
    def warmup_messages(self) -> int:
        """How many messages of an open loop are due before measuring begins; 0 for a closed loop."""
        return _due_within(self.warmup_s, self.rate or 0.0)

    @property
    def planned(self) -> int | None:
        """How many messages an open loop has to send, those of the warm-up too; None for a closed loop."""
        if self.rate is None:
            return None
        if self.count is not None:
            return self.warmup_messages + self.count
        return _due_within(self.warmup_s + (self.duration_s or 0.0), self.rate)

    @property
    def due_per_message(self) -> int:
        """How many deliveries one message leads to."""
        return min(self.subscribers, 1) if self.shared else self.subscribers


class Due(NamedTuple):
    """When the next message is to go out, and whether it is measured or of the warm-up."""

    at_ns: int
    measured: bool


Schedule = Callable[[int], Due | None]
"""Asked at a time, what is next; None at the end. Each answer is given once."""


def schedule_of(load: Load, publisher: int, start_ns: int) -> Schedule:
    """What one publisher sends, from `start_ns` on.

    Args:
        load: Of the whole run.
        publisher: Its number, from 0.
        start_ns: The same for all publishers.
    """
    return (_closed_loop if load.rate is None else _open_loop)(load, publisher, start_ns)


def _open_loop(load: Load, publisher: int, start_ns: int) -> Schedule:
    assert load.rate is not None
    assert load.planned is not None
    warm = load.warmup_messages
    ns_per_message = NS_PER_S / load.rate
    turns = iter(range(publisher, load.planned, load.publishers))
    until_ns = math.inf
    if load.duration_s is not None:
        until_ns = start_ns + (load.warmup_s + load.duration_s + OVERTIME_S) * NS_PER_S

    def due(now_ns: int) -> Due | None:
        turn = next(turns, None)
        if turn is None or now_ns > until_ns:
            return None
        return Due(start_ns + round(turn * ns_per_message), turn >= warm)

    return due


def _due_within(seconds: float, rate: float) -> int:
    """How many messages have their times before that, the first of them at once."""
    # 1.1 × 10 is a little more than 11 in floating point, and no message more.
    return math.ceil(seconds * rate * (1 - 1e-12))


def _closed_loop(load: Load, publisher: int, start_ns: int) -> Schedule:
    from_ns = start_ns + load.warmup_ns
    until_ns = math.inf if load.duration_s is None else from_ns + load.duration_s * NS_PER_S
    measured = iter(range(publisher, load.count, load.publishers)) if load.count is not None else None

    def due(now_ns: int) -> Due | None:
        at_ns = max(now_ns, start_ns)
        if at_ns < from_ns:
            return Due(at_ns, measured=False)
        if at_ns >= until_ns or (measured is not None and next(measured, None) is None):
            return None
        return Due(at_ns, measured=True)

    return due
