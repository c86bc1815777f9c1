"""`mqctl experiment matrix`: the experiments at several brokers, as one table."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, assert_never

import typer

from mqctl.cli.artifacts import annotate, refuse_unwritable, write_file
from mqctl.cli.context import AppContext
from mqctl.cli.expand import Flags, with_groups
from mqctl.cli.experiment_options import RunOptions, WhatOptions
from mqctl.cli.matrix_rows import FAMILIES, Asked, Row, chosen
from mqctl.cli.target import settings_for
from mqctl.errors import ExitCode, MqctlError, UnsupportedError, UsageError
from mqctl.experiments.matrix import Entry, Matrix, Outcome
from mqctl.measurement.verdict import Verdict

if TYPE_CHECKING:
    from mqctl.laboratory.trial import Place

USUAL = "ordering,ack"
PROFILE = "{profile}"
"""What stands for the name of a column in the command that restarts its broker."""


@with_groups
def matrix(
    ctx: typer.Context,
    *,
    profiles: Annotated[
        str | None, typer.Option("--profiles", metavar="NAMES", help="The brokers, such as classic,rabbitmq.")
    ] = None,
    experiments: Annotated[
        str,
        typer.Option(
            "--experiments", metavar="NAMES", help=f"Some of {','.join(FAMILIES)}; --case chooses among them."
        ),
    ] = USUAL,
    restart_command: Annotated[
        str | None,
        typer.Option(
            "--restart-command",
            metavar="COMMAND",
            help="What restarts a broker, and returns when it serves; {profile} in it is that of the column.",
        ),
    ] = None,
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
        mqctl experiment matrix --profiles cometd --experiments ordering,transports,expiry,resume,clock
        mqctl experiment matrix --case one-producer --case auto-cut --json
    """
    context: AppContext = ctx.obj
    asked = Asked(what=what, run=run, restart=restart_command)
    rows = chosen(_words(experiments), what.case, context, asked)
    # Mistakes first.
    what.params(run.expect)
    refuse_unwritable(context, markdown=markdown, html=html, junit=run.junit)
    names: Sequence[str | None] = _words(profiles) or (None,)
    errors: list[MqctlError] = []
    deadline = None if run.timeout is None else time.monotonic() + run.timeout
    entries = [
        entry for name in names for entry in _column(context, name, rows, _Order(asked, flags, deadline, errors))
    ]
    _publish(context, entries, markdown=markdown, html=html, run=run)
    raise typer.Exit(_exit_code(Matrix(entries), errors))


class _Order(NamedTuple):
    """What is asked of every broker, until when, and what was in the way so far."""

    asked: Asked
    flags: Flags
    deadline: float | None
    errors: list[MqctlError]


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


def _column(context: AppContext, profile: str | None, rows: Sequence[Row], order: _Order) -> Iterator[Entry]:
    """What came of each case at a broker; what was in the way is added to the errors."""
    from mqctl.cli.experiment import place_of

    asked, flags, deadline, errors = order
    if profile is not None:
        context = replace(context, url=None, profile=profile)
        flags = Flags({**flags, "url": None, "profile": profile})
    with ExitStack() as stack:
        try:
            place = place_of(context, settings_for(context, flags), "", context.cwd / asked.run.run_dir, stack)
        except UsageError:
            raise
        except MqctlError as error:
            context.complain(error)
            errors.append(error)
            yield from (Entry(str(row), profile or "?", Outcome.ERROR, str(error)) for row in rows)
            return
        column = profile or place.target.name
        restart = None if asked.restart is None else asked.restart.replace(PROFILE, profile or "")
        place = replace(place, deadline=deadline, ground=replace(place.ground, restartable=restart is not None))
        for row in rows:
            here = replace(place, experiment=row.family)
            yield from _cell(context, row, column, here, order._replace(asked=replace(asked, restart=restart)))


def _cell(context: AppContext, row: Row, column: str, place: Place, order: _Order) -> Iterator[Entry]:
    from mqctl.laboratory.pace import keep_to

    left_s = None if order.deadline is None else order.deadline - time.monotonic()
    asked = replace(order.asked, run=replace(order.asked.run, timeout=left_s))
    try:
        keep_to(order.deadline)
        for result in row.results(context, place, asked):
            context.say(f"{column}: {row}: {result.outcome}")
            yield Entry(str(row), column, *result)
    except MqctlError as error:
        context.complain(error)
        order.errors.append(error)
        yield Entry(str(row), column, Outcome.ERROR, str(error))


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
