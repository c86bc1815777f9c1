"""Messages that come while subscriptions begin and end in another thread."""

from __future__ import annotations

from mqctl.adapters.base import SubscribeSpec
from mqctl.adapters.mqtt_acks import Arrival, Ledger
from mqctl.adapters.mqtt_messages import Messages
from mqctl.model import AckMode, Topic

SPEC = SubscribeSpec(topic=Topic(levels=("t",)), ack_mode=AckMode.INDIVIDUAL)
QOS_1 = 0x32


class Meanwhile(Ledger):
    """Does something in the middle of taking a message: its route is found, and it is not handed on yet."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile = lambda: None

    def add(self, mid: int, qos: int) -> Arrival:
        self.meanwhile()
        self.meanwhile = lambda: None
        return super().add(mid, qos)


def taking(*, hold: bool) -> tuple[Messages, Meanwhile]:
    ledger = Meanwhile()
    return Messages(None, ledger, properties=False, hold=hold), ledger


def test_a_message_is_not_forgotten_whose_subscription_begins_at_that_moment():
    messages, ledger = taking(hold=True)
    ledger.meanwhile = lambda: messages.begin("t", SPEC)
    messages.take(QOS_1, b"\0\1t\0\1x")
    messages.look_again()
    assert [each.payload for each in messages.events] == [b"x"]


def test_a_message_holds_up_nothing_whose_subscription_ends_at_that_moment():
    messages, ledger = taking(hold=False)
    subscription = messages.begin("t", SPEC)
    ledger.meanwhile = lambda: messages.end(subscription)
    messages.take(QOS_1, b"\0\1t\0\1x")
    messages.take(QOS_1, b"\0\1t\0\2y")
    assert ledger.settle(messages.done) == [(1, 1), (2, 1)]
