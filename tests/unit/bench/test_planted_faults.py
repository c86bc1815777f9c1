"""A publisher and a subscriber with faults planted between them: the verdict finds each, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest

from mqctl.adapters.inbox import Inbox
from mqctl.adapters.pending import Settled
from mqctl.bench.hearer import Ear, Hearer
from mqctl.bench.sender import Sender
from mqctl.errors import ExitCode
from mqctl.measurement.report import Report, Work, put_together
from mqctl.measurement.verdict import Judgement, judge
from mqctl.model import Confirmation, Confirmed, Delivery, Outgoing, Rejected, SubscriptionId, Unknown, UnknownCause
from tests.unit.bench.test_conductor import job

COUNT = 100
REFUSED, DOUBTFUL = Settled(Rejected("no")), Settled(Unknown("gone", UnknownCause.LOST))


class Broker:
    """Keeps what is published; `answers` are to those that are not confirmed."""

    def __init__(self, answers: dict[int, Settled]) -> None:
        self.payloads: list[bytes] = []
        self._answers = answers

    def submit(self, message: Outgoing, *, confirmation: Confirmation) -> Settled:
        self.payloads.append(message.payload)
        return self._answers.get(len(self.payloads) - 1, Settled(Confirmed(confirmation)))


def faithful(payloads: list[bytes]) -> list[bytes]:
    return payloads


def dropped(payloads: list[bytes]) -> list[bytes]:
    return [*payloads[:10], *payloads[13:]]


def doubled(payloads: list[bytes]) -> list[bytes]:
    return [*payloads, payloads[10], payloads[10]]


def swapped(payloads: list[bytes]) -> list[bytes]:
    return [*payloads[:10], payloads[11], payloads[10], *payloads[12:]]


def changed(payloads: list[bytes]) -> list[bytes]:
    return [*payloads[:10], bytes((*payloads[10][:-1], payloads[10][-1] ^ 1)), *payloads[11:]]


def foreign(payloads: list[bytes]) -> list[bytes]:
    return [*payloads, b"not ours"]


def run(fault: Callable[[list[bytes]], list[bytes]], answers: dict[int, Settled]) -> tuple[Report, Judgement]:
    plan = job(1, 1)
    plan = msgspec.structs.replace(plan, load=replace(plan.load, rate=None, count=COUNT, duration_s=None))
    broker, inbox, start_ns = Broker(answers), Inbox(), time.monotonic_ns()
    sender = Sender(broker, plan, 0, start_ns)
    ear = Ear((broker, inbox), plan, 0, [True], start_ns=start_ns, remark=print)
    hearer = Hearer([ear], waiting=False)
    for each in (sender, hearer):
        each.start()
    sender.join(20)
    inbox.put_batch(
        [Delivery("t", payload, {}, SubscriptionId("1"), time.monotonic_ns()) for payload in fault(broker.payloads)]
    )
    hearer.end()
    hearer.join(20)
    report = put_together(plan.load, plan.confirm, [Work("1", (sender.result(),), hearer.results())])
    return report, judge(report)


NOTHING = "lost", 0
STRANGE = "1 messages were not expected: of somebody else, changed, or refused before"


@pytest.mark.parametrize(
    ("fault", "answers", "book", "code", "says"),
    [
        (faithful, {}, NOTHING, ExitCode.OK, []),
        (dropped, {}, ("lost", 3), ExitCode.WRONG, ["3 of 100 expected deliveries never came"]),
        (doubled, {}, ("duplicated", 2), ExitCode.OK, ["2 messages came more than once"]),
        (swapped, {}, ("out_of_order", 1), ExitCode.OK, ["1 messages came after a later one of the same publisher"]),
        (
            changed, {}, ("unexpected", 1), ExitCode.WRONG,
            [
                "1 of 100 expected deliveries never came",
                STRANGE,
            ],
        ),
        (
            foreign, {}, ("unexpected", 1), ExitCode.OK,
            [STRANGE],
        ),
        (
            faithful, {10: REFUSED}, ("unexpected", 1), ExitCode.REFUSED,
            ["the broker refused 1 messages", STRANGE],
        ),
        (
            faithful, {99: DOUBTFUL}, ("recovered", 1), ExitCode.CONNECTION,
            ["publisher 0: connection lost: gone", "what became of 1 messages is unknown"],
        ),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)  # fmt: skip
def test_each_fault_is_found_and_no_other(fault, answers, book, code, says):
    report, judgement = run(fault, answers)
    assert report.books.attempted == COUNT
    assert getattr(report.books, book[0]) == book[1]
    assert [finding.text for finding in judgement.findings] == says
    assert judgement.code is code
