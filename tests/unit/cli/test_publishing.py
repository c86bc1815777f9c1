"""The books of a publish: every message attempted is confirmed, rejected or unknown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqctl.cli.interrupts import Interrupts
from mqctl.cli.publishing import REASONS_TOLD, WINDOW, Publisher, Tally
from mqctl.cli.sources import BadInput, from_lines
from mqctl.errors import ExitCode, TopicError, UnsupportedError
from mqctl.model import (
    Confirmation,
    Confirmed,
    Disconnected,
    Fault,
    Outgoing,
    Rejected,
    Topic,
    Unknown,
    UnknownCause,
)
from tests.unit.cli.fakes import CONFIRMED, FakeConnection, Fate, filled
from tests.unit.cli.test_sources import BARE, TEMPLATE

LOST = Unknown("gone", UnknownCause.LOST)
LATE = Unknown("late", UnknownCause.TIMEOUT)


def message(n: int = 0) -> Outgoing:
    return Outgoing(topic=Topic(levels=("t",)), payload=b"%d" % n)


def publisher(connection: FakeConnection, *events: object, **more) -> Publisher:
    usual = {
        "complain": [].append,
        "interval_s": 0.0,
        "confirm_timeout_s": 0.5,
        "keep_going": False,
        "interrupts": Interrupts(),
    }
    return Publisher(connection=connection, inbox=filled(*events), tally=Tally(), **{**usual, **more})


@given(st.lists(st.sampled_from([CONFIRMED, Rejected("no"), LOST, LATE])))
def test_the_books_always_balance(outcomes):
    tally = Tally(attempted=len(outcomes))
    for outcome in outcomes:
        tally.count(outcome)
    assert tally.attempted == tally.confirmed + tally.rejected + tally.unknown
    assert tally.unknown == tally.lost + tally.late
    assert len(tally.reasons) == len({outcome.reason for outcome in outcomes if not isinstance(outcome, Confirmed)})
    assert tally.given_up == (tally.unknown > 0)


@pytest.mark.parametrize(
    ("books", "code"),
    [
        (Tally(attempted=1, confirmed=1), ExitCode.OK),
        (Tally(), ExitCode.OK),
        (Tally(attempted=1, bad_input=1), ExitCode.USAGE),
        (Tally(attempted=1, late=1, bad_input=1), ExitCode.INCONCLUSIVE),
        (Tally(attempted=1, lost=1, late=1), ExitCode.CONNECTION),
        (Tally(attempted=1, confirmed=1, cut=""), ExitCode.CONNECTION),
        (Tally(attempted=2, rejected=1, lost=1), ExitCode.REFUSED),
        (Tally(attempted=1, asked=Confirmation.NONE), ExitCode.OK),
    ],
)
def test_the_gravest_finding_decides_the_exit_code(books, code):
    assert books.exit_code() is code


@pytest.mark.parametrize(
    ("asked", "confirmed", "ending"), [("BROKER", 1, ""), ("SOCKET", 1, " (--confirm socket)"),
                                       ("NONE", 0, " (--confirm none)")],
)  # fmt: skip
def test_what_was_not_asked_for_is_not_called_confirmed(asked, confirmed, ending):
    tally = Tally(attempted=1, asked=Confirmation[asked])
    tally.count(Confirmed(Confirmation[asked]))
    assert tally.line() == f"attempted 1, confirmed {confirmed}, rejected 0, unknown {1 - confirmed}{ending}"
    assert not tally.given_up


def test_a_broker_that_has_a_reason_for_each_message_is_not_quoted_for_ever():
    tally = Tally()
    for n in range(REASONS_TOLD + 3):
        tally.count(Rejected(f"message {n} is not wanted"))
    tally.count(Rejected("message 0 is not wanted"))
    assert (len(tally.reasons), tally.untold) == (REASONS_TOLD, 3)


def test_a_run_ends_with_its_source_or_its_count():
    connection = FakeConnection()
    run = publisher(connection)
    run.run(iter([message(n) for n in range(5)]), None)
    run.run(iter([message(n) for n in range(5)]), 7)
    run.settle(1.0)
    assert [each.payload for each in connection.sent] == [b"0", b"1", b"2", b"3", b"4", b"0", b"1"]
    assert (run.tally.attempted, run.tally.confirmed) == (7, 7)
    assert set(connection.asked) == {Confirmation.BROKER}


def test_no_more_than_the_window_is_ahead_of_the_confirmations():
    fates = [Fate(None) for _ in range(WINDOW + 2)]
    run = publisher(FakeConnection(fates))
    run.run(iter([message()] * len(fates)), None)
    assert [len(fate.waits) for fate in fates[:4]] == [1, 1, 1, 0]
    assert fates[0].waits == [0.5]
    run.settle(0.0)
    assert run.tally.late == len(fates)


def test_settling_waits_for_all_together_and_names_the_whole_time():
    fates = [Fate(None), Fate(CONFIRMED), Fate(Rejected("no"))]
    run = publisher(FakeConnection(fates))
    run.run(iter([message()] * 3), None)
    run.settle(0.25)
    assert all(0 <= wait <= 0.25 for fate in fates for wait in fate.waits)
    assert run.tally.reasons == ["no confirmation within 250ms", "no"]
    assert run.tally.line() == "attempted 3, confirmed 1, rejected 1, unknown 1"


def test_a_lost_connection_ends_the_run_before_the_next_message():
    said: list[str] = []
    run = publisher(FakeConnection(), Fault(0, "careful"), Disconnected(0, False, "bye"), complain=said.append)
    run.run(iter([message()]), None)
    assert said == ["the broker says: careful", "connection lost: bye"]
    assert (run.tally.attempted, run.tally.cut, run.tally.exit_code()) == (0, "bye", ExitCode.CONNECTION)


def test_what_cannot_be_sent_is_not_counted_as_attempted():
    run = publisher(FakeConnection([CONFIRMED, UnsupportedError("cannot")]))
    with pytest.raises(UnsupportedError):
        run.run(iter([message(), message()]), None)
    assert run.tally.attempted == 1


def test_a_signal_in_the_middle_of_a_send_leaves_that_message_unknown():
    run = publisher(FakeConnection([KeyboardInterrupt()]))
    with pytest.raises(KeyboardInterrupt):
        run.run(iter([message()]), None)
    assert (run.tally.attempted, run.tally.unknown) == (1, 1)


@pytest.mark.parametrize(("keep_going", "sent"), [(False, [b"0"]), (True, [b"0", b"2"])])
def test_a_bad_line_ends_the_run_unless_it_keeps_going(keep_going, sent):
    said: list[str] = []
    connection = FakeConnection()
    run = publisher(connection, complain=said.append, keep_going=keep_going)
    run.run(iter([message(0), BadInput(2, "is odd"), message(2)]), None)
    assert [each.payload for each in connection.sent] == sent
    assert said == ["line 2: is odd" + ("" if keep_going else "; the rest is not sent (--keep-going sends it)")]
    assert run.tally.exit_code() is ExitCode.USAGE


def test_a_line_that_only_the_transport_can_judge_is_named_too():
    said: list[str] = []
    run = publisher(FakeConnection([CONFIRMED, TopicError("no such topic")]), complain=said.append, keep_going=True)
    run.run(from_lines([b"a\n", b"b\n", b"c\n"], TEMPLATE, BARE), None)
    assert said == ["line 2: no such topic"]
    assert (run.tally.attempted, run.tally.bad_input) == (2, 1)


def test_what_no_line_could_do_is_not_the_lines_fault():
    run = publisher(FakeConnection([UnsupportedError("this broker has no expiry")]), keep_going=True)
    with pytest.raises(UnsupportedError):
        run.run(from_lines([b"a\n"], TEMPLATE, BARE), None)


def test_what_the_broker_says_while_confirmations_are_awaited_is_told():
    said: list[str] = []
    run = publisher(FakeConnection([LATE]), complain=said.append)
    run.run(iter([message()]), None)
    run.inbox.put_batch([Fault(0, "no such exchange"), Disconnected(0, False, "bye")])
    run.settle(0.0)
    assert said == ["the broker says: no such exchange"]
    assert run.tally.exit_code() == ExitCode.INCONCLUSIVE


def test_what_no_broker_confirms_is_neither_confirmed_nor_given_up():
    tally = Tally(attempted=2)
    for level in (Confirmation.SOCKET, Confirmation.BROKER):
        tally.count(Confirmed(level))
    assert tally.line() == (
        "attempted 2, confirmed 1, rejected 0, unknown 1 (1 sent at QoS 0, which no broker confirms)"
    )
    assert not tally.given_up
    assert tally.exit_code() is ExitCode.OK
