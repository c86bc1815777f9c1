"""A history from end to end: read once, looked through by all checkers, judged by a policy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from mqctl.experiments.answers import Answer
from mqctl.experiments.checkers import Checker
from mqctl.experiments.checkers.acks import Acks
from mqctl.experiments.checkers.agreement import Agreement
from mqctl.experiments.checkers.duplicates import Duplicates
from mqctl.experiments.checkers.latency import Latency
from mqctl.experiments.checkers.loss import Loss
from mqctl.experiments.checkers.order import Order
from mqctl.experiments.checkers.sticky import Sticky
from mqctl.experiments.events import FaultBegan, FaultEnded, Header
from mqctl.experiments.history import Batch, Reader
from mqctl.experiments.ledger import Ledger
from mqctl.experiments.limits import Limit
from mqctl.experiments.pages import Page, stretches
from mqctl.experiments.policy import Policy, expectation, of_protocol
from mqctl.measurement.verdict import Verdict

FAULTS_MAX = 100
"""So many periods of trouble are told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """An answer and what it amounts to; None: not judged.

    Attributes:
        why: What made it inconclusive, or why it is not judged or permitted.
        permitted: Whether the protocol permits that the property is broken.
    """

    answer: Answer
    verdict: Verdict | None
    why: Sequence[str] = ()
    permitted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that a history proves.

    Attributes:
        header: Of the history.
        lines: How many it has.
        judged: All answers.
        remarks: What is odd about the history itself.
        faults: Periods of trouble.
    """

    header: Header
    lines: int
    judged: Sequence[Judged]
    remarks: Sequence[str] = ()
    faults: Sequence[FaultBegan | FaultEnded] = ()

    @property
    def verdict(self) -> Verdict:
        """One failure is enough; else one that could not be told; and nothing seen proves nothing."""
        verdicts = {each.verdict for each in self.judged}
        if Verdict.FAIL in verdicts:
            return Verdict.FAIL
        return Verdict.INCONCLUSIVE if Verdict.INCONCLUSIVE in verdicts or verdicts == {None} else Verdict.PASS


class Examination:
    """Looks through the batches of a history.

    Args:
        header: Of the history.
        limits: On latency.
    """

    def __init__(self, header: Header, limits: Sequence[Limit] = ()) -> None:
        self._ledger = Ledger()
        self._faults: list[FaultBegan | FaultEnded] = []
        self._checkers: tuple[Checker, ...] = (
            Loss(),
            Duplicates(),
            Order(),
            Agreement(),
            Sticky(),
            Acks(),
            Latency(limits, clocks_agree=header.clocks == "one"),
        )

    def take_in(self, batch: Batch) -> None:
        """The next lines."""
        for part in stretches(batch):
            if isinstance(part, Page):
                self._ledger.read(part)
                for checker in self._checkers:
                    checker.read(part, self._ledger)
                continue
            self._ledger.turn(part)
            for checker in self._checkers:
                checker.turn(part)
            if isinstance(part, (FaultBegan, FaultEnded)) and len(self._faults) < FAULTS_MAX:
                self._faults.append(part)

    @property
    def faults(self) -> Sequence[FaultBegan | FaultEnded]:
        """The periods of trouble so far."""
        return self._faults

    def answers(self) -> Sequence[Answer]:
        """At the end, and once."""
        return [answer for checker in self._checkers for answer in checker.answers(self._ledger)]


def check(reader: Reader, *, expect: Iterable[str] = (), controls_required: bool = False) -> Report:
    """Judge a history.

    Args:
        reader: At its beginning.
        expect: Names of what must hold; without any, what the header says, or what its protocol promises.
        controls_required: Whether to trust nothing found only where planted faults of that kind were found.

    Raises:
        UsageError: A line that is no event, or an expectation that there is not.
    """
    policy = policy_for(reader.header, expect)
    examination = Examination(reader.header, policy.limits)
    for batch in reader.batches():
        examination.take_in(batch)
    judged = [judge(answer, policy, controls_required=controls_required) for answer in examination.answers()]
    return Report(
        header=reader.header,
        lines=reader.lines,
        judged=judged,
        remarks=list(_remarks(reader)),
        faults=examination.faults,
    )


def policy_for(header: Header, expect: Iterable[str]) -> Policy:
    """What is judged of a history.

    Raises:
        UsageError: An expectation that there is not.
    """
    words = [*expect] or header.expect
    return expectation(words) if words else of_protocol(header.protocol, header.mode)


def judge(answer: Answer, policy: Policy, *, controls_required: bool = False) -> Judged:
    """What an answer amounts to."""
    if answer.about not in policy.expected:
        because = policy.permitted.get(answer.about)
        why = because or "it was not expected"
        return Judged(answer=answer, verdict=None, why=(why,), permitted=because is not None)
    if answer.violations and answer.certain:
        return Judged(answer=answer, verdict=Verdict.FAIL, why=answer.doubts)
    doubts = list(answer.doubts)
    if not answer.chances:
        doubts.append(f"there were no {answer.of}")
        if not policy.asked and not answer.planted:
            return Judged(answer=answer, verdict=None, why=doubts)
    if controls_required and not answer.planted:
        doubts.append("no fault of this kind was planted to be found")
    return Judged(answer=answer, verdict=Verdict.INCONCLUSIVE if doubts else Verdict.PASS, why=doubts)


def _remarks(reader: Reader) -> Iterator[str]:
    if reader.torn:
        yield "the last line was cut short, as by a crash, and is left out"
    for kind, count in reader.strange.items():
        yield f"{count:,} lines of a kind that is not known here: {kind}"
