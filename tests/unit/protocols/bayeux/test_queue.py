"""A queue lets many messages in and out at once, and does with them what it would do with one after the other."""

from __future__ import annotations

import random
from collections import deque

import pytest

from mqctl.protocols.bayeux.queue import Fate, Parcel, Queue
from tests.unit.protocols.bayeux.house import Item

ITEMS_MAX, BYTES_MAX = 8, 100


class Memory:
    """Room for so many bytes; each message counts once, however many hold it."""

    def __init__(self, room_bytes: int) -> None:
        self.room_bytes = room_bytes
        self.holds: dict[Item, int] = {}

    def admits(self, item: Item, /) -> bool:
        return item in self.holds or item.cost_bytes <= self.room_bytes

    def take(self, item: Item, /) -> None:
        self.room_bytes -= 0 if item in self.holds else item.cost_bytes
        self.holds[item] = self.holds.get(item, 0) + 1

    def give(self, item: Item, /) -> None:
        self.holds[item] -= 1
        if not self.holds[item]:
            del self.holds[item]
            self.room_bytes += item.cost_bytes


class OneByOne:
    """The same queue, told in the plainest way; without a bound on memory."""

    def __init__(self, *, drop_oldest: bool, keeps: bool) -> None:
        self.drop_oldest = drop_oldest
        self.keeps = keeps
        self.fresh: deque[Item] = deque()
        self.sent: deque[tuple[int, Item]] = deque()
        self.batch = 0

    def append(self, item: Item) -> list[tuple[Item, Fate]]:
        dropped = []
        while self._full(item):
            if not self.drop_oldest:
                return [(item, Fate.QUEUE_FULL)]
            oldest = self.sent.popleft()[1] if self.sent else self.fresh.popleft()
            dropped.append((oldest, Fate.QUEUE_FULL))
        self.fresh.append(item)
        return dropped

    def _full(self, item: Item) -> bool:
        held = [each for _, each in self.sent] + list(self.fresh)
        size = sum(each.cost_bytes for each in held)
        return len(held) >= ITEMS_MAX or (bool(held) and size + item.cost_bytes > BYTES_MAX)

    def take(self, max_bytes: int) -> list[Item]:
        taken = [item for _, item in self.sent]
        while self.fresh and (not taken or sum(e.cost_bytes for e in [*taken, self.fresh[0]]) <= max_bytes):
            taken.append(self.fresh.popleft())
            if self.keeps:
                self.sent.append((self.batch + 1, taken[-1]))
        return taken

    def acknowledge(self, batch: int) -> None:
        while self.sent and self.sent[0][0] <= batch:
            self.sent.popleft()


@pytest.mark.parametrize("seed", range(200))
def test_the_same_as_one_by_one(seed: int) -> None:
    """Whatever is appended, taken and acknowledged, nothing tells a queue of parcels from one of messages."""
    chance = random.Random(seed)
    drop_oldest, keeps = chance.random() < 0.7, chance.random() < 0.5
    memory = Memory(10_000)
    queues = [Queue(ITEMS_MAX, BYTES_MAX, memory, drop_oldest=drop_oldest) for _ in range(2)]
    models = [OneByOne(drop_oldest=drop_oldest, keeps=keeps) for _ in queues]
    for queue in queues:
        queue.keeps = keeps
    for number in range(60):
        costs = chance.choices((1, 10, 30, 99, 150), (5, 5, 3, 1, 1), k=chance.choice((1, 1, 2, 5, 12)))
        parcel = Parcel([Item("/a", b"%d.%d" % (number, at), cost) for at, cost in enumerate(costs)])
        for queue, model in zip(queues, models, strict=True):
            if chance.random() < 0.7:
                expected = [drop for item in parcel.items for drop in model.append(item)]
                found = [(item, fate) for items, fate in queue.append(parcel) for item in items]
                assert sorted(found, key=repr) == sorted(expected, key=repr)
            if chance.random() < 0.5:
                max_bytes = chance.choice((0, 15, 60, 1000))
                assert queue.take(max_bytes) == model.take(max_bytes)
                model.batch += 1
                assert queue.next_batch() == model.batch
            if chance.random() < 0.3:
                batch = chance.randint(model.batch - 3, model.batch)
                queue.acknowledge(batch)
                model.acknowledge(batch)
            assert (len(queue), queue.unacknowledged) == (len(model.fresh), len(model.sent))
    assert sum(queue.clear() for queue in queues) == sum(len(model.fresh) + len(model.sent) for model in models)
    assert (memory.room_bytes, memory.holds) == (10_000, {})


def test_messages_for_many_take_the_memory_of_one() -> None:
    memory = Memory(100)
    queues = [Queue(10, 1000, memory, drop_oldest=True) for _ in range(3)]
    parcel = Parcel([Item("/a", b"1", 50), Item("/a", b"2", 50)])
    assert [queue.append(parcel) for queue in queues] == [[], [], []]
    assert memory.room_bytes == 0
    for queue in queues[:2]:
        assert queue.take(1000) == parcel.items
    assert memory.room_bytes == 0
    queues[2].clear()
    assert memory.room_bytes == 100


def test_what_memory_has_no_room_for_is_dropped_and_the_rest_waits() -> None:
    memory = Memory(100)
    queue = Queue(10, 1000, memory, drop_oldest=True)
    parcel = Parcel([Item("/a", b"1", 50), Item("/a", b"2", 60), Item("/a", b"3", 50)])
    assert queue.append(parcel) == [((parcel.items[1],), Fate.MEMORY_FULL)]
    assert queue.take(1000) == [parcel.items[0], parcel.items[2]]
    assert (memory.room_bytes, queue.overflowed) == (100, False)


def test_what_is_never_acknowledged_costs_no_more_than_the_queue() -> None:
    """A client that connects on and on without an acknowledgement leaves no more behind than messages."""
    queue = Queue(3, 1000, Memory(10_000), drop_oldest=True)
    queue.keeps = True
    for number in range(1000):
        queue.append(Parcel([Item("/a", b"%d" % number)]))
        assert len(queue.take(1000)) == min(number + 1, 3)
        queue.next_batch()
    assert len(queue._marks) <= 3
