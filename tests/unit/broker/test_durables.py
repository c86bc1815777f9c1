"""Durable subscriptions: kept for an absent client, for a stated time."""

from __future__ import annotations

import pytest

from mqctl.broker import DurableEnded, DurableRefused, Unfinished
from tests.unit.broker.scene import CLIENT, INDIVIDUAL, Scene, queue, topic

T = topic("t")
SECOND_NS = 1_000_000_000


def durable(scene: Scene, session: str, *, client_id: str = "me", **how: object) -> None:
    scene.open(session, client_id)
    scene.sub(session, how.pop("address", T), durable="news", **how)  # type: ignore[arg-type]  # an Address


def test_messages_wait_for_the_owner() -> None:
    scene = Scene()
    durable(scene, "a")
    scene.pub(T, "1")
    scene.close("a")
    scene.pub(T, "2", "3")
    durable(scene, "b")
    scene.pub(T, "4")
    assert scene.got == {"a": ["1"], "b": ["2", "3", "4"]}
    assert scene.broker.stats().memory_bytes == 0


def test_unacknowledged_messages_come_again() -> None:
    """Before what came later, and marked."""
    scene = Scene()
    durable(scene, "a", ack_mode=INDIVIDUAL)
    scene.pub(T, "1", "2", "3")
    scene.ack("a", "2")
    scene.close("a")
    scene.pub(T, "4")
    durable(scene, "b", ack_mode=CLIENT)
    assert scene.got["b"] == ["1!", "3!", "4"]


def test_unsubscribing_leaves_and_forget_deletes() -> None:
    scene = Scene()
    durable(scene, "a")
    scene.unsub("a")
    scene.pub(T, "1")
    scene.sub("a", T, durable="news")
    scene.unsub("a", forget=True)
    scene.pub(T, "2")
    scene.sub("a", T, durable="news")
    assert scene.got["a"] == ["1"]


def test_forget_on_a_plain_subscription_just_ends_it() -> None:
    scene = Scene()
    scene.sub("a", T)
    scene.unsub("a", forget=True)
    assert scene.broker.stats().subscriptions == 0


def test_second_living_owner_is_refused() -> None:
    scene = Scene()
    durable(scene, "a")
    with pytest.raises(DurableRefused, match="in use"):
        durable(scene, "b")
    durable(scene, "c", client_id="somebody else")
    assert scene.broker.stats().durables == 2


def test_its_end_is_told_though_nothing_was_kept() -> None:
    """Whoever looks for messages that were published later learns why there are none."""
    scene = Scene(durable_for_s=2)
    durable(scene, "a")
    scene.close("a")
    scene.tick(2 * SECOND_NS)
    assert scene.drops() == []
    assert len(scene.told(DurableEnded)) == 1


def test_another_topic_replaces() -> None:
    """What was kept under the old topic is dropped, and counted."""
    scene = Scene()
    durable(scene, "a")
    scene.close("a")
    scene.pub(T, "1", "2")
    durable(scene, "b", address=topic("u"))
    scene.pub(T, "3")
    scene.pub(topic("u"), "4")
    assert scene.got["b"] == ["4"]
    assert scene.drops() == [("/topic/t", 2, "durable subscription moved to another topic")]
    assert scene.broker.stats().durables == 1


def test_pattern_may_be_durable() -> None:
    scene = Scene()
    durable(scene, "a", address=topic("**"))
    scene.close("a")
    scene.pub(topic("x.y"), "1")
    durable(scene, "b", address=topic("**"))
    assert scene.got["b"] == ["1"]


def test_needs_a_client_id_and_a_topic() -> None:
    scene = Scene()
    with pytest.raises(DurableRefused, match="client id"):
        scene.sub("a", T, durable="news")
    scene.open("b", "me")
    with pytest.raises(DurableRefused, match="queue"):
        scene.sub("b", queue("q"), durable="news")


def test_bad_topic_leaves_the_old_subscription_alone() -> None:
    """Everything is checked before anything is replaced."""
    scene = Scene()
    durable(scene, "a")
    scene.close("a")
    scene.pub(T, "1")
    with pytest.raises(Exception, match="empty level"):
        durable(scene, "b", address=topic("a..b"))
    scene.sub("b", T, durable="news")
    assert scene.got["b"] == ["1"]


def test_ends_after_its_time() -> None:
    scene = Scene(durable_for_s=2)
    durable(scene, "a")
    assert scene.broker.next_deadline_ns() is None
    scene.now_ns = 5
    scene.close("a")
    scene.pub(T, "1")
    assert scene.broker.next_deadline_ns() == 2 * SECOND_NS + 5
    scene.tick(2 * SECOND_NS + 4)
    assert scene.broker.stats().durables == 1
    scene.tick(2 * SECOND_NS + 5)
    assert scene.drops() == [("/topic/t", 1, "durable subscription expired")]
    assert scene.told(DurableEnded) == [DurableEnded("me", "news", T)]
    assert scene.broker.stats().durables == 0
    assert scene.broker.stats().memory_bytes == 0
    assert scene.broker.next_deadline_ns() is None


def test_return_stops_the_time() -> None:
    scene = Scene(durable_for_s=2)
    durable(scene, "a")
    scene.close("a")
    durable(scene, "b")
    scene.tick(10 * SECOND_NS)
    scene.pub(T, "1")
    assert scene.got["b"] == ["1"]


def test_backlog_of_the_absent_drops_its_oldest() -> None:
    scene = Scene(backlog_messages=2)
    durable(scene, "a")
    scene.close("a")
    scene.pub(T, "1", "2", "3")
    durable(scene, "b")
    assert scene.got["b"] == ["2", "3"]
    assert scene.drops() == [("/topic/t", 1, "slow consumer")]


def test_long_backlog_comes_in_bursts() -> None:
    """New messages queue behind it, so that the order holds."""
    scene = Scene(burst_messages=2)
    durable(scene, "a")
    scene.close("a")
    scene.pub(T, "1", "2", "3")
    durable(scene, "b")
    scene.pub(T, "4")
    assert scene.got["b"] == ["1", "2"]
    assert scene.told(Unfinished) == [Unfinished("b")]
    scene.resume("b")
    scene.resume("b")
    scene.pub(T, "5")
    assert scene.got["b"] == ["1", "2", "3", "4", "5"]
