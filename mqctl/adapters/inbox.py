"""The bounded crossing from a transport's thread to ours. It says what it dropped."""

from __future__ import annotations

import enum
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice

from mqctl.model import ConnectionEvent, Delivery, Overflowed

DEFAULT_LIMIT = 100_000
"""Events held before the policy decides."""

BLOCK_LIMIT_S = 2.0
"""How long a full inbox may hold the transport's thread: well below a third of any sensible heart-beat."""


class WhenFull(enum.Enum):
    """What happens to messages that find the inbox full.

    Other events always find room, and so do messages that await their acknowledgement: the prefetch bounds those, and
    one that is dropped would hold up its queue, or be acknowledged with a later one.
    """

    BLOCK = "block"
    """The transport's thread waits, so that the peer feels it; past the limit the new messages are dropped."""
    DROP_OLDEST = "drop-oldest"
    """The oldest messages make room: a live view wants the newest."""


class Inbox:
    """A bounded queue of connection events; `put_batch` is an `EventSink`.

    Args:
        limit: Most events held.
        when_full: Which messages give way.
        block_s: With BLOCK, how long one batch may wait for room.
        rest_s: How long the transport's thread rests after each batch. What comes meanwhile is read as one: for those
            who look only now and then, a wake-up for each message costs more than the message.
    """

    def __init__(
        self,
        *,
        limit: int = DEFAULT_LIMIT,
        when_full: WhenFull = WhenFull.BLOCK,
        block_s: float = BLOCK_LIMIT_S,
        rest_s: float = 0.0,
    ) -> None:
        if limit < 1:
            raise ValueError("an inbox holds at least one event")
        self._limit = limit
        self._when_full = when_full
        self._block_s = block_s
        self._rest_s = rest_s
        self._events: deque[ConnectionEvent] = deque()
        self._lock = threading.Lock()
        self._filled = threading.Condition(self._lock)
        self._emptied = threading.Condition(self._lock)
        self._dropped = 0
        self._dropped_total = 0

    def __len__(self) -> int:
        return len(self._events)

    @property
    def dropped(self) -> int:
        """Messages dropped since the inbox was made."""
        return self._dropped_total

    def put_batch(self, events: Sequence[ConnectionEvent]) -> None:
        """Queue the events of one read, in order; called from the transport's thread."""
        with self._lock:
            if len(self._events) + len(events) <= self._limit:
                self._events.extend(events)
            elif self._when_full is WhenFull.BLOCK:
                self._put_blocking(events)
            else:
                self._put_over_oldest(events)
            self._filled.notify()
        if self._rest_s:
            time.sleep(self._rest_s)

    def take(self, timeout_s: float, max_events: int = 10_000) -> list[ConnectionEvent]:
        """Wait up to `timeout_s` for events and take them, oldest first; an empty list when none came.

        What was dropped is told by an `Overflowed` ahead of the events that were kept.
        """
        with self._lock:
            if not self._events and not self._dropped:
                self._filled.wait_for(lambda: self._events or self._dropped, timeout_s)
            taken: list[ConnectionEvent] = [*self._dropped_so_far()]
            taken += self._popped(max_events - len(taken))
            if taken:
                self._emptied.notify_all()
            return taken

    def _popped(self, count: int) -> list[ConnectionEvent]:
        if count >= len(self._events):
            everything = list(self._events)
            self._events.clear()
            return everything
        return [self._events.popleft() for _ in range(count)]

    def _dropped_so_far(self) -> Iterator[Overflowed]:
        if self._dropped:
            yield Overflowed(at_ns=time.monotonic_ns(), dropped=self._dropped)
            self._dropped = 0

    def _put_blocking(self, events: Sequence[ConnectionEvent]) -> None:
        deadline = time.monotonic() + self._block_s
        rest = iter(events)
        while batch := list(islice(rest, max(1, self._limit - len(self._events)))):
            self._filled.notify()
            if self._wait_for_room(deadline):
                self._events.extend(batch)
            else:
                self._keep_what_must_stay(batch)

    def _wait_for_room(self, deadline: float) -> bool:
        return self._emptied.wait_for(
            lambda: len(self._events) < self._limit, timeout=max(0.0, deadline - time.monotonic())
        )

    def _keep_what_must_stay(self, batch: Sequence[ConnectionEvent]) -> None:
        kept = [event for event in batch if not _may_be_dropped(event)]
        self._events.extend(kept)
        self._count_dropped(len(batch) - len(kept))

    def _put_over_oldest(self, events: Sequence[ConnectionEvent]) -> None:
        self._events.extend(events)
        surplus = len(self._events) - self._limit
        kept: list[ConnectionEvent] = []
        while surplus > 0 and self._events:
            event = self._events.popleft()
            if _may_be_dropped(event):
                surplus -= 1
                self._count_dropped(1)
            else:
                kept.append(event)
        self._events.extendleft(reversed(kept))

    def _count_dropped(self, count: int) -> None:
        self._dropped += count
        self._dropped_total += count


def _may_be_dropped(event: ConnectionEvent) -> bool:
    return isinstance(event, Delivery) and event.ack is None
