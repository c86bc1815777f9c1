"""A publisher against a transport that is slow, silent or gone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest

from mqctl.adapters.pending import Settled
from mqctl.bench.messages import Job
from mqctl.bench.sender import Sender
from mqctl.measurement.load import NS_PER_S
from mqctl.measurement.stamp import Mark, reader
from mqctl.model import Confirmation, Confirmed, Outgoing, PublishOutcome, Unknown, UnknownCause
from tests.unit.bench.test_conductor import job

CONFIRMED = Settled(Confirmed(Confirmation.BROKER))


class Never:
    """A publish that nobody confirms."""

    def __init__(self) -> None:
        self.asked = threading.Event()

    def done(self) -> bool:
        return False

    def outcome(self, timeout_s: float) -> PublishOutcome:
        self.asked.set()
        time.sleep(min(timeout_s, 0.001))
        return Unknown("late", UnknownCause.TIMEOUT)


class Transport:
    """Keeps what is submitted; `answer` gives what becomes of each message by its number."""

    def __init__(self, answer: Callable[[int], object]) -> None:
        self.sent: list[Outgoing] = []
        self._answer = answer

    def submit(self, message: Outgoing, *, confirmation: Confirmation) -> object:
        self.sent.append(message)
        return self._answer(len(self.sent) - 1)

    def marks(self, asked: Job) -> list[Mark]:
        read = reader(asked.load.run, asked.load.size)
        return [read(message.payload) for message in self.sent]


def ran(asked: Job, answer: Callable[[int], object]) -> tuple[Transport, Sender, int]:
    transport, start_ns = Transport(answer), time.monotonic_ns()
    sender = Sender(transport, asked, 0, start_ns)
    sender.start()
    sender.join(20)
    assert sender.done
    return transport, sender, start_ns


def asked(**load) -> Job:
    usual = job(1, 1)
    return msgspec.structs.replace(usual, load=replace(usual.load, **load))


def test_every_message_says_when_it_was_due_however_late_it_goes_out():
    plan = asked(rate=100.0, count=10, duration_s=None)

    def slow_once(number: int) -> object:
        if number == 2:
            time.sleep(0.2)
        return CONFIRMED

    transport, sender, start_ns = ran(plan, slow_once)
    marks = transport.marks(plan)
    assert [mark.intended_ns for mark in marks] == [start_ns + n * NS_PER_S // 100 for n in range(10)]
    assert all(mark.sent_ns >= mark.intended_ns for mark in marks)
    assert marks[3].sent_ns - marks[3].intended_ns > 0.15 * NS_PER_S
    sent = sender.result()
    assert (sent.attempted, sent.unknown) == (10, ())
    assert sent.late >= sent.held >= 7


def test_a_closed_loop_is_due_when_it_sends():
    plan = asked(rate=None, count=5, duration_s=None)
    transport, sender, _ = ran(plan, lambda _: CONFIRMED)
    assert all(mark.intended_ns == mark.sent_ns for mark in transport.marks(plan))
    assert (sender.result().late, sender.attempted) == (0, 5)


def test_a_publisher_that_waits_too_long_for_a_confirmation_ends():
    plan = asked(rate=None, count=50, duration_s=None, in_flight=3)
    plan = msgspec.structs.replace(plan, confirm_timeout_s=0.05)
    transport, sender, _ = ran(plan, lambda _: Never())
    sent = sender.result()
    assert len(transport.sent) == sent.attempted == 3
    assert sent.unknown == ((0, 3),)
    assert sent.stopped == "publisher 0: no confirmation within 50ms"


def test_a_lost_connection_ends_it():
    lost = Settled(Unknown("gone", UnknownCause.LOST))
    _, sender, _ = ran(asked(rate=None, count=50, duration_s=None), lambda number: lost if number == 4 else CONFIRMED)
    sent = sender.result()
    assert (sent.attempted, sent.unknown, sent.stopped) == (5, ((4, 5),), "publisher 0: connection lost: gone")


def test_the_end_waits_for_nothing():
    plan, waiting = asked(rate=None, count=50, duration_s=None, in_flight=1), Never()
    sender = Sender(Transport(lambda _: waiting), plan, 0, time.monotonic_ns())
    sender.start()
    assert waiting.asked.wait(10)
    sender.end()
    sender.join(10)
    assert sender.done
    assert sender.result().unknown == ((0, 1),)


def test_what_no_answer_explains_is_kept_for_the_worker():
    def wrong(_: int) -> object:
        raise ValueError("no")

    _, sender, _ = ran(asked(rate=None, count=5, duration_s=None), wrong)
    with pytest.raises(ValueError, match="no"):
        raise sender.error
