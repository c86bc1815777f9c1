"""A message is never delivered at or after its expiry, and its memory is freed."""

from __future__ import annotations

import pytest

from mqctl.broker import Address, Release, SlowConsumer
from mqctl.broker.courier import SWEEP_EVERY_NS
from tests.unit.broker.scene import CLIENT, Scene, queue, topic

BOTH = pytest.mark.parametrize("address", [topic("t"), queue("q")], ids=["topic", "queue"])


@BOTH
def test_expired_on_arrival_goes_nowhere(address: Address) -> None:
    scene = Scene()
    scene.sub("a", address)
    scene.now_ns = 10
    scene.pub(address, "late", expires_at_ns=10)
    scene.pub(address, "in time", expires_at_ns=11)
    assert scene.got["a"] == ["in time"]
    assert scene.drops() == [(str(address), 1, "expired")]


@BOTH
def test_expired_while_waiting_is_not_delivered(address: Address) -> None:
    scene = Scene()
    scene.sub("a", address)
    scene.pause("a")
    scene.pub(address, "short", expires_at_ns=5)
    scene.pub(address, "long")
    scene.now_ns = 5
    scene.resume("a")
    assert scene.got["a"] == ["long"]
    assert scene.drops() == [(str(address), 1, "expired")]
    assert scene.broker.stats().memory_bytes == 0


@BOTH
def test_expired_after_a_refusal_is_not_redelivered(address: Address) -> None:
    scene = Scene()
    scene.sub("a", address, ack_mode=CLIENT)
    scene.pub(address, "1", expires_at_ns=5)
    scene.now_ns = 5
    scene.nack("a", "1")
    assert scene.got["a"] == ["1"]
    assert scene.drops() == [(str(address), 1, "expired")]


@BOTH
def test_tick_frees_what_expired(address: Address) -> None:
    """Without a consumer that asks; the deadline tells when."""
    scene = Scene()
    scene.sub("a", address, ack_mode=CLIENT, prefetch=1)
    scene.pub(address, "flying")
    scene.pub(address, "late", expires_at_ns=30 * SWEEP_EVERY_NS)
    scene.pub(address, "early", expires_at_ns=5)
    scene.pub(address, "never")
    assert scene.broker.next_deadline_ns() == 5
    scene.tick(4)
    assert scene.drops() == []
    scene.tick(5)
    assert scene.drops() == [(str(address), 1, "expired")]
    assert scene.broker.next_deadline_ns() == 30 * SWEEP_EVERY_NS
    scene.tick(30 * SWEEP_EVERY_NS)
    assert scene.broker.next_deadline_ns() is None
    scene.ack("a", "flying")
    assert scene.got["a"] == ["flying", "never"]
    assert scene.broker.stats().dropped == 2


def test_sweeps_keep_their_distance() -> None:
    """Many short-lived messages must not cause a sweep each."""
    scene = Scene()
    scene.pub(queue("q"), "1", expires_at_ns=5)
    scene.pub(queue("r"), "2", expires_at_ns=7)
    scene.tick(5)
    assert scene.broker.next_deadline_ns() == 5 + SWEEP_EVERY_NS
    scene.tick(5 + SWEEP_EVERY_NS)
    assert scene.broker.stats().memory_bytes == 0
    assert scene.broker.stats().queues == 0


def test_sweep_reaches_what_came_back() -> None:
    """Messages of a lost consumer wait again, and expire waiting."""
    scene = Scene()
    scene.sub("a", queue("q"), ack_mode=CLIENT)
    scene.pub(queue("q"), "1", expires_at_ns=5)
    scene.pub(queue("q"), "2")
    scene.close("a")
    assert scene.broker.next_deadline_ns() == 5
    scene.tick(5)
    assert scene.broker.stats().waiting == 1
    scene.sub("b", queue("q"))
    assert scene.got["b"] == ["2!"]


def test_sweep_releases_the_held() -> None:
    scene = Scene(policy=SlowConsumer.BLOCK, queue_messages=1)
    scene.pub(queue("q"), "1", expires_at_ns=5)
    scene.tick(5)
    assert scene.told(Release) == [Release("publisher")]


def test_ended_subscription_is_not_swept() -> None:
    """What left took its expiry along."""
    scene = Scene()
    scene.sub("a", topic("t"))
    scene.pause("a")
    scene.pub(topic("t"), "1", expires_at_ns=5)
    scene.close("a")
    scene.tick(5)
    assert scene.drops() == []
    assert scene.broker.next_deadline_ns() is None


def test_message_that_expires_after_the_queue_was_emptied_is_forgotten() -> None:
    scene = Scene()
    scene.pub(queue("q"), "1", expires_at_ns=5)
    scene.sub("a", queue("q"))
    scene.tick(5)
    assert scene.drops() == []
    assert scene.broker.next_deadline_ns() is None
