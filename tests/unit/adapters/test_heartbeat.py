"""What two sides agree on about heart-beats."""

from __future__ import annotations

import math

import pytest

from mqctl.adapters.heartbeat import HeartBeat, agree
from mqctl.errors import ProtocolError


@pytest.mark.parametrize(
    ("ours_s", "theirs", "send_s", "receive_s"),
    [
        (10.0, "10000,10000", 10.0, 10.0),
        (10.0, "20000,5000", 10.0, 20.0),
        (1.0, "5000,20000", 20.0, 5.0),
        (10.0, "0,10000", 10.0, 0.0),
        (10.0, "10000,0", 0.0, 10.0),
        (10.0, "0,0", 0.0, 0.0),
        (0.0, "10000,10000", 0.0, 0.0),
        (10.0, None, 0.0, 0.0),
        (10.0, " 1000 , 1000 ", 10.0, 10.0),
    ],
)
def test_the_slower_side_sets_the_pace_and_zero_means_never(ours_s, theirs, send_s, receive_s):
    assert agree(ours_s, theirs) == HeartBeat(send_s=send_s, receive_s=receive_s)


@pytest.mark.parametrize("header", ["", "10", "a,b", "1,2,3"])
def test_anything_but_two_numbers_breaks_the_protocol(header):
    if header:
        with pytest.raises(ProtocolError, match="two numbers"):
            agree(10.0, header)
    else:
        assert agree(10.0, header) == HeartBeat()


def test_we_send_at_half_the_interval_and_bear_three_of_silence():
    beat = HeartBeat(send_s=10.0, receive_s=4.0)
    assert beat.send_in_s(1.0) == 4.0
    assert beat.gone_in_s(2.0) == 10.0
    assert beat.gone_in_s(12.0) <= 0


def test_without_an_agreement_nothing_is_ever_due():
    assert HeartBeat().send_in_s(1e9) == HeartBeat().gone_in_s(1e9) == math.inf
