"""What speaks against acknowledgements is drawn: what was done above what came all the same, or did not come."""

from __future__ import annotations

from mqctl.experiments.answers import Property, Row, Witness
from mqctl.experiments.diagram import label
from mqctl.experiments.events import Acked, Event, Fault, Killed, Nacked
from tests.unit.experiments.histories import END, answers, got, here, names, planted

ONE = here("c", ack="individual")


def acked(consumer: str, text: str) -> list[Event]:
    return [Acked(consumer, *name) for name in names(text)]


def only(about: Property, *parts: Event | list[Event]) -> Witness:
    (witness,) = answers(*parts, END)[about].witnesses
    return witness


def drawn(witness: Witness) -> dict[str, str]:
    rows: tuple[Row, ...] = witness.rows
    return {row.name: ", ".join(map(label, row.cells)) for row in rows}


def test_what_came_though_it_had_been_acknowledged_stands_below_that():
    first = got("c", "A1 B1 A2 A3 A4 A5 A6 A7 A8 A9"), acked("c", "A1 A2 A3 A5 A6 A7 A8 A9")
    witness = only(Property.ACK_HOLDS, ONE, *first, got("c", "A10 A5"), END)
    assert drawn(witness) == {
        "acknowledged": "A2, A3, A5!, A6, A7",
        "c": "A5!, A6, A7, A8, A9, A10, A5!",
    }
    assert witness.line == 22


def test_what_was_given_back_stands_above_what_never_came():
    witness = only(
        Property.REDELIVERY, ONE, got("c", "A1 A2"), Nacked("c", "A", 1), Nacked("c", "A", 2), got("c", "A2")
    )
    assert drawn(witness) == {"given back": "A1!", "c": "no A1"}


def test_its_neighbours_are_those_that_did_not_come_either():
    held = got("c", " ".join(f"A{n}" for n in range(10)))
    found = answers(here("c", "d", group="q", ack="individual"), held, Killed("c"), END)[Property.REDELIVERY].witnesses
    assert drawn(found[4]) == {
        "given back": "A1, A2, A3, A4!, A5, A6",
        "q": "no A1, no A2, no A3, no A4, no A5, no A6",
    }


def test_what_is_held_beyond_the_prefetch_is_marked():
    consumer = here("c", ack="individual", prefetch=8)
    witness = only(Property.PREFETCH, consumer, got("c", "A1 A2 A3 A4 A5 A6 A7 B1 B2"))
    assert drawn(witness) == {
        "may be held": "A3, A4, A5, A6, A7, B1",
        "c held": "A3, A4, A5, A6, A7, B1, B2!",
    }


def test_what_is_not_flagged_is_marked():
    witness = only(Property.FLAGS, got("c", "A1 A2 A1"))
    assert drawn(witness) == {"c": "A1!, A2, A1!"}


def test_what_was_doubled_on_purpose_has_no_flag_to_carry():
    double = planted(Fault.DUPLICATE, "c", "A1")
    found = answers(double, got("c", "A1 A1 A2 A2"))[Property.FLAGS]
    assert (found.violations, found.chances) == (1, 1)
