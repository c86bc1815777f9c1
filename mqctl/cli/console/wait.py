"""`wait`: let messages come before the next command of a script."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from mqctl.cli.console.shell import desk_of
from mqctl.cli.context import AppContext
from mqctl.cli.help import Command, command_app
from mqctl.cli.options import TimeoutOption
from mqctl.errors import OperationTimeout, UsageError

app = command_app()


@app.command(cls=Command)
def wait(
    ctx: typer.Context,
    *,
    count: Annotated[
        int | None, typer.Option("-n", "--count", min=1, help="Until so many have come since the last wait.")
    ] = None,
    timeout: TimeoutOption = None,
) -> None:
    """Wait until messages have come, or for a time.

    Examples:
        wait --count 3 --timeout 10s
        wait --timeout 500ms
    """
    context: AppContext = ctx.obj
    desk = desk_of(context)
    if count is None:
        if timeout is None:
            raise UsageError("wait for what? Give --count, --timeout or both")
        time.sleep(timeout)
    elif not desk.wait(count, timeout):
        raise OperationTimeout(f"fewer than {count} messages came")
