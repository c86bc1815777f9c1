"""Which messages came: once, twice, late, never."""

from __future__ import annotations

import pytest

from mqctl.measurement.arrivals import Arrived, Part, Share, Stream, together


@pytest.mark.parametrize(
    ("came", "arrived"),
    [
        ([], Arrived()),
        ([0, 1, 2], Arrived(3)),
        ([0, 3], Arrived(4, ((1, 3),))),
        ([0, 2, 1], Arrived(3, (), 0, 1)),
        ([0, 0], Arrived(1, (), 1, 0)),
        ([2, 2, 0, 0], Arrived(3, ((1, 2),), 2, 1)),
    ],
    ids=str,
)
def test_a_subscriber_of_everything_and_one_that_shares_agree(came, arrived):
    stream, share = Stream(), Share()
    firsts = [stream.add(sequence) for sequence in came]
    assert firsts == [share.add(sequence) for sequence in came]
    assert sum(firsts) == len(set(came))
    assert stream.arrived() == arrived
    assert together([share.part()]) == arrived


def test_those_who_share_complete_one_another():
    assert together([Part(b"\1\0\1"), Part(b"\0\1\0\0\1")]) == Arrived(5, ((3, 4),))


def test_what_two_of_them_got_is_a_duplicate():
    parts = [Part(b"\1\1", 2, 1), Part(b"\1\0\1", 0, 3), Part(b"\1", 0, 0)]
    assert together(parts) == Arrived(3, (), 4, 4)


def test_nobody_got_nothing():
    assert together([]) == together([Part()]) == Arrived()
