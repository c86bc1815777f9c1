"""The verdict on a run: what is wrong with the broker, and what is wrong with the measurement."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mqctl.errors import ExitCode
from mqctl.measurement.books import Books
from mqctl.measurement.report import Report

LATE_SHARE_MAX = 0.01
"""A generator that sent more of its messages late was not fast enough to measure with."""

CPU_SHARE_MAX = 0.9
"""A worker that used so much of a core had no room to tell its own slowness from the broker's."""


class Verdict(enum.StrEnum):
    """What a run proves."""

    PASS = "pass"  # noqa: S105 - a word, no password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


class Finding(NamedTuple):
    """One thing that is not as it should be, and the exit code that it deserves: OK where no promise is broken."""

    code: ExitCode
    text: str


_FAILURES = (ExitCode.WRONG, ExitCode.CONNECTION, ExitCode.REFUSED)
_GRAVITY = (*_FAILURES, ExitCode.INTERRUPTED, ExitCode.TIMEOUT, ExitCode.INCONCLUSIVE, ExitCode.OK)


class Judgement(NamedTuple):
    """The findings, the gravest first."""

    findings: tuple[Finding, ...]

    @property
    def code(self) -> ExitCode:
        """What the gravest amounts to."""
        return self.findings[0].code if self.findings else ExitCode.OK

    @property
    def verdict(self) -> Verdict:
        """The verdict in a word."""
        if self.code is ExitCode.OK:
            return Verdict.PASS
        return Verdict.FAIL if self.code in _FAILURES else Verdict.INCONCLUSIVE


def judge(report: Report, *, cut_short: ExitCode | None = None, dead: Sequence[str] = ()) -> Judgement:
    """Judge a run.

    Args:
        report: All of it.
        cut_short: INTERRUPTED or TIMEOUT where somebody ended it before its time.
        dead: A sentence for each worker that died.
    """
    found = [Finding(ExitCode.INCONCLUSIVE, text) for text in dead]
    partial = cut_short is not None or bool(dead)
    found += _delivery(report, partial=partial)
    found += _generator(report, partial=partial)
    found += _besides(report.books)
    if cut_short is not None:
        found.append(Finding(cut_short, "it was ended before its time"))
    return Judgement(tuple(sorted(found, key=lambda finding: _GRAVITY.index(finding.code))))


def _delivery(report: Report, *, partial: bool) -> Iterator[Finding]:
    books = report.books
    if books.lost and partial:
        yield Finding(ExitCode.INCONCLUSIVE, f"{books.lost:,} of {books.expected:,} deliveries were not awaited")
    elif books.lost > report.dropped:
        yield Finding(ExitCode.WRONG, f"{books.lost:,} of {books.expected:,} expected deliveries never came")
    if report.dropped:
        yield Finding(
            ExitCode.INCONCLUSIVE, f"{report.dropped:,} messages came faster than mqctl took them, and were dropped"
        )
    for reason in report.lost_connections:
        yield Finding(ExitCode.CONNECTION, reason)
    if books.rejected:
        yield Finding(ExitCode.REFUSED, f"the broker refused {books.rejected:,} messages")
    if books.unknown:
        yield Finding(ExitCode.INCONCLUSIVE, f"what became of {books.unknown:,} messages is unknown")


def _besides(books: Books) -> Iterator[Finding]:
    """What no subscription rules out: at least once may be twice, and few brokers promise an order to everybody."""
    for count, text in (
        (books.duplicated, "came more than once"),
        (books.out_of_order, "came after a later one of the same publisher"),
        (books.unexpected, "were not expected: of somebody else, changed, or refused before"),
    ):
        if count:
            yield Finding(ExitCode.OK, f"{count:,} messages {text}")


def _generator(report: Report, *, partial: bool) -> Iterator[Finding]:
    sends, late, held, _ = report.lateness
    if not sends:
        yield Finding(ExitCode.INCONCLUSIVE, "no message was measured")
    elif late > LATE_SHARE_MAX * sends:
        yield Finding(
            ExitCode.INCONCLUSIVE,
            f"{late / sends:.1%} of the messages went out more than 1 ms late{_held(held, late)}: send fewer a second, "
            "or give the machine less else to do",
        )
    if report.unsent and not partial:
        yield Finding(
            ExitCode.INCONCLUSIVE, f"{report.unsent:,} of {report.load.planned:,} messages that were due never went out"
        )
    for worker, share in report.cpu_shares.items():
        if share is not None and share >= CPU_SHARE_MAX:
            yield Finding(
                ExitCode.INCONCLUSIVE,
                f"worker {worker} used {share:.0%} of a core, so mqctl itself was the limit: "
                "send fewer a second, or use more --workers",
            )


def _held(held: int, late: int) -> str:
    return f" ({held / late:.0%} of these because one before was not taken at once)" if held else ""
