"""Every bound refuses one too many, says which bound it is, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mqctl.broker import Dropped, LimitExceeded
from mqctl.broker.values import MESSAGE_OVERHEAD_BYTES, DropReason, Message
from mqctl.errors import ExitCode
from tests.unit.broker.scene import CLIENT, Scene, queue, topic

ONE_MESSAGE = MESSAGE_OVERHEAD_BYTES + 1


def fill_connections(scene: Scene) -> Callable[[], None]:
    scene.open("a")
    return lambda: scene.open("b")


def fill_subscriptions(scene: Scene) -> Callable[[], None]:
    scene.sub("a", topic("t"))
    scene.open("b")
    return lambda: scene.sub("b", topic("t"))


def fill_one_session(scene: Scene) -> Callable[[], None]:
    scene.sub("a", topic("t"), "1")
    return lambda: scene.sub("a", topic("t"), "2")


def fill_queues_by_publishing(scene: Scene) -> Callable[[], None]:
    scene.pub(queue("q"), "1")
    return lambda: scene.pub(queue("r"), "1")


def fill_queues_by_subscribing(scene: Scene) -> Callable[[], None]:
    scene.pub(queue("q"), "1")
    scene.open("a")
    return lambda: scene.sub("a", queue("r"))


def fill_durables(scene: Scene) -> Callable[[], None]:
    scene.open("a", "me")
    scene.sub("a", topic("t"), "1", durable="1")
    return lambda: scene.sub("a", topic("t"), "2", durable="2")


def ask_for_prefetch(scene: Scene) -> Callable[[], None]:
    scene.open("a")
    return lambda: scene.sub("a", topic("t"), ack_mode=CLIENT, prefetch=2)


def fill_a_queue(scene: Scene) -> Callable[[], None]:
    scene.pub(queue("q"), "1")
    return lambda: scene.pub(queue("q"), "2")


def fill_memory_by_waiting(scene: Scene) -> Callable[[], None]:
    scene.pub(queue("q"), "1")
    return lambda: scene.pub(queue("r"), "2")


def fill_memory_by_flying(scene: Scene) -> Callable[[], None]:
    scene.sub("a", queue("q"), ack_mode=CLIENT)
    scene.pub(queue("q"), "1")
    return lambda: scene.pub(queue("q"), "2")


@pytest.mark.parametrize(
    ("limit", "bound", "fill"),
    [
        ("connections", 1, fill_connections),
        ("subscriptions", 1, fill_subscriptions),
        ("subscriptions_per_connection", 1, fill_one_session),
        ("queues", 1, fill_queues_by_publishing),
        ("queues", 1, fill_queues_by_subscribing),
        ("durables", 1, fill_durables),
        ("prefetch", 1, ask_for_prefetch),
        ("queue_messages", 1, fill_a_queue),
        ("queue_bytes", ONE_MESSAGE, fill_a_queue),
        ("memory_bytes", ONE_MESSAGE, fill_memory_by_waiting),
        ("memory_bytes", ONE_MESSAGE, fill_memory_by_flying),
    ],
)
def test_limit(limit: str, bound: int, fill: Callable[[Scene], Callable[[], None]]) -> None:
    scene = Scene(**{limit: bound})
    one_more = fill(scene)
    before = scene.broker.stats()
    with pytest.raises(LimitExceeded, match=rf"limit: {limit} \({bound}\)") as caught:
        one_more()
    assert caught.value.limit == limit
    assert caught.value.exit_code is ExitCode.REFUSED
    assert scene.broker.stats() == before


def test_leaving_makes_room() -> None:
    scene = Scene(connections=1, subscriptions=1, durables=1, queues=1)
    for session in ("a", "b"):
        scene.open(session, session)
        scene.sub(session, topic("t"), durable="d")
        scene.unsub(session, forget=True)
        scene.sub(session, queue(session))
        scene.close(session)
    assert scene.broker.stats().subscriptions == 0


def test_dead_letters_need_no_free_queue() -> None:
    """The limit on queues must not cost a message."""
    scene = Scene(queues=1, max_redeliveries=0)
    scene.sub("a", queue("q"), ack_mode=CLIENT)
    scene.pub(queue("q"), "1")
    scene.nack("a", "1")
    scene.unsub("a")
    scene.sub("a", queue("DLQ"), "d")
    assert scene.got["a"] == ["1", "1"]


def test_what_a_port_drops_counts() -> None:
    """Where and why, and for whom."""
    scene = Scene()
    scene.open("a")
    scene.sub("a", topic("t"))
    message = Message(id="1", address=topic("t"), payload=b"x")
    ((_, subscribers),) = [(each.message, each.subscribers) for each in scene.broker.publish(None, message, 0)]
    assert scene.broker.drop(subscribers[0], message.address, 2, DropReason.MEMORY) == [
        Dropped(topic("t"), 2, DropReason.MEMORY, subscribers[0])
    ]
    assert scene.broker.stats().dropped == 2


def test_memory_that_ports_hold_counts() -> None:
    """What a port keeps of the broker's memory is in the broker's count."""
    scene = Scene()
    message = Message(id="1", address=topic("t"), payload=b"x")
    scene.broker.budget.take(message)
    assert scene.broker.stats().memory_bytes == ONE_MESSAGE
    scene.broker.budget.give(message)
    assert scene.broker.stats().memory_bytes == 0
