"""`run`: the commands in a file."""

from __future__ import annotations

from typing import Annotated

import typer

from mqctl.cli.console.shell import Shell, desk_of
from mqctl.cli.context import AppContext
from mqctl.cli.help import Command, command_app
from mqctl.errors import UsageError

DEPTH_MAX = 10
"""Files that run files: more is a file that runs itself."""

app = command_app()


@app.command(cls=Command)
def run(
    ctx: typer.Context, file: Annotated[str, typer.Argument(metavar="FILE", help="One command a line, # comments.")]
) -> None:
    """Run the commands in a file, up to the first that fails."""
    context: AppContext = ctx.obj
    desk = desk_of(context)
    try:
        lines = (context.cwd / file).read_bytes().splitlines()
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from error
    if desk.depth >= DEPTH_MAX:
        raise UsageError(f"{file} runs itself, or files that run each other are more than {DEPTH_MAX} deep")
    desk.depth += 1
    try:
        raise typer.Exit(Shell(context, desk).script(lines, file))
    finally:
        desk.depth -= 1
