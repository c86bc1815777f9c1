"""A queue: one backlog, and its consumers in turn."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from mqctl.broker.backlog import Backlog, Budget
from mqctl.broker.ledger import Subscriber
from mqctl.broker.refusals import AddressRefused, LimitExceeded
from mqctl.broker.values import DEAD_LETTER_QUEUE, Limits
from mqctl.topics import ONE_LEVEL, SUBTREE


class Queue:
    """Consumers compete; whoever has credit is served in turn. While one is ready, nothing waits in the backlog."""

    __slots__ = ("_lined_up", "_turn", "backlog", "consumers", "name")

    def __init__(self, name: str, backlog: Backlog) -> None:
        self.name = name
        self.backlog = backlog
        self.consumers: set[Subscriber] = set()
        self._turn: deque[Subscriber] = deque()
        self._lined_up: set[Subscriber] = set()

    def join(self, consumer: Subscriber) -> None:
        """Add a consumer."""
        self.consumers.add(consumer)
        self.line_up(consumer)

    def leave(self, consumer: Subscriber) -> None:
        """Remove a consumer."""
        self.consumers.discard(consumer)
        if consumer in self._lined_up:
            self._lined_up.discard(consumer)
            self._turn.remove(consumer)

    def line_up(self, consumer: Subscriber) -> None:
        """Put a consumer that may have credit again at the end of the line."""
        if consumer not in self._lined_up:
            self._lined_up.add(consumer)
            self._turn.append(consumer)

    def next_ready(self) -> Subscriber | None:
        """The consumer whose turn it is; who has no credit loses its place until it lines up again."""
        while self._turn:
            consumer = self._turn[0]
            if consumer.ready:
                return consumer
            self._lined_up.discard(self._turn.popleft())
        return None

    def served(self) -> None:
        """The consumer that `next_ready` gave has had its turn."""
        self._turn.rotate(-1)


class Queues:
    """All queues by name; one exists from its first message or consumer until it is idle."""

    __slots__ = ("_budget", "_by_name", "_limits")

    def __init__(self, limits: Limits, budget: Budget) -> None:
        self._limits = limits
        self._budget = budget
        self._by_name: dict[str, Queue] = {}

    def __iter__(self) -> Iterator[Queue]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def check(self, name: str) -> None:
        """Whether a queue of that name is there or may be made. The dead-letter queue always may.

        Raises:
            AddressRefused: The name is empty or a pattern.
            LimitExceeded: It would be one queue too many.
        """
        levels = name.split(".")
        if not name or ONE_LEVEL in levels or SUBTREE in levels:
            raise AddressRefused(f"not the name of a queue: {name!r}", hint="wildcards are for topics")
        if name not in self._by_name and name != DEAD_LETTER_QUEUE and len(self) >= self._limits.queues:
            raise LimitExceeded("queues", self._limits.queues)

    def get(self, name: str) -> Queue:
        """The queue of a name that `check` passed, made if need be."""
        queue = self._by_name.get(name)
        if queue is None:
            limits = self._limits
            backlog = Backlog("queue", limits.queue_messages, limits.queue_bytes, self._budget)
            queue = self._by_name[name] = Queue(name, backlog)
        return queue

    def prune(self, queue: Queue) -> bool:
        """Forget the queue if it is idle; returns whether it is."""
        idle = not queue.consumers and not queue.backlog
        if idle:
            self._by_name.pop(queue.name, None)
        return idle
