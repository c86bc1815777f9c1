"""`use`: connect to another broker."""

from __future__ import annotations

from typing import Annotated

import typer

from mqctl.cli.console.shell import connect_desk, desk_of
from mqctl.cli.context import AppContext
from mqctl.cli.expand import Flags, with_groups
from mqctl.cli.help import Command, command_app
from mqctl.errors import UsageError

app = command_app()


@app.command(cls=Command)
@with_groups
def use(
    ctx: typer.Context,
    *,
    broker: Annotated[str | None, typer.Argument(metavar="NAME|URL", help="A profile, or an address.")] = None,
    flags: Flags,
) -> None:
    """Connect to another broker. What was subscribed at the one before is over.

    Examples:
        use rabbitmq
        use mqtt://localhost --client-id me --no-clean
    """
    context: AppContext = ctx.obj
    if broker is None and flags["url"] is None and flags["profile"] is None:
        raise UsageError("use which broker? A profile's name or a URL is missing")
    chosen = {} if broker is None else {"url" if "://" in broker else "profile": broker}
    if any(flags[name] is not None for name in chosen):
        raise UsageError(f"{broker} and --{next(iter(chosen))} exclude each other")
    connect_desk(context, desk_of(context), Flags({**flags, **chosen}))
