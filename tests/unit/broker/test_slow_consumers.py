"""What each policy does when a subscriber does not keep up."""

from __future__ import annotations

import pytest

from mqctl.broker import Evict, Hold, LimitExceeded, NotOpen, Release, SlowConsumer
from mqctl.broker.values import MESSAGE_OVERHEAD_BYTES
from tests.unit.broker.scene import CLIENT, INDIVIDUAL, Scene, queue, topic

T = topic("t")
ONE_MESSAGE = MESSAGE_OVERHEAD_BYTES + 1
DISCONNECT = SlowConsumer.DISCONNECT
BLOCK = SlowConsumer.BLOCK


def test_paused_subscriber_gets_its_messages_later_and_the_others_now() -> None:
    scene = Scene()
    scene.sub("slow", T)
    scene.sub("fast", T)
    scene.pub(T, "1")
    scene.pause("slow")
    scene.pub(T, "2", "3")
    assert scene.got == {"slow": ["1"], "fast": ["1", "2", "3"]}
    scene.resume("slow")
    scene.pub(T, "4")
    assert scene.got["slow"] == ["1", "2", "3", "4"]
    assert scene.broker.stats().memory_bytes == 0


def test_paused_client_mode_subscriber_waits_too() -> None:
    scene = Scene()
    scene.sub("a", T, ack_mode=CLIENT)
    scene.pause("a")
    scene.pub(T, "1")
    assert scene.got["a"] == []
    scene.resume("a")
    assert scene.got["a"] == ["1"]


def test_drop_oldest_keeps_the_newest_and_counts() -> None:
    scene = Scene(backlog_messages=2)
    scene.sub("a", T)
    scene.pause("a")
    scene.pub(T, "1", "2", "3", "4")
    assert scene.drops() == [("/topic/t", 1, "slow consumer")] * 2
    assert scene.broker.stats().dropped == 2
    scene.resume("a")
    assert scene.got["a"] == ["3", "4"]


def test_drop_oldest_is_bounded_by_bytes_too() -> None:
    """A message that is larger than the bound still fits alone."""
    scene = Scene(backlog_bytes=2 * ONE_MESSAGE)
    scene.sub("a", T)
    scene.pause("a")
    scene.pub(T, "1", "2", "3")
    scene.pub(T, "x" * 2000)
    scene.resume("a")
    assert scene.got["a"] == ["x" * 2000]
    assert scene.broker.stats().dropped == 3


@pytest.mark.parametrize("expires_at_ns", [None, 5], ids=["delivered", "expired"])
def test_bytes_are_free_again_once_delivered_or_expired(expires_at_ns: int | None) -> None:
    scene = Scene(backlog_bytes=2 * ONE_MESSAGE)
    scene.sub("a", T)
    scene.pause("a")
    scene.pub(T, "1", "2", expires_at_ns=expires_at_ns)
    if expires_at_ns is None:
        scene.resume("a")
        scene.pause("a")
    else:
        scene.tick(expires_at_ns)
    scene.effects.clear()
    scene.pub(T, "3", "4")
    assert scene.drops() == []


def test_drop_oldest_drops_the_refused_first() -> None:
    """What came back is older than everything that waits."""
    scene = Scene(backlog_messages=2)
    scene.sub("a", T, ack_mode=INDIVIDUAL, prefetch=1)
    scene.pub(T, "1", "2")
    scene.pause("a")
    scene.nack("a", "1")
    scene.pub(T, "3")
    scene.resume("a")
    assert scene.got["a"] == ["1", "2"]


def test_out_of_memory_drops_the_new_message_for_the_slow_alone() -> None:
    scene = Scene(memory_bytes=ONE_MESSAGE)
    scene.sub("slow", T)
    scene.sub("fast", T)
    scene.pause("slow")
    scene.pub(T, "1", "2")
    assert scene.drops() == [("/topic/t", 1, "memory limit")]
    scene.resume("slow")
    assert scene.got == {"fast": ["1", "2"], "slow": ["1"]}


def test_memory_counts_a_message_once_however_many_hold_it() -> None:
    scene = Scene(memory_bytes=ONE_MESSAGE)
    for session in ("a", "b", "c"):
        scene.sub(session, T, ack_mode=CLIENT)
    scene.pub(T, "1")
    assert scene.drops() == []
    assert scene.broker.stats().memory_bytes == ONE_MESSAGE
    for session in ("a", "b", "c"):
        scene.ack(session, "1")
    assert scene.broker.stats().memory_bytes == 0


def test_disconnect_evicts_and_says_why() -> None:
    scene = Scene(policy=DISCONNECT, backlog_messages=1)
    scene.sub("slow", T)
    scene.sub("fast", T)
    scene.pause("slow")
    scene.pub(T, "1", "2", "3")
    assert scene.told(Evict) == [Evict("slow", "too slow for /topic/t: limit: backlog_messages (1)")]
    assert scene.got == {"fast": ["1", "2", "3"]}
    assert scene.broker.stats().sessions == 2
    assert scene.broker.stats().memory_bytes == 0
    scene.close("slow")


def test_evicted_publisher_is_refused() -> None:
    """What it sent in the same breath is not taken for the hub's own."""
    scene = Scene(policy=DISCONNECT, backlog_messages=1)
    scene.sub("a", T)
    scene.pause("a")
    scene.pub(T, "1", "2", by="a")
    message = scene.told(Evict)
    assert len(message) == 1
    scene._ensure = lambda session: None  # type: ignore[method-assign]  # do not open it again
    with pytest.raises(NotOpen):
        scene.pub(T, "3", by="a")


def test_disconnect_returns_queue_messages_to_others() -> None:
    scene = Scene(policy=DISCONNECT, backlog_messages=1)
    scene.sub("slow", T)
    scene.sub("slow", queue("q"), "q", ack_mode=CLIENT)
    scene.pub(queue("q"), "job")
    scene.sub("other", queue("q"), ack_mode=CLIENT)
    scene.pause("slow")
    scene.pub(T, "1", "2")
    assert scene.got["other"] == ["job!"]


def test_disconnect_for_memory() -> None:
    scene = Scene(policy=DISCONNECT, memory_bytes=ONE_MESSAGE)
    scene.sub("slow", T)
    scene.pause("slow")
    scene.pub(T, "1", "2")
    assert scene.told(Evict) == [Evict("slow", f"too slow for /topic/t: limit: memory_bytes ({ONE_MESSAGE})")]


def test_disconnect_drops_for_an_absent_durable_owner() -> None:
    """There is nobody to disconnect."""
    scene = Scene(policy=DISCONNECT, backlog_messages=1, memory_bytes=2 * ONE_MESSAGE)
    scene.open("a", "me")
    scene.sub("a", T, durable="d")
    scene.close("a")
    scene.pub(T, "1", "2")
    scene.pub(queue("q"), "f")
    scene.pub(T, "3")
    assert [reason for _, _, reason in scene.drops()] == ["slow consumer", "memory limit"]
    assert scene.told(Evict) == []


def test_block_holds_the_publisher_until_the_backlog_has_drained() -> None:
    """Held at three quarters, released below half."""
    scene = Scene(policy=BLOCK, backlog_messages=4)
    scene.sub("slow", T, ack_mode=INDIVIDUAL, prefetch=1)
    scene.pub(T, "0", "1", "2")
    assert scene.told(Hold) == []
    scene.pub(T, "3")
    assert scene.told(Hold) == [Hold("publisher")]
    scene.pub(T, "4")
    assert scene.told(Hold) == [Hold("publisher")]
    assert scene.broker.stats().held_publishers == 1
    for payload in ("0", "1", "2"):
        assert scene.told(Release) == []
        scene.ack("slow", payload)
    assert scene.told(Release) == [Release("publisher")]
    assert scene.got["slow"] == ["0", "1", "2", "3"]
    assert scene.drops() == []


def test_block_releases_when_the_last_of_several_backlogs_has_drained() -> None:
    scene = Scene(policy=BLOCK, backlog_messages=2)
    for session in ("a", "b"):
        scene.sub(session, T)
        scene.pause(session)
    scene.pub(T, "1", "2")
    assert scene.told(Hold) == [Hold("publisher")]
    scene.resume("a")
    assert scene.told(Release) == []
    scene.resume("b")
    assert scene.told(Release) == [Release("publisher")]


def test_block_releases_when_the_slow_consumer_leaves() -> None:
    scene = Scene(policy=BLOCK, backlog_messages=1)
    scene.sub("slow", T)
    scene.pause("slow")
    scene.pub(T, "1")
    scene.close("slow")
    assert scene.told(Release) == [Release("publisher")]


def test_held_publisher_that_leaves_is_not_released() -> None:
    scene = Scene(policy=BLOCK, backlog_messages=1)
    scene.sub("slow", T)
    scene.pause("slow")
    scene.pub(T, "1")
    scene.close("publisher")
    scene.resume("slow")
    assert scene.told(Release) == []
    assert scene.broker.stats().held_publishers == 0


def test_block_refuses_what_comes_in_spite_of_it() -> None:
    """And gives it to nobody: the publisher may send it again."""
    scene = Scene(policy=BLOCK, backlog_messages=1)
    scene.sub("fast", T)
    scene.sub("slow", T)
    scene.pause("slow")
    scene.pub(T, "1")
    with pytest.raises(LimitExceeded) as caught:
        scene.pub(T, "2")
    assert caught.value.limit == "backlog_messages"
    assert scene.got["fast"] == ["1"]
    assert scene.broker.stats().published == 1


def test_block_refuses_beyond_the_memory() -> None:
    scene = Scene(policy=BLOCK, memory_bytes=ONE_MESSAGE)
    scene.sub("slow", T, ack_mode=CLIENT)
    scene.pub(T, "1")
    with pytest.raises(LimitExceeded) as caught:
        scene.pub(T, "2")
    assert caught.value.limit == "memory_bytes"


def test_block_never_holds_who_acknowledges() -> None:
    """Its acknowledgements come over the socket that would not be read: two such could wait for each other for ever."""
    scene = Scene(policy=BLOCK, backlog_messages=2)
    scene.sub("slow", T)
    scene.pause("slow")
    scene.sub("a", topic("u"), ack_mode=CLIENT)
    scene.pub(T, "1", "2", by="a")
    assert scene.told(Hold) == []
    with pytest.raises(LimitExceeded):
        scene.pub(T, "3", by="a")


def test_block_drops_for_an_absent_durable_owner() -> None:
    """Nobody waits an hour for it."""
    scene = Scene(policy=BLOCK, backlog_messages=1)
    scene.open("a", "me")
    scene.sub("a", T, durable="d")
    scene.pause("a")
    scene.pub(T, "1")
    scene.close("a")
    assert scene.told(Release) == [Release("publisher")]
    scene.pub(T, "2")
    assert len(scene.told(Hold)) == 1
    assert scene.drops() == [("/topic/t", 1, "slow consumer")]


def test_block_holds_for_a_queue() -> None:
    scene = Scene(policy=BLOCK, queue_messages=4)
    scene.pub(queue("q"), "1", "2", "3")
    assert scene.told(Hold) == [Hold("publisher")]
    scene.sub("a", queue("q"))
    assert scene.told(Release) == [Release("publisher")]


def test_hub_itself_is_never_held() -> None:
    scene = Scene(policy=BLOCK, queue_messages=1)
    scene.pub(queue("q"), "1")
    (message,) = [entry.message for entry in scene.broker._queues.get("q").backlog._fresh]
    scene.effects.clear()
    with pytest.raises(LimitExceeded):
        scene.broker.publish(None, message, 0)
    scene.sub("a", queue("q"))
    scene.close("a")
    scene.apply(scene.broker.publish(None, message, 0))
    assert scene.told(Hold) == []


def test_the_subscriptions_of_a_slow_session_take_turns() -> None:
    """One whose backlog never empties does not keep the others from theirs."""
    scene = Scene(burst_messages=2)
    for name in "abc":
        scene.sub("s", topic(name), key=name)
    scene.pause("s")
    for name in "abc":
        scene.pub(topic(name), *(f"{name}{n}" for n in range(3)))
    for _ in range(5):
        scene.resume("s")
    assert scene.got["s"] == ["a0", "a1", "b0", "b1", "c0", "c1", "a2", "b2", "c2"]
