"""Order within a producer: first deliveries only, each consumer's own, and of an exclusive group the whole."""

from __future__ import annotations

import pytest

from mqctl.experiments.answers import Look, Property
from mqctl.experiments.events import Fault, FaultBegan
from tests.unit.experiments.histories import answers, got, here, planted

FIFO = Property.FIFO


@pytest.mark.parametrize(
    ("parts", "violations", "episodes"),
    [
        ((got("c", "A1 A2 A3"),), 0, 0),
        ((got("c", "A1 A3 A2"),), 1, 1),
        ((got("c", "A4 A1 A2 A3"),), 3, 1),
        ((got("c", "A2 A1 A4 A3"),), 2, 2),
        ((got("c", "A3 A2 A1"),), 2, 2),
        # A rewind is what comes again, and no disorder.
        ((got("c", "A1 A2 A3 A2 A3 A4"),), 0, 0),
        ((got("c", "A1 A3"),), 0, 0),
        ((got("c", "B1 A1 B2 A2"),), 0, 0),
        ((got("c", "A1 A2"), got("d", "A1 A2")), 0, 0),
        ((got("c", "A2"), got("d", "A1")), 0, 0),
        ((here("c", "d", group="q"), got("c", "A2"), got("d", "A1")), 0, 0),
        ((here("c", "d", group="q"), got("c", "A2"), got("c", "A1")), 1, 1),
        # What comes back from a dead consumer is no first delivery.
        ((here("c", "d", group="q"), got("c", "A1 A2"), got("d", "A3"), got("d", "A1")), 0, 0),
        # What another of the group had before does not count as the latest of this one.
        ((here("c", "d", group="q"), got("c", "A5"), got("d", "A3 A5 A4")), 0, 0),
        # In stretches of their own.
        ((got("c", "A2 A3"), [FaultBegan("cut")], got("c", "A1")), 1, 1),
        ((got("c", "A2 A3"), [FaultBegan("cut")], got("c", "A2 A3 A4")), 0, 0),
        ((here("c", "d", group="q", exclusive=True), got("c", "A2"), got("d", "A1")), 1, 1),
        ((here("c", "d", group="q", exclusive=True), got("c", "A1 A2"), got("d", "A2 A3")), 0, 0),
    ],
)
def test_what_is_out_of_order(parts, violations, episodes):
    found = answers(*parts)[FIFO]
    assert (found.violations, found.numbers["episodes"]) == (violations, episodes)
    assert len(found.witnesses) == episodes


def test_the_witness_names_the_line_and_draws_what_came():
    found = answers(got("c", "A1 B1 A3 B2 A2 B3"))[FIFO]
    (witness,) = found.witnesses
    assert (witness.text, witness.line) == ("c got A2 after A3", 6)
    assert [(c.producer, c.n) for c in witness.rows[0].cells] == [
        ("A", 1),
        ("B", 1),
        ("A", 3),
        ("B", 2),
        ("A", 2),
        ("B", 3),
    ]
    assert [c.n for c in witness.rows[0].cells if c.look is Look.MARKED] == [3, 2]
    assert found.numbers["farthest"] == 1


def test_chances_are_the_messages_that_came_behind_another():
    assert answers(got("c", "A1 A2 A3 B1"), got("d", "A1"))[FIFO].chances == 2


@pytest.mark.parametrize("told", ["A2 A3", "A3 A2"])
def test_a_swap_is_found_whichever_is_named_first(told):
    found = answers(planted(Fault.SWAP, "c", told), got("c", "A1 A3 A2 A4"))[FIFO]
    assert (found.violations, found.found) == (0, 1)


def test_a_planted_swap_is_found_once():
    swap = planted(Fault.SWAP, "c", "A2 A3")
    found = answers(swap, got("c", "A1 A3 A2 A4"))[FIFO]
    assert (found.violations, found.planted, found.found, len(found.doubts)) == (0, 1, 1, 0)
    missed = answers(swap, got("c", "A1 A2 A3"), got("d", "A1 A3 A2"))[FIFO]
    assert (missed.violations, missed.found, missed.doubts) == (
        1,
        0,
        ("1 of 1 planted faults were not found, first swap of A2 and A3 at c",),
    )


def test_a_swap_of_two_producers_is_nothing_to_look_for_here():
    assert answers(planted(Fault.SWAP, "c", "A2 B3"), got("c", "A1 A2"))[FIFO].planted == 0


def test_what_was_delayed_on_purpose_may_come_late():
    delay = planted(Fault.DELAY, "c", "A2", delay_ns=1)
    assert answers(delay, got("c", "A1 A3 A4 A2"))[FIFO].violations == 0
    assert answers(delay, got("c", "A1 A4 A3 A2"))[FIFO].violations == 1


def test_few_witnesses_are_kept():
    found = answers(got("c", " ".join(f"A{n + 1} A{n}" for n in range(1, 40, 2))))[FIFO]
    assert (found.violations, len(found.witnesses)) == (20, 5)
