"""The book of a consumer: what of a message is put down, what is owed to the broker, what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from mqctl.experiments.book import Book, Due
from mqctl.experiments.events import Acked, Delivered, Event, Fault, Foreign, Nacked, Planted, Subscribed
from mqctl.experiments.plan import ConsumerPlan
from mqctl.experiments.planting import Place, Planter
from mqctl.measurement.stamp import Mark
from mqctl.model import AckMode, Topic

PLAN = ConsumerPlan(name="c1", topic=Topic(levels=("t",)), ack=AckMode.INDIVIDUAL)
NOW_NS = 7
FOREIGN = b"foreign"


def _read(payload: bytes) -> Mark | None:
    """A payload is the producer's number and the message's."""
    if payload == FOREIGN:
        return None
    producer, number = payload.split()
    return Mark(1, int(producer), int(number), 3, 4)


class Desk:
    """A book, with what it put down and what it owes."""

    def __init__(self, plan: ConsumerPlan = PLAN, places: Sequence[Place] = ()) -> None:
        self.history: list[Event] = []
        self.owed: list[Due[str]] = []
        self.book: Book[str] = Book(
            plan, Planter(places), names=["A", "B"], read=_read, put=self.history.append, owe=self.owed.append
        )

    def came(self, payload: bytes, token: str | None = None, *, now_ns: int = NOW_NS) -> Mark | None:
        return self.book.came(payload, token, now_ns, redelivered=False)


def _delivered(producer: str, n: int) -> Delivered:
    return Delivered("c1", producer, n, NOW_NS, 3)


def test_what_needs_no_acknowledgement_is_put_down_and_owes_nothing() -> None:
    desk = Desk()
    assert desk.came(b"1 5") == Mark(1, 1, 5, 3, 4)
    assert desk.history == [_delivered("B", 5)]
    assert desk.owed == []


def test_what_was_put_down_is_owed() -> None:
    desk = Desk()
    desk.came(b"0 1", "first")
    desk.came(b"0 1", "again")
    assert desk.history == [_delivered("A", 1)] * 2
    assert desk.owed == [Due("first", _delivered("A", 1)), Due("again", _delivered("A", 1))]


@pytest.mark.parametrize("payload", [FOREIGN, b"2 1"], ids=["unreadable", "of no stream"])
def test_a_stranger_is_acknowledged_without_being_a_message(payload: bytes) -> None:
    desk = Desk()
    assert desk.came(payload, "token") is None
    assert desk.came(payload) is None
    assert desk.history == [Foreign("c1", NOW_NS)] * 2
    assert desk.owed == [Due("token", None)]


def test_what_is_dropped_is_acknowledged_and_never_stood_there() -> None:
    desk = Desk(places=[Place(1, Fault.DROP)])
    desk.came(b"0 1", "dropped")
    assert desk.history == [Planted(Fault.DROP, "c1", "A", 1)]
    assert desk.owed == [Due("dropped", None)]


def test_what_is_spoiled_without_acknowledgements_owes_nothing() -> None:
    desk = Desk(places=[Place(1, Fault.DROP)])
    desk.came(b"0 1")
    desk.came(b"0 2")
    assert desk.history == [Planted(Fault.DROP, "c1", "A", 1), _delivered("A", 2)]
    assert desk.owed == []


def test_what_is_held_back_is_acknowledged_at_once_and_told_with_the_message() -> None:
    """A broker that sends one message at a time would else send no other."""
    desk = Desk(places=[Place(1, Fault.SWAP)])
    desk.came(b"0 1", "first")
    assert (desk.history, desk.owed) == ([], [Due("first", None)])
    desk.came(b"0 2", "second", now_ns=NOW_NS)
    second, first = _delivered("A", 2), _delivered("A", 1)
    assert desk.history[1:] == [second, first, Acked("c1", "A", 1, NOW_NS)]
    assert desk.owed[1:] == [Due("second", second)]


def test_what_is_held_back_at_the_end_is_put_down() -> None:
    desk = Desk(places=[Place(1, Fault.SWAP)])
    desk.came(b"0 1", "first")
    desk.book.finish(NOW_NS)
    assert desk.history == [_delivered("A", 1), Acked("c1", "A", 1, NOW_NS)]


def test_what_was_acknowledged_on_a_connection_that_is_gone_is_not_told() -> None:
    """Whether the broker read it, nobody knows."""
    desk = Desk(places=[Place(1, Fault.SWAP)])
    desk.came(b"0 1", "first")
    desk.book.forget()
    desk.book.finish(NOW_NS)
    assert desk.history == [_delivered("A", 1)]


@pytest.mark.parametrize("silent", [False, True])
def test_who_is_silent_is_not_in_the_history(silent: bool) -> None:
    desk = Desk(replace(PLAN, label="l", group="g", exclusive=True, prefetch=3, silent=silent))
    desk.book.subscribed(NOW_NS)
    told = Subscribed("c1", topic="l", group="g", exclusive=True, ack="individual", prefetch=3, at_ns=NOW_NS)
    assert desk.history == ([] if silent else [told])


def _waiting(*numbers: int) -> list[Due[str]]:
    return [Due(f"t{n}", _delivered("A", n)) for n in numbers]


REFUSING = replace(PLAN, nack_every=2, nack_returns=False)


def test_each_so_manieth_is_refused_the_first_time_it_comes() -> None:
    desk, waiting = Desk(REFUSING), _waiting(1, 2, 3)
    given_back, refused, done = desk.book.settling([Due("dropped", None), *waiting])
    assert (given_back, refused) == ([_delivered("A", 2)], ["t2"])
    assert [due.token for due in done] == ["dropped", "t1", "t3"]
    assert desk.book.settling(waiting).refused == []


@pytest.mark.parametrize(("covers", "given_back"), [(False, [2]), (True, [1, 2])])
def test_a_refusal_in_client_mode_leaves_what_is_before_it_alone(covers: bool, given_back: list[int]) -> None:
    """Who covers gives back all of it; elsewhere the next acknowledgement settles it."""
    desk = Desk(replace(REFUSING, ack=AckMode.CLIENT, nack_covers=covers))
    settling = desk.book.settling(_waiting(1, 2, 3))
    assert settling == ([_delivered("A", n) for n in given_back], ["t2"], _waiting(3))


def test_only_the_last_refusal_covers() -> None:
    desk = Desk(replace(REFUSING, ack=AckMode.CLIENT, nack_covers=True))
    assert desk.book.settling(_waiting(1, 2, 3, 4)) == ([_delivered("A", n) for n in (1, 2, 3, 4)], ["t4"], [])


def test_refusals_are_put_down_with_what_they_mean() -> None:
    desk = Desk(REFUSING)
    desk.book.refused([_delivered("A", 2)], 9)
    assert desk.history == [Nacked("c1", "A", 2, 9, False)]


@pytest.mark.parametrize(
    ("mode", "told", "tokens"),
    [(AckMode.INDIVIDUAL, [1, 2], ["t1", "t2", "dropped"]), (AckMode.CLIENT, [2], ["dropped"])],
)
def test_acknowledgements_are_put_down_before_they_leave(mode: AckMode, told: list[int], tokens: list[str]) -> None:
    """In mode client one acknowledgement covers all before it, so one is told."""
    desk = Desk(replace(PLAN, ack=mode))
    assert desk.book.acked([*_waiting(1, 2), Due("dropped", None)], 9) == tokens
    assert desk.history == [Acked("c1", "A", n, 9) for n in told]
