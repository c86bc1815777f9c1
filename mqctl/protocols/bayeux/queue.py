"""What waits for a client: in order, within bounds, and under the ack extension until the client has it."""

from __future__ import annotations

import enum
from collections import deque
from typing import Any, Protocol


class Item(Protocol):
    """A message for the client, however the shell keeps it."""

    @property
    def cost_bytes(self) -> int:
        """What holding it costs."""
        ...


class Budget(Protocol):
    """The memory of all queues."""

    def admits(self, item: Any, /) -> bool:
        """Whether there is room for it."""
        ...

    def take(self, item: Any, /) -> None:
        """Count it."""
        ...

    def give(self, item: Any, /) -> None:
        """Count it no more."""
        ...


class Fate(enum.Enum):
    """Why an item was dropped."""

    QUEUE_FULL = enum.auto()
    MEMORY_FULL = enum.auto()


class Queue:
    """First in, first out.

    Args:
        max_items: Bound on what waits, acknowledged or not.
        max_bytes: Bound on its cost; one item always fits.
        budget: The memory that it counts against while it waits.
        drop_oldest: Whether the oldest make room; else the newest is dropped, and `overflowed` says so.
    """

    __slots__ = (
        "_batch", "_bytes", "_items", "_unacked", "budget", "drop_oldest", "keeps", "max_bytes", "max_items",
        "overflowed",
    )  # fmt: skip

    def __init__(self, max_items: int, max_bytes: int, budget: Budget, *, drop_oldest: bool) -> None:
        self.max_items = max_items
        self.max_bytes = max_bytes
        self.budget = budget
        self.drop_oldest = drop_oldest
        self.overflowed = False
        self.keeps = False
        """Whether items are kept until they are acknowledged."""
        self._items: deque[Item] = deque()
        self._unacked: deque[tuple[int, Item]] = deque()
        self._batch = 0
        self._bytes = 0

    def __len__(self) -> int:
        """What was never sent."""
        return len(self._items)

    @property
    def unacknowledged(self) -> int:
        """What was sent, and may have to be sent again."""
        return len(self._unacked)

    def append(self, item: Item) -> list[tuple[Item, Fate]]:
        """Let an item wait; returns what was dropped for it, or it itself."""
        dropped: list[tuple[Item, Fate]] = []
        if not self.budget.admits(item):
            return [(item, Fate.MEMORY_FULL)]
        while self._full(item):
            if not self.drop_oldest:
                self.overflowed = True
                return [(item, Fate.QUEUE_FULL)]
            oldest = self._unacked.popleft()[1] if self._unacked else self._items.popleft()
            self._forget(oldest)
            dropped.append((oldest, Fate.QUEUE_FULL))
        self._items.append(item)
        self._bytes += item.cost_bytes
        self.budget.take(item)
        return dropped

    def take(self, max_bytes: int) -> list[Item]:
        """The next to be sent, by their cost, but one at least; under `keeps` after all that was sent and not had."""
        taken = [item for _, item in self._unacked]
        room = max_bytes - sum(item.cost_bytes for item in taken)
        while self._items and (not taken or self._items[0].cost_bytes <= room):
            item = self._items.popleft()
            room -= item.cost_bytes
            taken.append(item)
            if self.keeps:
                self._unacked.append((self._batch + 1, item))
            else:
                self._forget(item)
        return taken

    def next_batch(self) -> int:
        """The number of the batch that was just taken."""
        self._batch += 1
        return self._batch

    def acknowledge(self, batch: int) -> None:
        """The client has all batches up to this one."""
        while self._unacked and self._unacked[0][0] <= batch:
            self._forget(self._unacked.popleft()[1])

    def clear(self) -> int:
        """Let go of everything; returns how much that was."""
        items = [item for _, item in self._unacked] + list(self._items)
        for item in items:
            self._forget(item)
        self._unacked.clear()
        self._items.clear()
        return len(items)

    def _full(self, item: Item) -> bool:
        count = len(self._items) + len(self._unacked)
        return count >= self.max_items or (count > 0 and self._bytes + item.cost_bytes > self.max_bytes)

    def _forget(self, item: Item) -> None:
        self._bytes -= item.cost_bytes
        self.budget.give(item)
