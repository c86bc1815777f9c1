"""The times without a connection: told as they come and go, and counted."""

from __future__ import annotations

from math import inf

import pytest

from mqctl.cli.outages import Outages, rounded
from mqctl.model import Interrupted, Resumed


def test_what_went_and_came_is_told_and_counted():
    said: list[str] = []
    outages = Outages(said.append)
    assert outages.summary() == ""
    outages.heed(Interrupted(0, "reset by peer", 60.0))
    assert outages.missing
    outages.heed(Resumed(0, "host:1", 1, 120_400_000))
    assert not outages.missing
    outages.heed(Interrupted(0, "end of stream", inf))
    outages.heed(Resumed(0, "host:2", 4, 2_345_000_000))
    assert said == [
        "connection lost: reset by peer; trying again for up to 1m",
        "connected again to host:1 after 120ms, 1 attempt",
        "connection lost: end of stream; trying again until there is one again",
        "connected again to host:2 after 2.3s, 4 attempts",
    ]
    assert outages.summary() == ", reconnects 2, longest outage 2.3s"
    assert outages.reasons == {"reset by peer", "end of stream"}


def test_an_outage_that_does_not_end_is_no_reconnect():
    outages = Outages()
    outages.heed(Interrupted(0, "gone", 1.0))
    assert outages.summary() == ""


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0004, "0s"), (0.0123, "12ms"), (0.9999, "1s"), (1.26, "1.3s"), (61.04, "1m1s")]
)
def test_durations_are_as_exact_as_people_want(seconds, text):
    assert rounded(seconds) == text
