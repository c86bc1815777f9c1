"""Messages that come again over another connection are known by their ids."""

from __future__ import annotations

import pytest

from mqctl.adapters.repeats import REMEMBERED, Repeats
from mqctl.model import Delivery, SubscriptionId


def delivery(message_id: str | None, subscription: str = "s") -> Delivery:
    return Delivery("t", b"", {}, SubscriptionId(subscription), 0, message_id, redelivered=False)


def flagged(repeats: Repeats, message: Delivery) -> bool | None:
    repeats.flag(message)
    return message.redelivered


@pytest.mark.parametrize(
    ("before", "after", "again"),
    [
        ("ID:host-1:1", "ID:host-1:1", True),
        ("ID:host-1:1", "ID:host-1:2", False),
        ("38,33", "2147483673,33", True),
        ("38,33", "38,35", False),
        ("T_1@@session-a@@1", "T_1@@session-a@@1", False),
        ("7", "7", False),
        (None, None, False),
    ],
)
def test_only_an_id_that_lasts_tells_a_message_again(before, after, again):
    repeats = Repeats()
    assert flagged(repeats, delivery(before)) is False
    repeats.connection_lost()
    assert flagged(repeats, delivery(after)) is again


def test_over_one_connection_nothing_comes_again():
    repeats = Repeats()
    assert [flagged(repeats, delivery("ID:1")) for _ in range(2)] == [False, False]


def test_each_subscription_has_its_own_messages():
    repeats = Repeats()
    repeats.flag(delivery("ID:1"))
    repeats.connection_lost()
    assert flagged(repeats, delivery("ID:1", "other")) is False


def test_memory_is_bounded():
    repeats = Repeats()
    for number in range(REMEMBERED + 1):
        repeats.flag(delivery(f"ID:{number}"))
    repeats.connection_lost()
    assert flagged(repeats, delivery("ID:0")) is False
    assert flagged(repeats, delivery("ID:1")) is True
