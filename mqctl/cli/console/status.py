"""`status`: what the console is connected and subscribed to."""

from __future__ import annotations

import typer

from mqctl.cli.console.shell import desk_of
from mqctl.cli.context import AppContext
from mqctl.cli.help import Command, command_app
from mqctl.cli.tables import emit_table

app = command_app()


@app.command(cls=Command)
def status(ctx: typer.Context) -> None:
    """Tell what this console is connected and subscribed to."""
    context: AppContext = ctx.obj
    desk = desk_of(context)
    connection = desk.connection
    greeting, stats = connection.greeting, connection.stats()
    state = "trying to connect again" if desk.outages.missing else "connected"
    context.emit(f"{state}: {greeting.peer} ({greeting.server or 'a broker without a name'}){desk.outages.summary()}")
    context.emit(f"messages: {stats.messages_in} in, {stats.messages_out} out")
    if desk.subscriptions:
        rows = [(each.name, str(each.count)) for each in desk.subscriptions.values()]
        emit_table(context, ("SUBSCRIPTION", "MESSAGES"), rows)
