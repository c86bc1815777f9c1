"""`subscribe`: print messages while one goes on typing."""

from __future__ import annotations

import typer

from mqctl import topics
from mqctl.cli.console.shell import desk_of
from mqctl.cli.context import AppContext
from mqctl.cli.expand import with_groups
from mqctl.cli.help import Command, command_app
from mqctl.cli.tail import SUBSCRIBE_TIMEOUT_S, OutputOptions, SubscribeOptions

app = command_app()


@app.command(cls=Command)
@with_groups
def subscribe(ctx: typer.Context, what: SubscribeOptions, output: OutputOptions) -> None:
    """Print the messages of topics as they arrive, while you go on.

    Examples:
        subscribe chart rect
        subscribe 'sensors.**' --json
    """
    context: AppContext = ctx.obj
    desk = desk_of(context)
    settings = desk.standing
    for spec in what.specs(settings, "tail", None):
        formatter = output.formatter(settings, with_topic=True, escaped=context.on_terminal)
        desk.subscribe(spec, formatter, timeout_s=SUBSCRIBE_TIMEOUT_S)
        context.say(f"subscribed to {topics.text_of(spec.topic)}")
