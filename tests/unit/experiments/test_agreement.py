"""Agreement: consumers of the same messages see several producers interleaved alike."""

from __future__ import annotations

import pytest

from mqctl.experiments import pairwise
from mqctl.experiments.answers import Look, Property
from mqctl.experiments.checkers import agreement
from mqctl.experiments.events import Delivered, Fault, FaultBegan, FaultEnded
from tests.unit.experiments.histories import answers, got, here, planted, sent

AGREEMENT = Property.AGREEMENT
SEED = (got("Chart 1", "A1 B1 A2 B2 B3"), got("Chart 2", "B1 B2 A1 A2 B3"))
"""The picture that all began with: each producer in order, and the two consumers see another order."""


@pytest.mark.parametrize(
    ("parts", "violations", "uncommon"),
    [
        (SEED, 3, 0),
        ((got("c", "A1 B1 A2 B2"), got("d", "A1 B1 A2 B2")), 0, 0),
        ((got("c", "A1 B1"), got("d", "B1 A1")), 1, 0),
        ((got("c", "A1 B1"), got("d", "B1 A1"), got("e", "B1 A1")), 2, 0),
        # A rewind shows a message again, and its first place counts.
        ((got("c", "A1 B1"), got("d", "A1 B1 A1")), 0, 0),
        ((got("c", "A1 B1 A2"), got("d", "A1 A2")), 0, 1),
        ((here("c", topic="x"), here("d", topic="y"), got("c", "A1 B1"), got("d", "B1 A1")), 0, 0),
        ((here("c", "d", group="q"), got("c", "A1 B1"), got("d", "B2 A2"), got("e", "A2 B2")), 0, 0),
        ((here("c", "d", group="q", exclusive=True), got("c", "A1 B1"), got("d", "A2"), got("e", "B1 A1 A2")), 1, 0),
        # Whoever comes later is not owed what was sent before.
        ((here("c"), sent("A1"), got("c", "A1"), here("d"), sent("B1"), got("c", "B1"), got("d", "B1")), 0, 0),
        ((got("c", "A1 B1"),), 0, 0),
    ],
)
def test_what_is_seen_in_different_order(parts, violations, uncommon):
    found = answers(*parts)[AGREEMENT]
    assert (found.violations, found.numbers["uncommon"]) == (violations, uncommon)
    assert bool(found.witnesses) is bool(violations)
    assert any("cannot be compared" in doubt for doubt in found.doubts) is bool(uncommon)


def test_the_witness_draws_both():
    found = answers(*SEED)[AGREEMENT]
    (witness,) = found.witnesses
    assert witness.text == "Chart 1 got A1 before B1, Chart 2 after"
    assert [[f"{c.producer}{c.n}" for c in row.cells if c.look is Look.MARKED] for row in witness.rows] == [
        ["A1", "B1"],
        ["B1", "A1"],
    ]
    assert len(witness.rows[0].cells) == 5
    assert dict(found.numbers) == {"pairs": 1, "compared": 5, "distance": 3, "uncommon": 0}


def test_two_far_apart_are_drawn_alone():
    many = " ".join(f"B{n}" for n in range(1, 20))
    (witness,) = answers(got("c", f"A1 {many}"), got("d", f"{many} A1"))[AGREEMENT].witnesses
    assert [len(row.cells) for row in witness.rows] == [5, 2]


def test_where_producers_did_not_compete_nothing_is_proved():
    alone = " ".join(f"A{n}" for n in range(1, 300))
    found = answers(got("c", f"{alone} B1"), got("d", f"{alone} B1"))[AGREEMENT]
    assert found.chances == 1
    assert "hardly competed" in found.doubts[0]
    mixed = " ".join(f"A{n} B{n}" for n in range(1, 100))
    assert not answers(got("c", mixed), got("d", mixed))[AGREEMENT].doubts


@pytest.mark.parametrize(
    ("fault", "text"),
    [(Fault.SWAP, "A1 B1"), (Fault.SWAP, "B1 A1"), (Fault.SWAP, "A1 A2")],
)
def test_a_planted_swap_is_found_by_the_counting(fault, text):
    one, other = text.split()
    swapped = f"{other} {one} B3" if text != "B1 A1" else "A1 B1 B3"
    straight = f"{one} {other} B3" if text != "B1 A1" else "B1 A1 B3"
    found = answers(planted(fault, "c", text), got("c", swapped), got("d", straight), got("e", straight))[AGREEMENT]
    assert (found.violations, found.planted, found.found, list(found.doubts)) == (0, 1, 1, [])
    assert not found.witnesses


def test_a_planted_swap_that_is_not_there_is_told():
    swap = planted(Fault.SWAP, "c", "A1 B1")
    found = answers(swap, got("c", "A1 B1 A2 B2"), got("d", "A1 B1 B2 A2"))[AGREEMENT]
    assert (found.violations, found.planted, found.found) == (1, 1, 0)
    assert found.doubts == ["1 of 1 planted faults were not found, first swap of A1 and B1 at c"]
    assert answers(swap, got("c", "A1"), got("d", "A1"))[AGREEMENT].found == 0


def test_a_swap_is_found_though_the_other_was_ahead():
    """`planted` stands where the swap is: who is faster got both before that line."""
    swap = planted(Fault.SWAP, "c", "A1 B1")
    found = answers(got("d", "A1 B1"), swap, got("c", "B1 A1"))[AGREEMENT]
    assert (found.violations, found.planted, found.found, list(found.doubts)) == (0, 1, 1, [])


def test_a_swap_that_the_counting_does_not_see_is_not_found(monkeypatch):
    monkeypatch.setattr(pairwise, "inversions", lambda _: 0)
    found = answers(planted(Fault.SWAP, "c", "A1 B1"), got("c", "B1 A1"), got("d", "A1 B1"))[AGREEMENT]
    assert (found.violations, found.found, len(found.doubts)) == (0, 0, 1)


def test_with_nobody_to_compare_a_swap_is_not_looked_for():
    found = answers(planted(Fault.SWAP, "c", "A1 B1"), got("c", "B1 A1"))[AGREEMENT]
    assert (found.planted, found.chances, list(found.doubts)) == (0, 0, [])


def test_what_was_dropped_or_delayed_on_purpose_has_no_place():
    drop, delay = planted(Fault.DROP, "c", "A1"), planted(Fault.DELAY, "c", "B1", delay_ns=5)
    parts = got("c", "A2 B2 B1"), got("d", "A1 B1 A2 B2")
    assert answers(*parts)[AGREEMENT].numbers["uncommon"] == 1
    found = answers(drop, delay, planted(Fault.DUPLICATE, "c", "A2"), *parts)[AGREEMENT]
    assert (found.violations, found.numbers["uncommon"], list(found.doubts)) == (0, 0, [])


def test_one_that_stays_alone_is_not_kept_for_ever(monkeypatch):
    monkeypatch.setattr(agreement, "ALONE_MAX", 10)
    messages = [Delivered("c", "A", n) for n in range(12_000)]
    found = answers(messages, got("d", "A11999"))[AGREEMENT]
    assert found.numbers["pairs"] == 1
    assert found.numbers["uncommon"] < 12_000


def test_what_is_forgotten_is_drawn_alone(monkeypatch):
    monkeypatch.setattr(pairwise, "SETTLE_MIN", 1)
    # Something changes in between, so that it is looked at in three stretches.
    before = got("c", "A1 B1 B2"), got("d", "B1 B2"), FaultBegan("cut"), got("c", "B3"), got("d", "B3")
    found = answers(*before, FaultEnded("cut"), got("d", "A1"))[AGREEMENT]
    assert (found.violations, found.numbers["compared"]) == (3, 4)
    (witness,) = found.witnesses
    assert witness.text == "c got A1 before B3, d after"
    assert [len(row.cells) for row in witness.rows] == [2, 2]
