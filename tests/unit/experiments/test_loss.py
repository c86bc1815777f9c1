"""Loss, gaps and strangers: each by the smallest history that shows it, and by the nearest one that does not."""

from __future__ import annotations

import pytest

from mqctl.experiments.answers import Look, Property
from mqctl.experiments.events import End, Fault, Foreign, Rejected, Subscribed, Unknown, Unsubscribed
from tests.unit.experiments.histories import END, answers, attempted, got, here, planted, sent

LOSS, GAPS, STRANGERS = Property.NO_LOSS, Property.NO_GAPS, Property.NO_STRANGERS


@pytest.mark.parametrize(
    ("parts", "lost", "gaps"),
    [
        ((here("c"), sent("A1 A2 A3"), got("c", "A1 A2 A3"), END), 0, 0),
        ((here("c"), sent("A1 A2 A3"), got("c", "A1 A3"), END), 1, 1),
        ((here("c"), sent("A1 A2 A3"), got("c", "A1 A2"), END), 1, 0),
        ((here("c"), sent("A1 A2 A3"), got("c", "A2 A3"), END), 1, 0),
        ((here("c"), sent("A1 A2"), END), 2, 0),
        ((here("c", "d"), sent("A1"), got("c", "A1"), END), 1, 0),
        ((sent("A1 A2"), here("c"), sent("A3"), got("c", "A3"), END), 0, 0),
        ((here("c"), attempted("A1 A2 A3"), got("c", "A1 A3"), END), 0, 1),
        ((here("c"), sent("A1"), attempted("A2"), Rejected("A", 2), sent("A3"), got("c", "A1 A3"), END), 0, 0),
        ((here("c"), sent("A1"), attempted("A2"), Unknown("A", 2), sent("A3"), got("c", "A1 A3"), END), 0, 1),
        ((here("c", "d", group="q"), sent("A1 A2 A3"), got("c", "A1 A3"), got("d", "A2"), END), 0, 0),
        ((here("c"), sent("A1 A2 A3"), got("c", "A1"), Unsubscribed("c"), END), 0, 0),
        ((here("c"), sent("A1 A2 A3"), got("c", "A1 A3"), Unsubscribed("c"), END), 1, 1),
        ((here("c", "d", group="q"), sent("A1 A2"), got("c", "A1"), Unsubscribed("c"), END), 1, 0),
        ((here("c"), sent("A1 A2 A3"), got("c", "A1 A3 A2"), END), 0, 0),
        ((sent("A1 A2"), got("c", "A1"), END), 1, 0),
    ],
)
def test_what_is_lost_and_what_is_a_gap(parts, lost, gaps):
    found = answers(*parts)
    assert (found[LOSS].violations, found[GAPS].violations) == (lost, gaps)
    assert bool(found[LOSS].witnesses) is bool(lost)
    assert bool(found[GAPS].witnesses) is bool(gaps)


def test_nobody_misses_what_was_sent_to_another_topic():
    one, other = sent("A1 A2"), sent("B1")
    topics = {"A": "a", "B": "b"}
    named = [type(event)(event.producer, event.n, topics[event.producer]) for event in (one[0], one[2], other[0])]
    found = answers(Subscribed("c", "a"), Subscribed("d", "b"), named, one[1::2], other[1], got("c", "A1 A2"), END)
    assert (found[LOSS].violations, found[LOSS].chances) == (1, 3)
    assert found[LOSS].witnesses[0].text == "d never got B1"


def test_what_is_missing_before_all_was_read_may_be_on_its_way():
    for end in ((), (End(),)):
        found = answers(here("c"), sent("A1 A2"), got("c", "A1"), *end)[LOSS]
        assert (found.violations, found.certain, len(found.doubts)) == (1, False, 1)
    assert answers(here("c"), sent("A1"), got("c", "A1"))[LOSS].doubts == ()


def test_the_numbers_add_up():
    outcomes = [Rejected("A", 2), Unknown("A", 3)]
    found = answers(here("c"), attempted("A2 A3 A4"), outcomes, sent("A1"), got("c", "A1 A3"), END)[LOSS]
    assert dict(found.numbers) == {
        "attempted": 4,
        "confirmed": 1,
        "rejected": 1,
        "unknown": 2,
        "expected": 1,
        "delivered": 1,
        "lost": 0,
        "recovered": 1,
    }


@pytest.mark.parametrize(
    ("parts", "strangers"),
    [
        ((sent("A1"), got("c", "A1")), 0),
        ((sent("A1"), got("c", "A1 A2")), 1),
        ((sent("A1"), got("c", "A1 B1")), 1),
        ((sent("A1"), attempted("A2"), Rejected("A", 2), got("c", "A1 A2")), 1),
        ((sent("A1"), attempted("A2"), Unknown("A", 2), got("c", "A1 A2")), 0),
        ((sent("A1"), got("c", "A1"), Foreign("c")), 1),
    ],
)
def test_what_nobody_sent_is_a_stranger(parts, strangers):
    assert answers(*parts)[STRANGERS].violations == strangers


def test_without_a_word_of_publishing_nobody_is_a_stranger_and_gaps_are_seen_all_the_same():
    found = answers(got("c", "A1 A3"))
    assert (found[STRANGERS].violations, found[STRANGERS].chances) == (0, 0)
    assert found[STRANGERS].doubts
    assert found[LOSS].chances == 0
    assert found[GAPS].violations == 1


def test_a_planted_drop_is_found_and_no_loss():
    parts = (here("c"), planted(Fault.DROP, "c", "A2"), sent("A1 A2 A3"))
    found = answers(*parts, got("c", "A1 A3"), END)
    for about in (LOSS, GAPS):
        assert (found[about].violations, found[about].planted, found[about].found) == (0, 1, 1)
        assert not found[about].doubts
    missed = answers(*parts, got("c", "A1 A2 A3"), END)[LOSS]
    assert (missed.planted, missed.found) == (1, 0)
    assert missed.doubts == ("1 of 1 planted faults were not found, first drop of A2 at c",)


def test_what_is_lost_besides_a_planted_drop_is_the_brokers():
    found = answers(here("c"), planted(Fault.DROP, "c", "A2"), sent("A1 A2 A3 A4"), got("c", "A1 A4"), END)[LOSS]
    assert (found.violations, found.found) == (1, 1)
    assert found.witnesses[0].text == "c never got A3"


def test_a_witness_shows_what_came_round_it():
    row = answers(here("c"), sent("A1 A2 A3 A4 A5 A6"), got("c", "A1 A2 A6"), END)[LOSS].witnesses[0].rows[0]
    assert [(cell.n, cell.look) for cell in row.cells] == [
        *((n, Look.PLAIN) for n in (1, 2)),
        *((n, Look.ABSENT) for n in (3, 4, 5)),
        (6, Look.PLAIN),
    ]


def test_a_few_witnesses_stand_for_many():
    numbers = " ".join(f"A{n}" for n in range(1, 100))
    odd = " ".join(f"A{n}" for n in range(1, 100, 2))
    found = answers(here("c"), sent(numbers), got("c", odd), END)[LOSS]
    assert (found.violations, len(found.witnesses)) == (49, 5)
    assert found.witnesses[0].text == "c never got A2"
    ranges = answers(here("c"), sent("A1 A2 A3 A4"), got("c", "A1 A4"), END)[LOSS]
    assert ranges.witnesses[0].text == "c never got A2 to A3"
