"""The table behind acknowledgement by message id."""

from __future__ import annotations

import time

import pytest

from mqctl.broker import Address, AddressKind, Subscriber, UnknownDelivery
from mqctl.broker.backlog import Backlog, Budget
from mqctl.hub.message_ids import MessageIds
from mqctl.model import AckMode


def subscriber(key, mode):
    one = Subscriber(1, Address(AddressKind.TOPIC, "a"), Backlog("backlog", 1, 1, Budget(1)), queue=None, durable=None)
    one.key, one.ack_mode = key, mode
    return one


@pytest.mark.parametrize(("mode", "left"), [(AckMode.CLIENT, ["m4"]), (AckMode.INDIVIDUAL, ["m1", "m2", "m4"])])
def test_what_an_acknowledgement_covers(mode, left):
    ids, one = MessageIds(), subscriber("s", mode)
    for n in range(1, 5):
        ids.note(one, f"m{n}", n)
    assert ids.take("m3", "s") == 3
    for name in ("m1", "m2", "m3", "m4"):
        if name in left:
            assert ids.take(name, "s") == int(name[1:])
        else:
            with pytest.raises(UnknownDelivery):
                ids.take(name, "s")


def test_a_message_delivered_again_counts_as_new():
    """Refused and sent again, it has a new number and its place behind the others."""
    ids, one = MessageIds(), subscriber("s", AckMode.CLIENT)
    ids.note(one, "m1", 1)
    ids.note(one, "m2", 2)
    ids.take("m1", "s")
    ids.note(one, "m1", 3)
    assert ids.take("m2", "s") == 2
    assert ids.take("m1", "s") == 3


def test_a_subscription_that_ended():
    ids, one = MessageIds(), subscriber("s", AckMode.CLIENT)
    ids.note(one, "m1", 1)
    ids.forget("s")
    ids.forget("s")
    with pytest.raises(UnknownDelivery, match="'m1'"):
        ids.take("m1", None)


def test_one_acknowledgement_for_many():
    """The deliveries that it covers are looked at once each: a full prefetch takes no time that others would notice."""
    ids, one = MessageIds(), subscriber("s", AckMode.CLIENT)
    for n in range(65_536):
        ids.note(one, f"m{n}", n)
    begun = time.perf_counter()
    assert ids.take("m65535", "s") == 65_535
    assert time.perf_counter() - begun < 0.5
