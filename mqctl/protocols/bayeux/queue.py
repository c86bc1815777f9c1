"""What waits for a client: in order, within bounds, and under the ack extension until the client has it."""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, Protocol


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


class Parcel:
    """Messages that came together, one object for all the queues that they wait in.

    Args:
        items: The messages, one at least.
    """

    __slots__ = ("cost_bytes", "holds", "items")

    def __init__(self, items: Sequence[Item]) -> None:
        self.items = items
        self.cost_bytes = sum(item.cost_bytes for item in items)
        self.holds = 0
        """In how many queues it is; the budget counts its messages while there are any."""


_NONE: Final[deque[Parcel]] = deque(maxlen=0)
"""Where nothing waits: a deque of its own would be a tenth of what an idle session takes."""


class Queue:
    """First in, first out. What comes together is let in and let go together, whoever else it waits for.

    Positions count messages since the queue began: what lies from `_first` to `_sent` was sent and may have to be sent
    again, what lies from there to `_end` was never sent.

    Args:
        max_items: Bound on what waits, acknowledged or not.
        max_bytes: Bound on its cost; one item always fits.
        budget: The memory that it counts against while it waits.
        drop_oldest: Whether the oldest make room; else the newest is dropped, and `overflowed` says so.
    """

    __slots__ = (
        "_batch", "_bytes", "_end", "_first", "_marks", "_parcels", "_sent", "_skip", "_skipped_bytes", "budget",
        "drop_oldest", "keeps", "max_bytes", "max_items", "overflowed",
    )  # fmt: skip

    def __init__(self, max_items: int, max_bytes: int, budget: Budget, *, drop_oldest: bool) -> None:
        self.max_items = max_items
        self.max_bytes = max_bytes
        self.budget = budget
        self.drop_oldest = drop_oldest
        self.overflowed = False
        self.keeps = False
        """Whether items are kept until they are acknowledged."""
        self._parcels = _NONE
        self._skip = self._skipped_bytes = 0  # of the first parcel, what is gone already
        self._first = self._sent = self._end = 0
        self._marks: list[tuple[int, int]] = []  # the batches that were sent, and the position after each
        self._batch = 0
        self._bytes = 0

    def __len__(self) -> int:
        """What was never sent."""
        return self._end - self._sent

    @property
    def unacknowledged(self) -> int:
        """What was sent, and may have to be sent again."""
        return self._sent - self._first

    def append(self, parcel: Parcel) -> list[tuple[Sequence[Item], Fate]]:
        """Let messages wait; returns what was dropped for them, or of them."""
        fate = self._refuses(parcel)
        if fate is not None and len(parcel.items) > 1:
            return [drop for item in parcel.items for drop in self.append(Parcel((item,)))]
        if fate is not None:
            self.overflowed = self.overflowed or fate is Fate.QUEUE_FULL
            return [(parcel.items, fate)]
        dropped: list[tuple[Sequence[Item], Fate]] = []
        while self._full(parcel):
            dropped.append((self._advance(self._too_many(parcel)), Fate.QUEUE_FULL))
        if self._parcels is _NONE:
            self._parcels = deque()
        self._parcels.append(parcel)
        self._end += len(parcel.items)
        self._bytes += parcel.cost_bytes
        return dropped

    def take(self, max_bytes: int) -> list[Item]:
        """The next to be sent, by their cost, but one at least; under `keeps` after all that was sent and not had."""
        taken = self._next(max_bytes)
        if not self.keeps:
            self._sent += len(taken)
            self._advance_by(len(taken))
        elif len(taken) > self.unacknowledged:
            self._sent = self._first + len(taken)
            while self._marks and self._marks[0][1] <= self._first:  # all of it was dropped
                self._marks.pop(0)
            self._marks.append((self._batch + 1, self._sent))
        return taken

    def next_batch(self) -> int:
        """The number of the batch that was just taken."""
        self._batch += 1
        return self._batch

    def acknowledge(self, batch: int) -> None:
        """The client has all batches up to this one."""
        while self._marks and self._marks[0][0] <= batch:
            self._advance_by(self._marks.pop(0)[1] - self._first)

    def clear(self) -> int:
        """Let go of everything; returns how much that was."""
        count = self._end - self._first
        self._advance_by(count)
        self._marks.clear()
        return count

    def _refuses(self, parcel: Parcel) -> Fate | None:
        """Why messages cannot wait all together; where they can, the queue holds them from now on."""
        several = len(parcel.items) > 1
        if several and (len(parcel.items) > self.max_items or parcel.cost_bytes > self.max_bytes):
            return Fate.QUEUE_FULL
        if not self._hold(parcel):
            return Fate.MEMORY_FULL
        if self.drop_oldest or not self._full(parcel):
            return None
        self._release(parcel)
        return Fate.QUEUE_FULL

    def _full(self, parcel: Parcel) -> bool:
        count = self._end - self._first
        return count > 0 and (
            count + len(parcel.items) > self.max_items or self._bytes + parcel.cost_bytes > self.max_bytes
        )

    def _too_many(self, parcel: Parcel) -> int:
        """How many have to go, of the first parcel at most: all of it at once if that is so, else no more than that."""
        oldest = self._parcels[0]
        here = len(oldest.items) - self._skip
        over = self._end - self._first + len(parcel.items) - self.max_items
        bytes_over = self._bytes + parcel.cost_bytes - self.max_bytes
        return here if bytes_over >= oldest.cost_bytes - self._skipped_bytes else max(1, min(here, over))

    def _next(self, max_bytes: int) -> list[Item]:
        taken: list[Item] = []
        room = max_bytes
        skip, skipped_bytes = self._skip, self._skipped_bytes
        for parcel in self._parcels:
            if parcel.cost_bytes - skipped_bytes <= room:
                taken += parcel.items[skip:] if skip else parcel.items
                room -= parcel.cost_bytes - skipped_bytes
            else:
                for item in parcel.items[skip:]:
                    if taken and item.cost_bytes > room and len(taken) >= self.unacknowledged:
                        return taken
                    room -= item.cost_bytes
                    taken.append(item)
            skip = skipped_bytes = 0
        return taken

    def _advance_by(self, count: int) -> None:
        while count > 0:
            count -= len(self._advance(count))

    def _advance(self, count: int) -> Sequence[Item]:
        """Let go of so many, of the first parcel at most; returns them."""
        parcel = self._parcels[0]
        whole = count >= len(parcel.items) - self._skip
        gone = parcel.items[self._skip :] if whole else parcel.items[self._skip : self._skip + count]
        if whole:
            cost_bytes = parcel.cost_bytes - self._skipped_bytes
            self._skip = self._skipped_bytes = 0
            self._release(self._parcels.popleft())
            if not self._parcels:
                self._parcels = _NONE
        else:
            cost_bytes = sum(item.cost_bytes for item in gone)
            self._skip += count
            self._skipped_bytes += cost_bytes
        self._bytes -= cost_bytes
        self._first += len(gone)
        self._sent = max(self._sent, self._first)
        return gone

    def _hold(self, parcel: Parcel) -> bool:
        """Count it, if there is room for all of it."""
        if not parcel.holds:
            for number, item in enumerate(parcel.items):
                if not self.budget.admits(item):
                    for taken in parcel.items[:number]:
                        self.budget.give(taken)
                    return False
                self.budget.take(item)
        parcel.holds += 1
        return True

    def _release(self, parcel: Parcel) -> None:
        parcel.holds -= 1
        if not parcel.holds:
            for item in parcel.items:
                self.budget.give(item)
