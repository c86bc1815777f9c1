"""Queues: each message to one consumer, in turn, and none lost on the way."""

from __future__ import annotations

import gc

import pytest

from mqctl.broker import AddressRefused, Unfinished
from mqctl.broker.backlog import Backlog
from tests.unit.broker.scene import CLIENT, INDIVIDUAL, Scene, queue, topic

Q = queue("q")


def test_messages_wait_for_a_consumer() -> None:
    scene = Scene()
    scene.pub(Q, "1", "2")
    scene.sub("a", Q)
    assert scene.got["a"] == ["1", "2"]
    assert scene.broker.stats().memory_bytes == 0


def test_consumers_take_turns() -> None:
    scene = Scene()
    scene.sub("a", Q)
    scene.sub("b", Q)
    scene.pub(Q, "1", "2", "3", "4")
    assert scene.got == {"a": ["1", "3"], "b": ["2", "4"]}


def test_consumer_without_credit_is_passed_over() -> None:
    scene = Scene()
    scene.sub("a", Q, ack_mode=CLIENT, prefetch=1)
    scene.sub("b", Q)
    scene.pub(Q, "1", "2", "3")
    assert scene.got == {"a": ["1"], "b": ["2", "3"]}
    scene.ack("a", "1")
    scene.pub(Q, "4", "5")
    assert scene.got == {"a": ["1", "5"], "b": ["2", "3", "4"]}


def test_lost_consumer_returns_what_it_held_in_order() -> None:
    """The others get it, marked as redelivered, before anything newer."""
    scene = Scene()
    scene.sub("a", Q, ack_mode=INDIVIDUAL, prefetch=3)
    scene.pub(Q, "1", "2", "3", "4")
    scene.ack("a", "2")
    scene.close("a")
    scene.sub("b", Q)
    assert scene.got["b"] == ["1!", "3!", "4!"]


def test_session_with_two_consumers_returns_all_before_any_is_redelivered() -> None:
    """What the second consumer held may be older than what the first did."""
    scene = Scene()
    scene.sub("a", Q, "first", ack_mode=INDIVIDUAL, prefetch=2)
    scene.sub("a", Q, "second", ack_mode=INDIVIDUAL, prefetch=2)
    scene.pub(Q, "1", "2", "3", "4")
    scene.nack("a", "1")
    scene.sub("b", Q)
    scene.close("a")
    assert scene.got["b"] == ["1!", "2!", "3!", "4!"]


def test_lost_consumers_messages_go_to_those_with_credit_at_once() -> None:
    scene = Scene()
    scene.sub("a", Q, ack_mode=CLIENT)
    scene.pub(Q, "1", "2")
    scene.sub("b", Q, ack_mode=CLIENT)
    scene.close("a")
    assert scene.got["b"] == ["1!", "2!"]


def test_unsubscribing_returns_messages_too() -> None:
    scene = Scene()
    scene.sub("a", Q, ack_mode=CLIENT)
    scene.pub(Q, "1")
    scene.unsub("a")
    scene.sub("a", Q)
    assert scene.got["a"] == ["1", "1!"]


def test_paused_consumer_is_passed_over_until_it_resumes() -> None:
    scene = Scene()
    scene.sub("a", Q)
    scene.pause("a")
    scene.pub(Q, "1")
    scene.sub("b", Q)
    scene.pub(Q, "2")
    scene.resume("a")
    scene.pub(Q, "3", "4")
    assert scene.got == {"b": ["1", "2", "3"], "a": ["4"]}


def test_two_consumers_that_left_the_line_leave_the_queue() -> None:
    """Leaving is possible with and without a place in the line."""
    scene = Scene()
    for session in ("a", "b"):
        scene.sub(session, Q, ack_mode=CLIENT, prefetch=1)
    scene.pub(Q, "1", "2", "3")
    scene.close("a")
    scene.close("b")
    scene.sub("c", Q)
    assert scene.got["c"] == ["1!", "2!", "3"]


def test_long_backlog_comes_in_bursts() -> None:
    """An automatic consumer gets a burst, and the next one when the shell says that there is room."""
    scene = Scene(burst_messages=2)
    scene.pub(Q, "1", "2", "3")
    scene.sub("a", Q)
    assert scene.got["a"] == ["1", "2"]
    assert scene.told(Unfinished) == [Unfinished("a")]
    scene.resume("a")
    scene.pub(Q, "4")
    assert scene.got["a"] == ["1", "2", "3", "4"]


def test_idle_queue_is_forgotten() -> None:
    """Names that nobody uses any more must not fill the table."""
    scene = Scene()
    scene.pub(Q, "1")
    scene.sub("a", Q)
    assert scene.broker.stats().queues == 1
    scene.close("a")
    assert scene.broker.stats().queues == 0


@pytest.mark.parametrize("name", ["", "*", "a.*", "a.**"])
def test_queue_names_have_no_wildcards(name: str) -> None:
    scene = Scene()
    with pytest.raises(AddressRefused):
        scene.sub("a", queue(name))
    with pytest.raises(AddressRefused):
        scene.pub(queue(name), "1")


def test_dots_and_slashes_are_part_of_a_queue_name() -> None:
    scene = Scene()
    scene.pub(queue("a..b/c"), "1")
    scene.sub("a", queue("a..b/c"))
    assert scene.got["a"] == ["1"]


def backlogs() -> int:
    """How many there are in this process."""
    gc.collect()
    return sum(isinstance(each, Backlog) for each in gc.get_objects())


def test_a_queue_that_is_gone_is_not_watched_for_what_expires() -> None:
    """Clients that make up a queue for every answer would fill the memory with what was watched there."""
    before = backlogs()
    scene = Scene()
    for n in range(50):
        scene.pub(queue(f"answer.{n}"), "1", expires_at_ns=10**18)
        scene.sub("a", queue(f"answer.{n}"))
        scene.unsub("a")
    assert scene.broker.stats().queues == 0
    scene.deliveries.clear()
    scene.effects.clear()
    assert backlogs() == before


def test_what_is_kept_when_the_hub_ends_is_told() -> None:
    """In queues and for durable subscribers who are away; a hub keeps nothing on disk."""
    scene = Scene()
    scene.open("c", "client")
    scene.sub("c", topic("t"), durable="d")
    scene.close("c")
    scene.pub(topic("t"), "1")
    scene.pub(Q, "2", "3")
    scene.apply(scene.broker.abandon())
    assert scene.drops() == [("/queue/q", 2, "the hub was stopped"), ("/topic/t", 1, "the hub was stopped")]
    assert scene.broker.stats().memory_bytes == scene.broker.stats().waiting == 0
