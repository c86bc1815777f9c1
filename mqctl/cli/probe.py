"""`mqctl probe`: find out what a broker really does."""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated

import typer

from mqctl import topics
from mqctl.cli.context import AppContext
from mqctl.cli.expand import Flags, with_groups
from mqctl.cli.help import Command, command_app
from mqctl.cli.tables import emit_table
from mqctl.cli.target import NOBODY_HINT, advised, could_be_hosted, settings_for
from mqctl.errors import ConnectError, ConnectionLost, UsageError
from mqctl.probe.findings import Report
from mqctl.probe.ground import DEFAULT_PREFIX, Ground
from mqctl.sizes import parse_size
from mqctl.target import NO_RECONNECT

MAX_SIZE = "1MiB"
"""The largest message that is tried unless the user says otherwise: a broker may keep what it takes for a while."""

app = command_app()


@app.command(cls=Command)
@with_groups
def probe(
    ctx: typer.Context,
    *,
    max_size: Annotated[
        str, typer.Option("--max-size", metavar="SIZE", help="The largest message to try, such as 16MiB.")
    ] = MAX_SIZE,
    prefix: Annotated[
        str, typer.Option("--prefix", metavar="TOPIC", help="What the names of all topics and queues begin with.")
    ] = DEFAULT_PREFIX,
    json_: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    flags: Flags,
) -> None:
    """Find out what a broker really does, by doing it: acknowledgements, wildcards, sizes, heart-beats, and more.

    It uses topics and queues of its own and removes what can be removed.

    Examples:
        mqctl probe --profile rabbitmq
        mqctl probe --url mqtt://localhost --json
        mqctl probe --max-size 64MiB --prefix open.test
    """
    from mqctl.adapters.registry import adapter_for
    from mqctl.probe.survey import survey

    context: AppContext = ctx.obj
    max_bytes = parse_size(max_size)
    top = topics.parse(prefix)
    if topics.is_wildcard(top):
        raise UsageError(f"--prefix names topics to publish to, so it has no wildcard: {prefix!r}")
    if top.native is not None:
        raise UsageError(f"--prefix is a topic such as open.test, and no broker's own name: {prefix!r}")
    settings = settings_for(context, flags)
    # What a lost connection tells us here would be hidden by another that takes its place.
    target = dataclasses.replace(settings.target(), reconnect=NO_RECONNECT)
    ground = Ground(adapter=adapter_for(target.scheme), target=target, prefix=prefix)
    try:
        with advised(target):
            report = survey(ground, max_bytes=max_bytes, tell=lambda question: context.say(f"asking: {question}"))
        _emit(context, report, as_json=json_)
        if report.gone:
            raise ConnectionLost(f"the broker was gone before everything was asked: {report.gone}")
    except ConnectError as error:
        if could_be_hosted(settings, error):
            error.hint = NOBODY_HINT
        raise
    finally:
        # Who interrupts it wants to know too.
        for left in ground.left_behind:
            context.report(f"left behind: {left}")


def _emit(context: AppContext, report: Report, *, as_json: bool) -> None:
    if as_json:
        context.emit(json.dumps(report.as_json(), ensure_ascii=False))
        return
    rows = [(each.question, str(each.outcome), each.seen) for each in report.findings]
    emit_table(context, ("QUESTION", "ANSWER", "SEEN"), rows)
