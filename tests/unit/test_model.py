"""The values that every layer speaks of."""

from __future__ import annotations

from mqctl.model import AckToken, SubscriptionId


def test_a_token_shows_whose_it_is_and_nothing_of_the_transport():
    token = AckToken(SubscriptionId("sub-1"), native="T_secret@@session")
    assert repr(token) == "AckToken('sub-1')"
