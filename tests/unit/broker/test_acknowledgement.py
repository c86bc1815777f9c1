"""Acknowledgement, refusal and dead letters, for topics and queues alike."""

from __future__ import annotations

import pytest

from mqctl.broker import Address, DeadLettered, UnknownDelivery
from mqctl.model import AckMode
from tests.unit.broker.scene import CLIENT, INDIVIDUAL, Scene, queue, topic

BOTH = pytest.mark.parametrize("address", [topic("t"), queue("q")], ids=["topic", "queue"])


@BOTH
@pytest.mark.parametrize("mode", [CLIENT, INDIVIDUAL])
def test_prefetch_bounds_what_is_in_flight(address: Address, mode: AckMode) -> None:
    scene = Scene()
    scene.sub("a", address, ack_mode=mode, prefetch=2)
    scene.pub(address, "1", "2", "3", "4")
    assert scene.got["a"] == ["1", "2"]
    scene.ack("a", "1")
    assert scene.got["a"] == ["1", "2", "3"]


@BOTH
def test_client_acknowledgement_covers_all_before_it(address: Address) -> None:
    """STOMP 1.2, SUBSCRIBE: in client mode an ACK is cumulative, within its subscription."""
    scene = Scene()
    scene.sub("a", address, ack_mode=CLIENT, prefetch=3)
    scene.sub("a", topic("other"), "other", ack_mode=CLIENT)
    scene.pub(topic("other"), "x")
    scene.pub(address, "1", "2", "3", "4", "5", "6")
    scene.ack("a", "2")
    assert scene.got["a"] == ["x", "1", "2", "3", "4", "5"]
    with pytest.raises(UnknownDelivery):
        scene.ack("a", "1")
    assert scene.broker.stats().in_flight == 4
    scene.ack("a", "x")


@BOTH
def test_individual_acknowledgement_covers_one(address: Address) -> None:
    scene = Scene()
    scene.sub("a", address, ack_mode=INDIVIDUAL)
    scene.pub(address, "1", "2", "3")
    scene.ack("a", "2")
    assert scene.broker.stats().in_flight == 2
    scene.ack("a", "1")
    scene.ack("a", "3")
    assert scene.broker.stats().in_flight == 0
    assert scene.broker.stats().memory_bytes == 0


@BOTH
def test_delivery_is_acknowledged_once_and_by_its_receiver(address: Address) -> None:
    scene = Scene()
    scene.sub("a", address, ack_mode=INDIVIDUAL)
    scene.pub(address, "1")
    scene.open("thief")
    with pytest.raises(UnknownDelivery):
        scene.broker.ack("thief", scene.id_of("a", "1"), 0)
    scene.ack("a", "1")
    for again in (scene.ack, scene.nack):
        with pytest.raises(UnknownDelivery, match="acknowledge each message once"):
            again("a", "1")


@BOTH
def test_refused_message_keeps_its_place(address: Address) -> None:
    """What waits behind a refused message does not overtake it."""
    scene = Scene()
    scene.sub("a", address, ack_mode=INDIVIDUAL, prefetch=2)
    scene.pub(address, "1", "2", "3", "4")
    scene.nack("a", "1")
    scene.ack("a", "2")
    scene.ack("a", "1")
    assert scene.got["a"] == ["1", "2", "1!", "3", "4"]


@BOTH
def test_cumulative_refusal_redelivers_in_order(address: Address) -> None:
    """STOMP 1.2, NACK: in client mode it applies to all messages before it that are not acknowledged."""
    scene = Scene()
    scene.sub("a", address, ack_mode=CLIENT)
    scene.pub(address, "1", "2", "3")
    scene.nack("a", "2")
    assert scene.got["a"] == ["1", "2", "3", "1!", "2!"]
    assert [each.delivery_count for each in scene.deliveries["a"]] == [1, 1, 1, 2, 2]


@BOTH
def test_refused_too_often_is_a_dead_letter(address: Address) -> None:
    """It arrives in the queue DLQ with where it came from and why, and its reader is served like any consumer."""
    scene = Scene(max_redeliveries=2)
    scene.sub("a", address, ack_mode=INDIVIDUAL)
    scene.pub(address, "1")
    for _ in range(3):
        scene.nack("a", "1")
    assert scene.got["a"] == ["1", "1!", "1!"]
    assert len(scene.told(DeadLettered)) == scene.broker.stats().dead_lettered == 1
    scene.sub("undertaker", queue("DLQ"))
    (dead,) = scene.deliveries["undertaker"]
    assert dead.message.headers == (
        ("original-destination", str(address)),
        ("dead-letter-reason", "refused 3 times"),
    )
    assert scene.broker.stats().memory_bytes == 0


def test_a_dead_letter_sent_again_says_where_it_died_last() -> None:
    """Of repeated headers the first counts, so that those of its first death must be gone."""
    scene = Scene(max_redeliveries=0)
    scene.sub("a", queue("second"), ack_mode=INDIVIDUAL)
    scene.pub(queue("second"), "1", headers=(("original-destination", "/queue/first"), ("colour", "red")))
    scene.nack("a", "1")
    scene.sub("undertaker", queue("DLQ"))
    assert scene.deliveries["undertaker"][0].message.headers == (
        ("colour", "red"),
        ("original-destination", "/queue/second"),
        ("dead-letter-reason", "refused 1 time"),
    )


def test_losing_a_consumer_is_no_refusal() -> None:
    """Only a NACK brings a message nearer to the dead letters: restarts are not the message's fault."""
    scene = Scene(max_redeliveries=0)
    scene.pub(queue("q"), "1")
    for session in ("a", "b", "c"):
        scene.sub(session, queue("q"), ack_mode=CLIENT)
        scene.close(session)
    scene.sub("d", queue("q"), ack_mode=CLIENT)
    assert scene.got["d"] == ["1!"]
    assert scene.deliveries["d"][0].delivery_count == 4


def test_dead_letter_refused_again_is_dropped() -> None:
    """The dead-letter queue has no dead-letter queue."""
    scene = Scene(max_redeliveries=0)
    scene.sub("a", topic("t"), ack_mode=CLIENT)
    scene.pub(topic("t"), "1")
    scene.nack("a", "1")
    scene.sub("u", queue("DLQ"), ack_mode=CLIENT)
    scene.nack("u", "1")
    assert scene.drops() == [("/queue/DLQ", 1, "refused too often in the dead-letter queue")]
    assert scene.broker.stats().memory_bytes == 0


def test_full_dead_letter_queue_drops_its_oldest() -> None:
    """Nobody is there to be told of a refusal, so the newest evidence stays."""
    scene = Scene(max_redeliveries=0, queue_messages=1)
    scene.sub("a", topic("t"), ack_mode=INDIVIDUAL)
    scene.pub(topic("t"), "1", "2")
    scene.nack("a", "1")
    scene.nack("a", "2")
    assert scene.drops() == [("/queue/DLQ", 1, "dead-letter queue full")]
    scene.sub("u", queue("DLQ"))
    assert scene.got["u"] == ["2"]


def test_dead_letter_beyond_the_memory_is_dropped() -> None:
    scene = Scene(max_redeliveries=0, memory_bytes=520)
    scene.sub("a", topic("t"), ack_mode=INDIVIDUAL)
    scene.pub(topic("t"), "1")
    scene.nack("a", "1")
    assert scene.drops() == [("/topic/t", 1, "dead-letter queue full")]
    assert scene.broker.stats().memory_bytes == 0


def test_automatic_deliveries_need_no_acknowledgement() -> None:
    scene = Scene()
    scene.sub("a", queue("q"))
    scene.pub(queue("q"), "1")
    assert scene.deliveries["a"][0].delivery_id is None
    assert scene.broker.stats().in_flight == 0


def test_topic_subscriber_that_leaves_loses_what_it_held() -> None:
    """A topic keeps nothing for who is gone, and frees its memory."""
    scene = Scene()
    scene.sub("a", topic("t"), ack_mode=CLIENT, prefetch=1)
    scene.pub(topic("t"), "1", "2")
    assert scene.broker.stats().waiting == 1
    scene.close("a")
    assert scene.broker.stats().memory_bytes == 0
    assert scene.drops() == []
