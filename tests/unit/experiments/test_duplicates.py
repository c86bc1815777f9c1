"""Duplicates: what comes twice, unless it was sent twice, given back, or planted; and what two of a group got."""

from __future__ import annotations

import pytest

from mqctl.experiments.answers import Property
from mqctl.experiments.events import ConnectionLost, Fault, Killed, Nacked, Requeued
from tests.unit.experiments.histories import answers, attempted, got, here, planted, sent

TWICE, ONE = Property.NO_DUPLICATES, Property.ONE_CONSUMER


@pytest.mark.parametrize(
    ("parts", "twice", "to_two"),
    [
        ((got("c", "A1 A2"),), 0, 0),
        ((got("c", "A1 A1"),), 1, 0),
        ((got("c", "A1 A2 A1 A2 A1"),), 3, 0),
        ((got("c", "A1"), got("d", "A1")), 0, 0),
        ((here("c", "d", group="q"), got("c", "A1"), got("d", "A2")), 0, 0),
        ((here("c", "d", group="q"), got("c", "A1"), got("d", "A1")), 1, 1),
        ((here("c", "d", group="q"), got("c", "A1"), Nacked("c", "A", 1), got("d", "A1")), 0, 0),
        ((here("c", "d", group="q"), got("c", "A1"), Requeued("c", "A", 1), got("d", "A1")), 0, 0),
        ((here("c", "d", group="q"), got("c", "A1"), Nacked("c", "A", 1, requeue=False), got("d", "A1")), 1, 1),
        ((here("c", "d", group="q"), got("c", "A1"), ConnectionLost("c"), got("d", "A1")), 1, 0),
        ((here("c", "d", group="q"), got("c", "A1"), Killed("broker"), got("d", "A1")), 1, 0),
        ((here("c", "d", group="q"), got("c", "A1"), Killed("somebody"), got("d", "A1")), 1, 1),
        # Asked back once, it comes once.
        ((Nacked("c", "A", 1), got("c", "A1 A1 A1")), 1, 0),
        # Asked back twice before it came, it comes twice.
        ((got("c", "A1"), Nacked("c", "A", 1), Nacked("c", "A", 1), got("c", "A1 A1 A1")), 1, 0),
        # Sent twice, it may come twice.
        ((attempted("A1"), sent("A1"), got("c", "A1 A1")), 0, 0),
        ((sent("A1 A2"), attempted("A2"), got("c", "A1 A2 A1 A2")), 1, 0),
    ],
)
def test_what_came_twice(parts, twice, to_two):
    found = answers(*parts)
    assert (found[TWICE].violations, found[ONE].violations) == (twice, to_two)
    assert (len(found[TWICE].witnesses), len(found[ONE].witnesses)) == (twice, to_two)


def test_chances():
    found = answers(here("c", "d", group="q"), here("e", group="r"), got("c", "A1 A1"), got("e", "A1"))
    assert (found[TWICE].chances, found[ONE].chances) == (3, 1)


def test_the_witness_names_the_line():
    (witness,) = answers(got("c", "A1 B1 A1"))[TWICE].witnesses
    assert (witness.text, witness.line) == ("c got A1, which c had got before", 4)


def test_unflagged_ones_are_told():
    found = answers(got("c", "A1 A2"), got("c", "A1", redelivered=True), got("c", "A2"))[TWICE]
    assert (found.violations, found.numbers["unflagged"]) == (2, 1)


def test_a_planted_duplicate_is_found_once():
    double = planted(Fault.DUPLICATE, "c", "A1")
    found = answers(double, got("c", "A1 A1"))[TWICE]
    assert (found.violations, found.planted, found.found) == (0, 1, 1)
    assert answers(double, got("c", "A1 A1 A1"))[TWICE].violations == 1
    missed = answers(double, got("c", "A1"))[TWICE]
    assert (missed.found, missed.doubts) == (0, ("1 of 1 planted faults were not found, first duplicate of A1 at c",))


def test_few_witnesses_are_kept():
    found = answers(got("c", "A1 " * 20))[TWICE]
    assert (found.violations, len(found.witnesses)) == (19, 5)
