"""Messages that wait: the entries, their order, their bounds and the memory they hold."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import Final, Literal

from mqctl.broker.values import Message


@dataclass(slots=True, eq=False)
class Entry:
    """A message on its way to a subscriber. `position` is its place in the order of its source."""

    message: Message
    position: int
    deliveries: int = 0
    refusals: int = 0


class Budget:
    """The memory of all held messages, each counted once however many hold it."""

    __slots__ = ("limit_bytes", "used_bytes")

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = 0

    def admits(self, message: Message) -> bool:
        """Whether one more holder of `message` keeps within the limit."""
        return message.holds > 0 or self.used_bytes + message.cost_bytes <= self.limit_bytes

    def take(self, message: Message) -> None:
        """Count one more holder."""
        if not message.holds:
            self.used_bytes += message.cost_bytes
        message.holds += 1

    def give(self, message: Message) -> None:
        """Count one holder less."""
        message.holds -= 1
        if not message.holds:
            self.used_bytes -= message.cost_bytes


_NONE: Final[deque[Entry]] = deque(maxlen=0)
"""Where nothing ever waited: a deque of its own is most of what an idle subscription takes."""


class Backlog:
    """Entries that wait, oldest first; what came back takes its old place.

    Args:
        name: What the limits of this backlog are called: `backlog` or `queue`.
        max_messages: Bound on entries.
        max_bytes: Bound on their cost; one message always fits.
        budget: The memory that entries count against from `admit` to `discard`.
    """

    __slots__ = (
        "_bytes", "_fresh", "_position", "_returned", "budget", "earliest_expiry_ns", "max_bytes", "max_messages",
        "name",
    )  # fmt: skip

    def __init__(self, name: Literal["backlog", "queue"], max_messages: int, max_bytes: int, budget: Budget) -> None:
        self.name = name
        self.max_messages = max_messages
        self.max_bytes = max_bytes
        self.budget = budget
        self.earliest_expiry_ns: int | None = None
        self._position = 0
        self._bytes = 0
        self._fresh = _NONE
        self._returned: list[tuple[int, Entry]] = []

    def __len__(self) -> int:
        return len(self._fresh) + len(self._returned)

    def exceeded_by(self, message: Message) -> str | None:
        """The limit that `message` would break, as a field of `Limits`."""
        if len(self) >= self.max_messages:
            return f"{self.name}_messages"
        if self and self._bytes + message.cost_bytes > self.max_bytes:
            return f"{self.name}_bytes"
        return None

    def filled_to(self, share: float) -> bool:
        """Whether either bound is used up to `share` of it."""
        return len(self) >= self.max_messages * share or self._bytes >= self.max_bytes * share

    def admit(self, message: Message) -> Entry:
        """Make an entry that takes the next position, without letting it wait."""
        self._position += 1
        self.budget.take(message)
        return Entry(message, self._position)

    def discard(self, entry: Entry) -> None:
        """Let go of an entry that does not wait."""
        self.budget.give(entry.message)

    def append(self, entry: Entry) -> None:
        """Let the newest entry wait."""
        if self._fresh is _NONE:
            self._fresh = deque()
        self._fresh.append(entry)
        self._count(entry.message)

    def put_back(self, entry: Entry) -> None:
        """Let an entry wait again at its old place, before everything newer."""
        heappush(self._returned, (entry.position, entry))
        self._count(entry.message)

    def pop(self) -> Entry:
        """Take the oldest entry."""
        entry = heappop(self._returned)[1] if self._returned else self._fresh.popleft()
        self._bytes -= entry.message.cost_bytes
        return entry

    def clear(self) -> int:
        """Discard everything; returns how many entries that were."""
        count = len(self)
        while self:
            self.discard(self.pop())
        self.earliest_expiry_ns = None
        return count

    def sweep(self, now_ns: int) -> int:
        """Discard what expired; returns how many entries that were."""
        if self.earliest_expiry_ns is None or self.earliest_expiry_ns > now_ns:
            return 0
        waiting = [entry for _, entry in self._returned] + list(self._fresh)
        dead = [entry for entry in waiting if entry.message.expired(now_ns)]
        self._returned = [item for item in self._returned if not item[1].message.expired(now_ns)]
        heapify(self._returned)
        self._fresh = deque(entry for entry in self._fresh if not entry.message.expired(now_ns))
        for entry in dead:
            self._bytes -= entry.message.cost_bytes
            self.discard(entry)
        self.earliest_expiry_ns = min(
            (at for entry in waiting if (at := entry.message.expires_at_ns) is not None and at > now_ns), default=None
        )
        return len(dead)

    def _count(self, message: Message) -> None:
        self._bytes += message.cost_bytes
        at_ns = message.expires_at_ns
        if at_ns is not None and (self.earliest_expiry_ns is None or at_ns < self.earliest_expiry_ns):
            self.earliest_expiry_ns = at_ns
