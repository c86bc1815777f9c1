"""What was under way when a connection was lost is sent again over the next one, and told from others."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Collection, Sequence
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from mqctl.adapters.inbox import Inbox
from mqctl.cli.interrupts import Interrupts
from mqctl.cli.publishing import Publisher, Tally
from mqctl.cli.resent import RESENT, Resending
from mqctl.errors import ConfigError, ExitCode, UnsupportedError
from mqctl.model import (
    Confirmation,
    ConnectionEvent,
    Dialect,
    Disconnected,
    Interrupted,
    Outgoing,
    PublishOutcome,
    Resumed,
    Topic,
    Unknown,
    UnknownCause,
)
from tests.unit.cli.fakes import CONFIRMED, FakeConnection

LOST = Unknown("gone", UnknownCause.LOST)
GONE = Interrupted(0, "gone", 60.0)
BACK = Resumed(0, "peer", 1, 5)


def message(n: int) -> Outgoing:
    return Outgoing(topic=Topic(levels=("t",)), payload=b"%d" % n)


class Line(FakeConnection):
    """Breaks behind the submits whose numbers are `breaks`; then comes another, if `after` says so.

    What is under way is confirmed `lag` messages later, or when somebody waits for it.
    """

    def __init__(
        self,
        breaks: Collection[int],
        *,
        lag: int = 2,
        after: Sequence[ConnectionEvent] = (GONE, BACK),
        dialect: Dialect | None = None,
        has_headers: bool = True,
    ) -> None:
        super().__init__()
        self.greeting = SimpleNamespace(dialect=dialect)
        self.inbox = Inbox()
        self.lines: list[list[Outgoing]] = [[]]
        self._breaks = breaks
        self._lag = lag
        self._after = after
        self._has_headers = has_headers
        self._submits = 0
        self._under_way: deque[Waiting] = deque()

    def submit(self, message: Outgoing, *, confirmation: Confirmation) -> Waiting:
        if message.headers and not self._has_headers:
            raise UnsupportedError("no headers")
        self._submits += 1
        self.lines[-1].append(message)
        pending = Waiting()
        self._under_way.append(pending)
        if len(self._under_way) > self._lag:
            self._under_way.popleft().verdict = CONFIRMED
        if self._submits in self._breaks:
            for each in self._under_way:
                each.verdict = each.verdict or LOST
            self._under_way.clear()
            self.inbox.put_batch(list(self._after))
            self.lines.append([])
        return pending

    @property
    def all(self) -> list[Outgoing]:
        return [message for line in self.lines for message in line]


class Waiting:
    """Is confirmed when somebody waits for it, unless it was lost before."""

    def __init__(self) -> None:
        self.verdict: PublishOutcome | None = None

    def done(self) -> bool:
        return self.verdict is not None

    def outcome(self, timeout_s: float) -> PublishOutcome:
        self.verdict = self.verdict or CONFIRMED
        return self.verdict


def publisher(line: Line, *, resending: bool = True) -> Publisher:
    return Publisher(
        connection=line,
        inbox=line.inbox,
        tally=Tally(),
        complain=[].append,
        interval_s=0.0,
        confirm_timeout_s=0.5,
        keep_going=False,
        interrupts=Interrupts(),
        resending=Resending("run") if resending else None,
    )


def published(line: Line, count: int, **more) -> Publisher:
    """A whole run of numbered messages."""
    run = publisher(line, **more)
    run.run(iter([message(n) for n in range(count)]), count)
    run.settle(0.5)
    return run


@given(st.sets(st.integers(1, 30)), st.integers(0, 5), st.integers(1, 20))
def test_however_often_the_connection_breaks_each_line_carries_its_messages_in_order(breaks, lag, count):
    line = Line(breaks, lag=lag)
    run = published(line, count)
    assert (run.tally.attempted, run.tally.confirmed, run.tally.unknown) == (count, count, 0)
    assert {int(each.payload) for each in line.all} == set(range(count))
    for messages in line.lines:
        numbers = [int(each.payload) for each in messages]
        assert all(after == before + 1 for before, after in itertools.pairwise(numbers))
    marked = [each for each in line.all if RESENT in each.headers]
    assert run.tally.resent == len(marked) == len(line.all) - count


class Heavy(bytes):
    """A payload that must not be compared: thousands of large ones would take minutes."""

    def __eq__(self, other: object) -> bool:
        raise AssertionError("payloads were compared")

    __hash__ = bytes.__hash__


def test_what_is_sent_again_is_found_without_a_look_at_its_payload():
    line = Line({4}, lag=4)
    run = publisher(line)
    run.run(iter([Outgoing(topic=Topic(levels=("t",)), payload=Heavy(b"same")) for _ in range(4)]), 4)
    run.settle(0.5)
    assert (run.tally.confirmed, run.tally.resent) == (4, 4)


def test_the_books_count_a_message_once_however_often_it_is_sent():
    line = Line({3}, lag=3)
    run = published(line, 3)
    assert [(each.payload, RESENT in each.headers) for each in line.all] == [
        *((b"%d" % n, False) for n in range(3)),
        *((b"%d" % n, True) for n in range(3)),
    ]
    assert run.tally.line() == "attempted 3, confirmed 3, rejected 0, unknown 0, resent 3"
    assert run.tally.exit_code() is ExitCode.OK


def test_without_resending_what_was_lost_is_unknown_and_the_rest_is_sent():
    line = Line({2}, lag=5)
    run = published(line, 4, resending=False)
    assert [len(messages) for messages in line.lines] == [2, 2]
    assert (run.tally.lost, run.tally.resent, run.tally.exit_code()) == (2, 0, ExitCode.CONNECTION)


def test_when_there_is_no_other_connection_what_was_lost_is_unknown_after_all():
    line = Line({2}, lag=5, after=(GONE, Disconnected(0, False, "gone for good", ConfigError("no"))))
    run = published(line, 4)
    assert (run.tally.attempted, run.tally.unknown, run.tally.resent) == (2, 2, 0)
    assert (run.tally.cut, run.tally.exit_code()) == ("gone for good", ExitCode.USAGE)


def test_an_interrupted_run_waits_for_no_connection():
    line = Line({2}, lag=5, after=(GONE,))
    run = publisher(line)
    run.run(iter([message(0), message(1)]), 2)
    run.settle(0.5, again=False)
    assert (run.tally.unknown, run.tally.lost, run.tally.resent) == (2, 2, 0)


def test_a_broker_that_drops_duplicates_gets_the_same_id_twice():
    line = Line({1}, dialect=Dialect.ARTEMIS)
    published(line, 1)
    first, again = line.all
    assert first.headers == {"_AMQ_DUPL_ID": "run-1"}
    assert again.headers == {"_AMQ_DUPL_ID": "run-1", RESENT: "true"}


def test_where_there_are_no_headers_nothing_is_marked():
    line = Line({1}, dialect=Dialect.ARTEMIS, has_headers=False)
    run = published(line, 1)
    assert [each.headers for each in line.all] == [{}, {}]
    assert run.tally.confirmed == 1
