"""`unsubscribe`: print a topic's messages no more."""

from __future__ import annotations

from typing import Annotated

import typer

from mqctl.cli.console.shell import desk_of
from mqctl.cli.context import AppContext
from mqctl.cli.help import Command, command_app
from mqctl.cli.tail import SUBSCRIBE_TIMEOUT_S

app = command_app()


@app.command(cls=Command)
def unsubscribe(
    ctx: typer.Context,
    topic: Annotated[list[str] | None, typer.Argument(metavar="TOPIC...", help="As subscribed; none is all.")] = None,
) -> None:
    """End subscriptions."""
    context: AppContext = ctx.obj
    desk = desk_of(context)
    for name in topic or desk.names():
        desk.unsubscribe(name, timeout_s=SUBSCRIBE_TIMEOUT_S)
        context.say(f"unsubscribed from {name}")
