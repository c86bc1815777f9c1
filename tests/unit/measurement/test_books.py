"""Reconciliation: each anomaly by the smallest history that shows it."""

from __future__ import annotations

import pytest

from mqctl.measurement.arrivals import Arrived, Part
from mqctl.measurement.books import Books, reconcile, total
from mqctl.measurement.listening import Heard
from mqctl.measurement.ranges import Range
from mqctl.measurement.sending import Sent


def streams(*arrived: Arrived) -> list[Heard]:
    return [Heard(subscriber=number, streams=(each,)) for number, each in enumerate(arrived)]


@pytest.mark.parametrize(
    ("sent", "heard", "books"),
    [
        (
            Sent(publisher=0, attempted=3),
            streams(Arrived(3), Arrived(3)),
            Books(attempted=3, confirmed=3, expected=6, delivered=6),
        ),
        (
            Sent(publisher=0, attempted=3),
            streams(Arrived(3, (Range(1, 2),)), Arrived(2)),
            Books(attempted=3, confirmed=3, expected=6, delivered=4, lost=2),
        ),
        (
            Sent(publisher=0, attempted=4, unknown=(Range(2, 4),)),
            streams(Arrived(3)),
            Books(attempted=4, confirmed=2, unknown=2, expected=2, delivered=2, recovered=1),
        ),
        (
            Sent(publisher=0, attempted=2, rejected=(Range(1, 2),)),
            streams(Arrived(2), Arrived(1)),
            Books(attempted=2, confirmed=1, rejected=1, expected=2, delivered=2, unexpected=1),
        ),
        (
            Sent(publisher=0, attempted=1),
            streams(Arrived(3, (Range(1, 2),), 4, 5)),
            Books(attempted=1, confirmed=1, expected=1, delivered=1, unexpected=1, duplicated=4, out_of_order=5),
        ),
        (Sent(publisher=0, attempted=1), [], Books(attempted=1, confirmed=1)),
    ],
    ids=["all", "lost", "recovered", "rejected and delivered", "never sent", "nobody listens"],
)
def test_every_delivery_has_one_name(sent, heard, books):
    assert reconcile([sent], heard, shared=False) == [books]
    assert books.attempted == books.confirmed + books.rejected + books.unknown
    assert books.expected == books.delivered + books.lost


def test_those_who_share_are_expected_to_get_each_message_once():
    heard = [
        Heard(subscriber=0, parts=(Part(b"\1\0\1"),)),
        Heard(subscriber=1, parts=(Part(b"\1\0"),)),
    ]
    assert reconcile([Sent(publisher=0, attempted=3)], heard, shared=True) == [
        Books(attempted=3, confirmed=3, expected=3, delivered=2, lost=1, duplicated=1)
    ]


def test_books_are_kept_apart_and_added_up():
    sent = [Sent(publisher=0, attempted=1), Sent(publisher=1, attempted=2)]
    heard = [Heard(subscriber=0, streams=(Arrived(1), Arrived(1)))]
    apart = reconcile(sent, heard, shared=False)
    assert [books.lost for books in apart] == [0, 1]
    assert total(apart, unexpected=7) == Books(attempted=3, confirmed=3, expected=3, delivered=2, lost=1, unexpected=7)


def test_nobody_sharing_expects_nothing():
    assert reconcile([Sent(publisher=0, attempted=1)], [], shared=True) == [Books(attempted=1, confirmed=1)]
