"""`mqctl experiment matrix`: the experiments at several brokers, as one table."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, TypeAlias, assert_never

import typer

from mqctl.cli.artifacts import annotate, refuse_unwritable, write_file
from mqctl.cli.context import AppContext
from mqctl.cli.expand import Flags, with_groups
from mqctl.cli.experiment_options import RunOptions, WhatOptions
from mqctl.errors import ExitCode, MqctlError, UnsupportedError, UsageError
from mqctl.experiments.matrix import Entry, Matrix, Outcome
from mqctl.measurement.verdict import Verdict

if TYPE_CHECKING:
    from mqctl.experiments.cases import Case as Trying
    from mqctl.laboratory.trial import Trial

FAMILIES = ("ordering", "ack")

Cases: TypeAlias = "Sequence[tuple[str, Trying]]"
"""Which to run, each with the name of its family."""


@with_groups
def matrix(
    ctx: typer.Context,
    *,
    profiles: Annotated[
        str | None, typer.Option("--profiles", metavar="NAMES", help="The brokers, such as classic,rabbitmq.")
    ] = None,
    experiments: Annotated[
        str, typer.Option("--experiments", metavar="NAMES", help="Some of ordering,ack; --case chooses among them.")
    ] = ",".join(FAMILIES),
    markdown: Annotated[
        Path | None, typer.Option("--markdown", metavar="FILE", help="Write the table as Markdown too.")
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write the table as a page too.")] = None,
    what: WhatOptions,
    run: RunOptions,
    flags: Flags,
) -> None:
    """All experiments at several brokers, one after the other, as one table; each cell leads to its run.

    What cannot be tried somewhere is unsupported and says why; a broker that is not there is an error of its column.

    Examples:
        mqctl experiment matrix --profiles classic,artemis,rabbitmq
        mqctl experiment matrix --profiles classic,rabbitmq --experiments ordering --html matrix.html
        mqctl experiment matrix --case one-producer --case auto-cut --json
    """
    context: AppContext = ctx.obj
    cases = _chosen(_words(experiments), what.case)
    # Mistakes first.
    what.params(run.expect)
    refuse_unwritable(context, markdown=markdown, html=html, junit=run.junit)
    names: Sequence[str | None] = _words(profiles) or (None,)
    errors: list[MqctlError] = []
    entries = [
        entry
        for name in names
        for entry in _column(context, name, cases, asked=_Asked(what, run, flags), errors=errors)
    ]
    _publish(context, entries, markdown=markdown, html=html, run=run)
    raise typer.Exit(_exit_code(Matrix(entries), errors))


class _Asked(NamedTuple):
    """What the user asked for of all brokers."""

    what: WhatOptions
    run: RunOptions
    flags: Flags


def _exit_code(found: Matrix, errors: Sequence[MqctlError]) -> ExitCode:
    """That of the worst; of errors, that of the first.

    Raises:
        UnsupportedError: Nothing at all could be run.
    """
    match found.worst:
        case Outcome.FAIL:
            return ExitCode.WRONG
        case Outcome.ERROR:
            return errors[0].exit_code
        case Outcome.INCONCLUSIVE:
            return ExitCode.INCONCLUSIVE
        case Outcome.UNSUPPORTED | Outcome.PASS:
            if all(entry.outcome is Outcome.UNSUPPORTED for entry in found.entries()):
                raise UnsupportedError("none of these experiments can be done there")
            return ExitCode.OK
        case _:
            assert_never(found.worst)


def _words(text: str | None) -> list[str]:
    return [word.strip() for word in (text or "").split(",") if word.strip()]


def _chosen(families: Sequence[str], names: Sequence[str] | None) -> Cases:
    """The cases of some families; those that the user named, or all.

    Raises:
        UsageError: There is no such family, or no such case in them.
    """
    from mqctl.experiments import acknowledgement, ordering

    tables: Mapping[str, Mapping[str, Trying]] = {"ordering": ordering.CASES, "ack": acknowledgement.CASES}
    for family in families:
        if family not in tables:
            raise UsageError(f"there is no experiment {family!r}", hint=f"experiments: {', '.join(tables)}")
    all_ = [(family, case) for family in families for case in tables[family].values()]
    known = {case.name for _, case in all_}
    for name in names or ():
        if name not in known:
            raise UsageError(f"there is no case {name!r}", hint=f"cases: {', '.join(sorted(known))}")
    return [(family, case) for family, case in all_ if not names or case.name in names]


def _column(
    context: AppContext, profile: str | None, cases: Cases, *, asked: _Asked, errors: list[MqctlError]
) -> Iterator[Entry]:
    """What came of each case at a broker; what was in the way is added to the errors."""
    from mqctl.cli.experiment import place_of, trials

    flags = asked.flags
    if profile is not None:
        context = replace(context, url=None, profile=profile)
        flags = Flags({**flags, "url": None, "profile": profile})
    try:
        place = place_of(context, "", context.cwd / asked.run.run_dir, flags)
    except UsageError:
        raise
    except MqctlError as error:
        context.complain(error)
        errors.append(error)
        yield from (Entry(f"{family} {case.name}", profile or "?", Outcome.ERROR, str(error)) for family, case in cases)
        return
    column = profile or place.target.name
    for family, case in cases:
        row, here = f"{family} {case.name}", replace(place, experiment=family)
        try:
            for done in trials(context, [case], here, what=asked.what, run=asked.run, restart=None):
                context.say(f"{column}: {row}: {Outcome.of(done.verdict)}")
                yield Entry(row, column, Outcome.of(done.verdict), _why(done), _where(done))
        except MqctlError as error:
            context.complain(error)
            errors.append(error)
            yield Entry(row, column, Outcome.ERROR, str(error))


def _where(done: Trial) -> str | None:
    """The report of the run, or where it is kept."""
    from mqctl.laboratory.illustration import REPORT

    if done.folder is None:
        return None
    report = done.folder / REPORT
    return str(report if report.exists() else done.folder)


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


def _publish(
    context: AppContext, entries: Sequence[Entry], *, markdown: Path | None, html: Path | None, run: RunOptions
) -> None:
    from mqctl.experiments.builds import Case, annotated, junit
    from mqctl.experiments.html import matrix_page
    from mqctl.experiments.matrix import document, lines
    from mqctl.experiments.matrix import markdown as as_markdown

    here = _seen_from(context.cwd, entries)
    for line in [json.dumps(document(here), ensure_ascii=False)] if run.json else lines(here):
        context.emit(line)
    if markdown is not None:
        write_file(
            context, "--markdown", markdown, as_markdown(_seen_from((context.cwd / markdown).parent, entries)).encode()
        )
    if html is not None:
        write_file(context, "--html", html, matrix_page(_seen_from((context.cwd / html).parent, entries)).encode())
    cases = [
        Case(f"{entry.experiment} at {entry.profile}", _VERDICTS[entry.outcome], entry.reason) for entry in entries
    ]
    if run.junit is not None:
        write_file(context, "--junit", run.junit, junit("mqctl experiment matrix", cases))
    annotate(context, annotated(cases))


_VERDICTS = {
    Outcome.PASS: Verdict.PASS,
    Outcome.FAIL: Verdict.FAIL,
    Outcome.ERROR: Verdict.INCONCLUSIVE,
    Outcome.INCONCLUSIVE: Verdict.INCONCLUSIVE,
    Outcome.UNSUPPORTED: None,
}
"""For builds, which know no more."""


def _seen_from(folder: Path, entries: Sequence[Entry]) -> Matrix:
    """With paths that lead from there to the runs, so that all can be moved together."""
    return Matrix(
        entry if entry.run is None else entry._replace(run=os.path.relpath(entry.run, folder)) for entry in entries
    )
