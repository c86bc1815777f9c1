"""The rows of `mqctl experiment matrix`: which cases there are, and how each is run at a broker."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mqctl.cli.bayeux_cases import Attempt, Cases, clock_cases, expiry_cases, resume_cases, why_no_bayeux
from mqctl.cli.context import AppContext
from mqctl.cli.experiment_options import RunOptions, WhatOptions
from mqctl.errors import UsageError
from mqctl.experiments.matrix import Outcome
from mqctl.measurement.verdict import Verdict

if TYPE_CHECKING:
    from mqctl.experiments.cases import Case
    from mqctl.laboratory.outcome import Outcome as Told
    from mqctl.laboratory.trial import Place, Trial

FAMILIES = ("ordering", "ack", "transports", "expiry", "resume", "clock")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the user asked for of all brokers; `restart` is the command that restarts one."""

    what: WhatOptions
    run: RunOptions
    restart: str | None


class Result(NamedTuple):
    """What came of one run, why it is no pass, and where it is kept."""

    outcome: Outcome
    reason: str
    run: str | None


class Row(NamedTuple):
    """A case of an experiment, and what runs it as often as asked for."""

    family: str
    case: str
    results: Callable[[AppContext, Place, Asked], Iterator[Result]]

    def __str__(self) -> str:
        return f"{self.family} {self.case}"


def chosen(families: Sequence[str], names: Sequence[str] | None, context: AppContext, asked: Asked) -> list[Row]:
    """The cases of some families; those that the user named, or all.

    Raises:
        UsageError: There is no such family, or no such case in them.
    """
    for family in families:
        if family not in FAMILIES:
            raise UsageError(f"there is no experiment {family!r}", hint=f"experiments: {', '.join(FAMILIES)}")
    rows = [row for family in families for row in _rows(family, context, asked)]
    known = {row.case for row in rows}
    for name in names or ():
        if name not in known:
            raise UsageError(f"there is no case {name!r}", hint=f"cases: {', '.join(sorted(known))}")
    return [row for row in rows if not names or row.case in names]


def _rows(family: str, context: AppContext, asked: Asked) -> Iterator[Row]:
    from mqctl.experiments import acknowledgement, ordering

    tables: Mapping[str, Mapping[str, Case]] = {"ordering": ordering.CASES, "ack": acknowledgement.CASES}
    if family in tables:
        for case in tables[family].values():
            yield Row(family, case.name, _of_trials(case))
    else:
        for name, attempt in _about_bayeux(family, context, asked).items():
            yield Row(family, name, _of_attempts(attempt))


def _about_bayeux(family: str, context: AppContext, asked: Asked) -> Cases:
    match family:
        case "transports":
            from mqctl.cli.experiment_transports import transport_cases

            return transport_cases(context, asked.what, asked.run)
        case "expiry":
            return expiry_cases()
        case "resume":
            return resume_cases(messages=asked.what.messages)
        case _:
            return clock_cases()


def _of_trials(case: Case) -> Callable[[AppContext, Place, Asked], Iterator[Result]]:
    def results(context: AppContext, place: Place, asked: Asked) -> Iterator[Result]:
        from mqctl.cli.experiment import trials

        for done in trials(context, [case], place, what=asked.what, run=asked.run, restart=asked.restart):
            yield Result(Outcome.of(done.verdict), _why(done), None if done.folder is None else _kept(done.folder))

    return results


def _of_attempts(attempt: Attempt) -> Callable[[AppContext, Place, Asked], Iterator[Result]]:
    def results(_context: AppContext, place: Place, asked: Asked) -> Iterator[Result]:
        if why := why_no_bayeux(place):
            yield Result(Outcome.UNSUPPORTED, why, None)
            return
        first = asked.run.first_seed()
        for seed in range(first, first + asked.run.repeat):
            yield _result(attempt(place, seed))

    return results


def _result(told: Told) -> Result:
    reason = told.unsupported if told.verdict is None else "; ".join(told.against)
    return Result(Outcome.of(told.verdict), reason, _kept(told.folders[-1]) if told.folders else None)


def _kept(folder: Path) -> str:
    """The report of a run, or where it is kept."""
    from mqctl.laboratory.illustration import REPORT

    report = folder / REPORT
    return str(report if report.exists() else folder)


def _why(done: Trial) -> str:
    """Why it is no pass; "" where it is one."""
    if done.report is None:
        return done.unsupported
    for each in done.report.judged:
        if each.verdict is done.verdict is not Verdict.PASS:
            answer = each.answer
            found = [f"{answer.violations:,} of {answer.chances:,} {answer.of}"] if answer.violations else []
            return f"{answer.about}: {'; '.join([*found, *each.why])}"
    return "; ".join(done.doubts)
