"""Acknowledgements: they hold, what is given back comes again, prefetch is kept, flags are honest."""

from __future__ import annotations

import pytest

from mqctl.experiments.answers import Property
from mqctl.experiments.checkers import acks
from mqctl.experiments.events import Acked, ConnectionLost, Event, Killed, Nacked, Requeued, Unsubscribed
from tests.unit.experiments.histories import END, answers, attempted, got, here, names, sent

HOLDS, AGAIN, PREFETCH, FLAGS = Property.ACK_HOLDS, Property.REDELIVERY, Property.PREFETCH, Property.FLAGS
ONE = here("c", ack="individual")
GROUP = here("c", "d", group="q", ack="individual")
CLIENT = here("c", ack="client")
SURE = Acked("c", "A", 1, confirmed=True)


def acked(consumer: str, text: str, **fields: bool) -> list[Event]:
    return [Acked(consumer, *name, **fields) for name in names(text)]


@pytest.mark.parametrize(
    ("parts", "broken", "chances"),
    [
        ((ONE, got("c", "A1 A2"), acked("c", "A1 A2")), 0, 2),
        ((ONE, got("c", "A1"), acked("c", "A1"), got("c", "A1")), 1, 1),
        ((ONE, got("c", "A1 A2"), acked("c", "A2"), got("c", "A1")), 0, 1),
        ((here("c", ack="client"), got("c", "A1 A2 A3"), acked("c", "A2"), got("c", "A1")), 1, 2),
        ((here("c", ack="client"), got("c", "A1 A2 A3"), acked("c", "A2"), got("c", "A3")), 0, 2),
        ((GROUP, got("c", "A1"), acked("c", "A1"), got("d", "A1")), 1, 1),
        ((here("c", "d", ack="individual"), got("c", "A1"), acked("c", "A1"), got("d", "A1")), 0, 1),
        # Not confirmed, it may have been lost with the connection; confirmed, it was not.
        ((GROUP, got("c", "A1"), acked("c", "A1"), ConnectionLost("c"), got("d", "A1")), 0, 1),
        ((GROUP, got("c", "A1"), acked("c", "A1", confirmed=True), ConnectionLost("c"), got("d", "A1")), 1, 1),
        # Told again, now that it is.
        ((GROUP, got("c", "A1"), acked("c", "A1"), SURE, ConnectionLost("c"), got("d", "A1")), 1, 1),
        ((GROUP, got("c", "A1 A2"), acked("c", "A1 A2"), SURE, ConnectionLost("c"), got("d", "A2")), 0, 2),
        ((CLIENT, got("c", "A1 A2 A3"), acked("c", "A1 A2 A3"), SURE, ConnectionLost("c"), got("c", "A1")), 1, 3),
        ((CLIENT, got("c", "A2 A1 A3"), acked("c", "A2 A1 A3"), SURE, ConnectionLost("c"), got("c", "A2 A3")), 1, 3),
        ((GROUP, got("c", "A1"), acked("c", "A1"), ConnectionLost("d"), got("d", "A1")), 1, 1),
        # An acknowledgement of what one does not hold covers nothing.
        ((ONE, got("c", "A1"), acked("c", "A2"), got("c", "A1")), 0, 0),
        ((here("c"), got("c", "A1"), acked("c", "A1"), got("c", "A1")), 0, 0),
        ((ONE, here("d"), got("d", "A1"), acked("d", "A1"), got("d", "A1")), 0, 0),
    ],
)
def test_an_acknowledgement_holds(parts, broken, chances):
    found = answers(*parts)[HOLDS]
    assert (found.violations, found.chances) == (broken, chances)
    assert len(found.witnesses) == broken


def test_what_was_acknowledged_long_before_the_connection_was_lost_has_arrived(monkeypatch):
    monkeypatch.setattr(acks, "UNSURE_MAX", 1)
    found = answers(GROUP, got("c", "A1 A2"), acked("c", "A1 A2"), ConnectionLost("c"), got("d", "A1 A2"))[HOLDS]
    assert (found.violations, found.chances) == (1, 2)


@pytest.mark.parametrize(
    ("parts", "broken", "chances"),
    [
        ((ONE, got("c", "A1"), Nacked("c", "A", 1), got("c", "A1")), 0, 1),
        ((ONE, got("c", "A1"), Nacked("c", "A", 1)), 1, 1),
        ((ONE, got("c", "A1"), Nacked("c", "A", 1, requeue=False)), 0, 0),
        ((ONE, got("c", "A1"), Requeued("c", "A", 1)), 1, 1),
        ((GROUP, got("c", "A1 A2"), Killed("c"), got("d", "A1 A2")), 0, 2),
        ((GROUP, got("c", "A1 A2"), Killed("c"), got("d", "A1")), 1, 2),
        ((GROUP, got("c", "A1 A2"), ConnectionLost("c"), got("c", "A1 A2")), 0, 2),
        ((GROUP, got("c", "A1"), got("d", "A2"), Killed("broker"), got("c", "A1")), 1, 2),
        # Delivered before it was confirmed, and never confirmed: the broker may forget it.
        ((sent("A1"), attempted("A2"), ONE, got("c", "A1 A2"), ConnectionLost("c"), got("c", "A1")), 0, 2),
        ((sent("A1"), attempted("A2"), ONE, got("c", "A1 A2"), ConnectionLost("c"), got("c", "A2")), 1, 2),
        ((attempted("A1"), ONE, got("c", "A1"), ConnectionLost("c")), 1, 1),
        ((sent("B1"), ONE, got("c", "A1"), ConnectionLost("c")), 1, 1),
        ((GROUP, got("c", "A1"), acked("c", "A1"), Killed("c")), 0, 0),
        ((ONE, got("c", "A1"), ConnectionLost("somebody")), 0, 0),
        ((ONE, got("c", "A1"), ConnectionLost("c"), Unsubscribed("c")), 0, 1),
        ((here("c"), got("c", "A1"), ConnectionLost("c")), 0, 0),
    ],
)
def test_what_is_given_back_comes_again(parts, broken, chances):
    found = answers(*parts, END)[AGAIN]
    assert (found.violations, found.chances, found.certain) == (broken, chances, True)


def test_what_was_given_back_may_be_on_its_way():
    found = answers(ONE, got("c", "A1"), Nacked("c", "A", 1))[AGAIN]
    assert (found.violations, found.certain, len(found.doubts)) == (1, False, 1)
    assert found.witnesses[0].text == "A1 did not come to c again after it was refused"


@pytest.mark.parametrize(
    ("parts", "broken"),
    [
        ((got("c", "A1 A2"), acked("c", "A1"), got("c", "A3")), 0),
        ((got("c", "A1 A2 A3"),), 1),
        ((got("c", "A1 A2"), acked("c", "A1"), got("c", "A3 A4")), 1),
        ((got("c", "A1 A2"), Nacked("c", "A", 1), got("c", "A3")), 0),
        ((got("c", "A1 A2"), ConnectionLost("c"), got("c", "A1 A2")), 0),
        ((got("c", "A1 A2"), ConnectionLost("c"), got("c", "A3 A4")), 0),
    ],
)
def test_prefetch_is_kept(parts, broken):
    found = answers(here("c", ack="individual", prefetch=2), *parts)[PREFETCH]
    assert (found.violations, found.numbers["most"]) == (broken, 3 if broken else 2)


def test_the_witness_names_the_line():
    found = answers(here("c", ack="individual", prefetch=1), got("c", "A1 A2"))[PREFETCH]
    assert (found.witnesses[0].text, found.witnesses[0].line) == ("c had 2 messages at a prefetch of 1", 4)
    many = answers(here("c", ack="individual", prefetch=1), got("c", " ".join(f"A{n}" for n in range(20))))[PREFETCH]
    assert (many.violations, len(many.witnesses)) == (19, 5)


def test_flags_of_those_who_acknowledge_nothing_are_seen_too():
    found = answers(got("c", "A1 A1"), got("c", "A1", redelivered=True), got("c", "A2", redelivered=True))[FLAGS]
    assert (found.violations, found.chances, found.numbers["flagged_first"]) == (1, 2, 1)
    assert found.witnesses[0].text == "c got A1 again, not flagged as redelivered"
