"""What is planted is where the history says, and a checker that sees finds exactly that."""

from __future__ import annotations

import random

import pytest

from mqctl.experiments.answers import Property
from mqctl.experiments.events import Delivered, Event, Fault, Planted
from mqctl.experiments.planting import DELAY_NS, Place, Planter, places
from tests.unit.experiments.histories import END, answers, got, here, sent


def spoiled(planter: Planter, text: str, consumer: str = "c") -> list[Event]:
    recorded = [event for delivery in got(consumer, text) for event in planter.take(delivery)]
    return [*recorded, *planter.rest()]


def shown(events: list[Event]) -> str:
    return " ".join(
        f"{event.fault}!" if isinstance(event, Planted) else f"{event.producer}{event.n}" for event in events
    )


@pytest.mark.parametrize(
    ("fault", "recorded"),
    [
        (Place(2, Fault.DROP), "A1 drop! A3 A4"),
        (Place(2, Fault.DUPLICATE), "A1 duplicate! A2 A2 A3 A4"),
        (Place(2, Fault.SWAP), "A1 swap! A3 A2 A4"),
        (Place(2, Fault.DELAY), "A1 delay! A2 A3 A4"),
        (Place(9, Fault.DROP), "A1 A2 A3 A4"),
    ],
)
def test_each_fault(fault, recorded):
    planter = Planter([fault])
    assert shown(spoiled(planter, "A1 A2 A3 A4")) == recorded
    assert planter.missing == ((fault,) if fault.at == 9 else ())


def test_a_stray_seems_to_come_to_another_once_one_of_its_producer_came():
    planter = Planter([Place(2, Fault.STRAY, to="d")])
    first, second, planted, stray = spoiled(planter, "A1 B1 A2")
    assert [first.consumer, second.consumer] == ["c", "c"]
    assert planted == Planted(Fault.STRAY, "d", "A", 2)
    assert (stray.consumer, stray.producer, stray.n) == ("d", "A", 2)
    assert planter.missing == ()


def test_a_stray_that_finds_no_place_holds_up_no_other_fault():
    planter = Planter([Place(1, Fault.STRAY, to="d"), Place(2, Fault.DROP)])
    recorded = spoiled(planter, " ".join(f"{producer}1" for producer in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
    assert shown(recorded).count("drop!") == 1
    assert [place.fault for place in planter.missing] == [Fault.STRAY]


def test_without_faults_there_is_nothing_to_do():
    assert Planter().idle
    assert not Planter([Place(1, Fault.DROP)]).idle
    assert not Planter((), set()).idle


def test_what_is_dropped_stays_away_whoever_gets_it_next():
    dropped: set[tuple[str, int]] = set()
    first, second = Planter([Place(1, Fault.DROP)], dropped), Planter((), dropped)
    assert shown(spoiled(first, "A1 A2 A1")) == "drop! A2"
    assert shown(spoiled(second, "A1 A2")) == "A2"


def test_only_what_is_fresh_is_spoiled():
    assert shown(spoiled(Planter([Place(2, Fault.DROP)]), "A1 A1 A1 A2 A3")) == "A1 A1 A1 drop! A3"


@pytest.mark.parametrize(
    ("across", "text", "recorded"),
    [
        (False, "A1 B1 B2 A2", "A1 swap! B2 B1 A2"),
        (True, "A1 A2 B1 A3", "A1 swap! B1 A2 A3"),
        (True, "A1 A2 A3", "A1 A2 A3"),
    ],
)
def test_a_swap_waits_for_two_that_fit(across, text, recorded):
    planter = Planter([Place(1, Fault.SWAP, across=across)])
    assert shown(spoiled(planter, text)) == recorded
    assert bool(planter.missing) == (recorded == text)


def test_a_swap_that_finds_no_place_holds_up_no_other_fault():
    planter = Planter([Place(1, Fault.SWAP, across=True), Place(2, Fault.DROP)])
    recorded = shown(spoiled(planter, " ".join(f"A{n}" for n in range(1, 30))))
    assert recorded.count("drop!") == 1
    assert [place.fault for place in planter.missing] == [Fault.SWAP]


def test_what_comes_again_is_no_partner_of_a_swap():
    assert shown(spoiled(Planter([Place(1, Fault.SWAP)]), "A2 A1 A3 A4")) == "A2 A1 swap! A4 A3"


def test_what_is_held_back_is_known():
    planter = Planter([Place(1, Fault.SWAP)])
    (delivery,) = got("c", "A1")
    assert planter.take(delivery) == ()
    assert planter.holds(delivery)
    assert planter.rest() == (delivery,)
    assert planter.rest() == ()


def test_a_delay_is_one_of_the_record():
    (planted, late) = Planter([Place(1, Fault.DELAY)]).take(Delivered("c", "A", 1, received_ns=5))
    assert (planted.delay_ns, late.received_ns) == (DELAY_NS, DELAY_NS + 5)


def test_places_are_in_the_middle_and_the_same_for_the_same_seed():
    faults = [Place(0, fault) for fault in Fault]
    drawn = places(random.Random(5), faults, 1000)
    assert drawn == places(random.Random(5), faults, 1000)
    assert sorted(place.at for place in drawn) == [place.at for place in drawn]
    assert all(250 <= place.at < 750 for place in drawn)
    assert {place.fault for place in drawn} == set(Fault)
    assert len(places(random.Random(5), faults, 3)) == len(faults)


def test_what_is_planted_is_found():
    planter = Planter([Place(3, Fault.DROP), Place(6, Fault.DUPLICATE), Place(9, Fault.SWAP)])
    text = " ".join(f"A{n}" for n in range(1, 20))
    found = answers([*sent(text), *here("c")], spoiled(planter, text), END)
    for about in (Property.NO_LOSS, Property.NO_DUPLICATES, Property.FIFO):
        assert (found[about].violations, found[about].planted, found[about].found) == (0, 1, 1), about
