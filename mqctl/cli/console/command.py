"""The command itself: a prompt on a terminal, a script without one."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer

from mqctl.cli.console.desk import Desk
from mqctl.cli.console.shell import Shell
from mqctl.cli.context import AppContext
from mqctl.cli.expand import Flags, with_groups
from mqctl.cli.help import Command, command_app
from mqctl.cli.streams import write_out
from mqctl.errors import ConnectError

app = command_app()


@app.command(cls=Command)
@with_groups
def console(
    ctx: typer.Context,
    *,
    history: Annotated[bool, typer.Option("--history/--no-history", help="Remember what was typed.")] = True,
    flags: Flags,
) -> None:
    """Type commands to one connection; messages are printed above the line you type. `help` lists the commands.

    Without a terminal the commands are read from standard input, to the end or to the first that fails.

    Examples:
        mqctl console
        mqctl console --profile rabbitmq
        mqctl console < commands.txt
    """
    context: AppContext = ctx.obj
    if not (context.stdin.isatty() and context.on_terminal):
        raise typer.Exit(_read_script(context, flags))
    from mqctl.cli.console.prompting import Prompting

    prompting = Prompting(context, remember=history)
    desk = Desk(write=prompting.write, tell=prompting.tell)
    shell = Shell(context, desk)
    with closing(desk):
        try:
            shell.connect(flags)
        except ConnectError as error:
            context.complain(error)
        prompting.run(shell)


def _read_script(context: AppContext, flags: Flags) -> int:
    desk = Desk(write=lambda data: write_out(context.stdout, data), tell=context.report)
    shell = Shell(context, desk)
    with closing(desk):
        shell.connect(flags)
        return shell.script(context.stdin, "standard input")
