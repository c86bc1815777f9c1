"""Message groups: a producer's messages go to one of those that share, as long as that one is there."""

from __future__ import annotations

import pytest

from mqctl.experiments.answers import Cell, Look, Property, Row
from mqctl.experiments.events import ConnectionLost, Delivered, Fault, Killed, Unsubscribed
from tests.unit.experiments.histories import answers, got, here, judged, planted

STICKY = Property.STICKY
SHARE = here("c", "d", group="q")


@pytest.mark.parametrize(
    ("parts", "moved"),
    [
        ((got("c", "A1"), got("d", "A2")), 1),
        ((got("c", "A1"), got("d", "A2 A3"), got("c", "A4")), 2),
        # Another producer, the same consumer, the same message.
        ((got("c", "A1"), got("d", "B1")), 0),
        ((got("c", "A1 B1 A2"), got("d", "C1")), 0),
        ((got("c", "A1"), got("d", "A1"), got("c", "A2")), 0),
        # Who is gone keeps nothing.
        ((got("c", "A1"), ConnectionLost("c"), got("d", "A2")), 0),
        ((got("c", "A1"), Killed("c"), got("d", "A2 A3")), 0),
        ((got("c", "A1"), Unsubscribed("c"), got("d", "A2")), 0),
        ((got("c", "A1"), Killed("broker"), got("d", "A2")), 0),
        ((got("c", "A1"), Killed("d"), got("d", "A2")), 1),
    ],
)
def test_what_went_to_another(parts, moved):
    found = answers(SHARE, *parts)[STICKY]
    assert (found.violations, len(found.witnesses)) == (moved, moved)


def test_only_those_that_share_can_split_a_group():
    assert answers(got("c", "A1"), got("d", "A2"))[STICKY].chances == 0
    assert answers(here("c", group="q"), got("c", "A1 A2"))[STICKY].chances == 0
    assert answers(SHARE, got("c", "A1 B1 A2 A3 B2"))[STICKY].chances == 3


def test_the_witness_shows_what_both_got_of_the_group():
    (witness,) = answers(SHARE, got("c", "A1 B1 A2"), got("d", "B9 A3"))[STICKY].witnesses[1:]
    assert (witness.text, witness.line) == ("d got A3, and c had got A2", 8)
    assert witness.rows == (
        Row("c", (Cell("A", 1), Cell("A", 2, Look.MARKED))),
        Row("d", (Cell("A", 3, Look.MARKED),)),
    )


def test_the_one_before_may_be_of_an_earlier_stretch():
    """Whatever cuts the history in between."""
    (witness,) = answers(SHARE, got("c", "A1"), here("e", group="q"), got("d", "A2"))[STICKY].witnesses
    assert witness.rows[0] == Row("c", (Cell("A", 1, Look.MARKED),))


def test_a_planted_stray_is_found_and_moves_no_group():
    stray = planted(Fault.STRAY, "d", "A2")
    found = answers(SHARE, got("c", "A1"), stray, got("d", "A2"), got("c", "A3"))[STICKY]
    assert (found.violations, found.planted, found.found, list(found.doubts)) == (0, 1, 1, [])
    missed = answers(SHARE, stray, got("c", "A1 A2"))[STICKY]
    assert (missed.found, list(missed.doubts)) == (
        0,
        ["1 of 1 planted faults were not found, first stray of A2 at d"],
    )


def test_few_witnesses_are_kept():
    found = answers(SHARE, [Delivered("cd"[n % 2], "A", n) for n in range(20)])[STICKY]
    assert (found.violations, len(found.witnesses)) == (19, 5)


def test_nobody_promises_it_unless_it_is_asked_for():
    history = SHARE, got("c", "A1"), got("d", "A2")
    (told,) = [each for each in judged(*history).judged if each.answer.about is STICKY]
    assert (told.verdict, told.permitted) == (None, True)
    assert judged(*history, expect="sticky").verdict == "fail"
