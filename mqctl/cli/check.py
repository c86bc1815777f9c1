"""`mqctl check`: judge a history."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from mqctl.cli.context import AppContext
from mqctl.cli.expand import with_groups
from mqctl.cli.help import Command, command_app
from mqctl.errors import ExitCode, UsageError
from mqctl.measurement.verdict import Verdict

CODES = {Verdict.PASS: ExitCode.OK, Verdict.FAIL: ExitCode.WRONG, Verdict.INCONCLUSIVE: ExitCode.INCONCLUSIVE}

app = command_app()


@app.command(cls=Command)
@with_groups
def check(
    ctx: typer.Context,
    *,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A history, as in docs/history.md; - is standard input.")],
    expect: Annotated[
        list[str] | None,
        typer.Option("--expect", metavar="NAMES", help="What must hold, such as 'fifo,p99<50ms'; again for more."),
    ] = None,
    require_controls: Annotated[
        bool, typer.Option("--require-controls", help="Trust a pass only where planted faults were found.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a report with pictures, as one file of HTML.")
    ] = None,
    png: Annotated[
        Path | None, typer.Option("--png", metavar="FILE", help="Write the witness and the order as a picture.")
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write the verdicts as JUnit's XML too.")
    ] = None,
    github: Annotated[
        bool, typer.Option("--github", help="Annotate on standard error; by itself where GITHUB_ACTIONS is true.")
    ] = False,
) -> None:
    """Judge a history: was anything lost, doubled, out of order? A pass, a failure, or inconclusive.

    A history is a file of JSON lines that says who published what and who got what. Without --expect, it is judged by
    what its header expects, or by what its protocol promises.

    Examples:
        mqctl check history.jsonl
        mqctl check history.jsonl --expect fifo,agreement
        mqctl check - --expect exactly-once --json < history.jsonl
        mqctl check history.jsonl --html report.html --junit report.xml
    """
    from mqctl.cli.artifacts import refuse_unwritable
    from mqctl.cli.check_report import png_renderer, publish_report, tell_builds, write_html, write_png
    from mqctl.experiments.check import check as check_history
    from mqctl.experiments.history import Reader

    context: AppContext = ctx.obj
    refuse_unwritable(context, html=html, png=png, junit=junit)
    render = None if png is None else png_renderer()
    words = [word.strip() for each in expect or () for word in each.split(",")]
    name = "standard input" if file == "-" else file
    with _opened(context, file) as opened, _to_draw(opened, html, png) as source:
        report = check_history(Reader(source, name), expect=words, controls_required=require_controls)
        publish_report(context, report, as_json=json_)
        if html is not None:
            write_html(context, html, source, report)
        if png is not None and render is not None:
            write_png(context, png, source, report, render)
    tell_builds(context, report, junit=junit, github=github, file=None if file == "-" else file)
    raise typer.Exit(CODES[report.verdict])


def _to_draw(source: BinaryIO, *files: Path | None) -> AbstractContextManager[BinaryIO]:
    """What is read once more where there is something to draw."""
    from mqctl.cli.artifacts import rereadable

    return nullcontext(source) if files == (None,) * len(files) else rereadable(source)


@contextmanager
def _opened(context: AppContext, file: str) -> Iterator[BinaryIO]:
    if file == "-":
        yield context.stdin
        return
    try:
        source = (context.cwd / file).open("rb")
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from error
    with source:
        try:
            yield source
        except OSError as error:
            raise UsageError(f"cannot read {file}: {error.strerror}") from error
