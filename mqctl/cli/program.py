"""The program: a table of commands that load when they are named, and the one place where errors become exit codes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, ClassVar

import typer
from typer.core import TyperCommand

from mqctl import __version__
from mqctl.cli.context import AppContext
from mqctl.cli.expand import DebugOption, QuietOption
from mqctl.cli.help import Group
from mqctl.cli.streams import ReaderGone, standard_streams
from mqctl.errors import ExitCode, MqctlError

COMMANDS = {
    "publish": "Send messages to a topic, and say what became of each.",
    "tail": "Print the messages of topics as they arrive.",
    "watch": "Draw the messages of topics live: a turning rectangle, charts, dots, a table.",
    "console": "Type commands to one connection; messages appear as they come.",
    "hub": "Run the embedded broker.",
    "demo": "See a rectangle turn and a chart move, with nothing else installed.",
    "experiment": "Find out what a broker does about order and acknowledgement, with a verdict.",
    "bench": "Measure a broker under a load: rates, latencies, and whether every message came.",
    "check": "Judge a history: was anything lost, doubled, out of order?",
    "probe": "Find out what a broker really does.",
    "profile": "List, show, add, remove, choose and check profiles: named brokers with their settings.",
}
"""Name and one line of help; the command is `app` of `mqctl.cli.<name>`, imported when it is run and not before."""

ALIASES = {"pub": "publish", "sub": "tail", "exp": "experiment"}


class LazyGroup(Group):
    """Lists commands from the table and imports a command's module when that command is run."""

    table: ClassVar[Mapping[str, str]] = COMMANDS
    aliases: ClassVar[Mapping[str, str]] = ALIASES

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = {name: TyperCommand(name, help=line) for name, line in self.table.items()}

    def module_of(self, name: str) -> str:
        """Where a command's `app` is."""
        return f"mqctl.cli.{name}"

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the signature of the library
        """A stand-in that knows the command's one line of help."""
        return self.commands.get(self.aliases.get(cmd_name, cmd_name))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The real command that `args` names."""
        name, stand_in, rest = super().resolve_command(ctx, args)
        if stand_in is None:
            return name, None, rest
        return name, typer.main.get_command(import_module(self.module_of(stand_in.name or "")).app), rest


app = typer.Typer(cls=LazyGroup, invoke_without_command=True, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.callback(context_settings={"help_option_names": ["-h", "--help"]})
def root(
    ctx: typer.Context,
    *,
    url: Annotated[str | None, typer.Option(metavar="URL", help="Broker to use, such as stomp://localhost.")] = None,
    profile: Annotated[str | None, typer.Option(metavar="NAME", help="Profile to use: a name or a file.")] = None,
    quiet: QuietOption = False,
    debug: DebugOption = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Publish to, tail and watch topics on ActiveMQ, Amazon MQ, RabbitMQ, Mosquitto, or the hub that mqctl carries."""
    context = ctx.find_object(AppContext)
    assert context is not None
    if version:
        context.emit(f"mqctl {__version__}")
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        context.emit(ctx.get_help())
        raise typer.Exit
    ctx.obj = replace(context, url=url, profile=profile, quiet=quiet or context.quiet, debug=debug or context.debug)


def here() -> AppContext:
    """The context of this process."""
    stdin, stdout, stderr = standard_streams()
    return AppContext(stdin=stdin, stdout=stdout, stderr=stderr, environ=os.environ, cwd=Path.cwd())


def run(argv: Sequence[str], context: AppContext, program: typer.Typer = app, *, name: str = "mqctl") -> int:
    """Run one command line; every error ends here, as a sentence on standard error and an exit code."""
    failure: Exception
    try:
        code = typer.main.get_command(program).main(args=list(argv), prog_name=name, standalone_mode=False, obj=context)
    except MqctlError as error:
        context.complain(error)
        failure, code = error, error.exit_code
    except typer.TyperException as error:
        context.complain(_usage_error(error))
        failure, code = error, ExitCode.USAGE
    except ReaderGone as error:
        # That is their end of the run, not a fault of ours.
        failure, code = error, ExitCode.OK
    except Exception as error:  # noqa: BLE001 - the last line of defence
        context.report(f"this is a bug in mqctl: {type(error).__name__}: {error}")
        failure, code = error, ExitCode.BUG
    else:
        return int(code or ExitCode.OK)
    if "--debug" in argv:
        import traceback

        traceback.print_exception(failure, file=context.stderr)
    return int(code)


def _usage_error(error: typer.TyperException) -> MqctlError:
    """What the library found wrong with the command line, with the way to the right page of help."""
    wrong_in = getattr(error, "ctx", None)
    message = error.format_message()
    for kind, word in _KINDS.items():
        message = message.replace(f"is not a valid {kind}.", f"is no {word}")
    return MqctlError(message, hint=f"{wrong_in.command_path.strip()} --help" if wrong_in else None)


_KINDS = {"int range": "whole number", "int": "whole number", "float": "number"}
