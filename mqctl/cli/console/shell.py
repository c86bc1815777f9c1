"""Running the lines that are typed: the console's own commands, and all of mqctl's over the console's connection."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from typing import Any, ClassVar, Final

import typer

from mqctl.adapters.base import Connection, EventSink
from mqctl.cli.console.desk import Desk
from mqctl.cli.console.words import words_of
from mqctl.cli.context import AppContext
from mqctl.cli.expand import Flags
from mqctl.cli.program import LazyGroup, root, run
from mqctl.cli.target import connected_or_hosted, settings_for
from mqctl.errors import ConnectionLost, ExitCode, UsageError
from mqctl.profiles.readers import did_you_mean

OWN: Final = {
    "subscribe": "Print the messages of topics as they arrive, while you go on.",
    "unsubscribe": "End subscriptions.",
    "use": "Connect to another broker.",
    "status": "Tell what this console is connected and subscribed to.",
    "wait": "Wait until messages have come, or for a time.",
    "run": "Run the commands in a file.",
}
"""Commands that only a console has; each is `app` of the module of its name beside this one."""

ALIASES: Final = {"sub": "subscribe", "unsub": "unsubscribe"}
WORDS: Final = {"help": "List the commands.", "exit": "Leave; Ctrl-D does it too."}
LEAVING: Final = frozenset({"exit", "quit"})
PROGRAM: Final = "mqctl"
"""May stand before a command, as in the examples of the help."""

_WITHOUT: Final = frozenset({"console"})
_FULL_SCREEN: Final = frozenset({"watch", "demo", "bench"})


class ConsoleGroup(LazyGroup):
    """The program's commands and the console's own."""

    table: ClassVar = {**OWN, **{name: line for name, line in LazyGroup.table.items() if name not in _WITHOUT}}
    aliases: ClassVar = {**LazyGroup.aliases, **ALIASES}

    def module_of(self, name: str) -> str:
        """Where a command's `app` is."""
        return f"mqctl.cli.console.{name}" if name in OWN else super().module_of(name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """As the program does it; the hint is for who sits at a console."""
        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            near = did_you_mean(args[0], (*self.table, *self.aliases, *WORDS))
            raise UsageError(f"no command {args[0]!r}; {near}", hint="help lists the commands")
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - the library's signature
        """The commands, and nothing of the program around them."""
        formatter.write_text("A line is a command, as for mqctl itself. These are the commands:")
        with formatter.section("Commands"):
            formatter.write_dl([*self.table.items(), *WORDS.items()])
        formatter.write_paragraph()
        formatter.write_text("help COMMAND tells more; a command with --url or --profile goes to another broker.")


app = typer.Typer(
    cls=ConsoleGroup,
    add_completion=False,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.callback(context_settings={"help_option_names": ["-h", "--help"]})(root)


class Shell:
    """Takes lines and runs them, one after the other.

    Args:
        context: The world of the console.
        desk: What stays between two lines.
    """

    def __init__(self, context: AppContext, desk: Desk) -> None:
        self.desk = desk
        self.context = replace(context, desk=desk)

    def connect(self, flags: Flags) -> None:
        """Connect to the broker that the options name.

        Raises:
            MqctlError: As `Adapter.connect`, or the options make no sense.
        """
        connect_desk(self.context, self.desk, flags)

    def script(self, lines: Iterable[bytes], name: str) -> ExitCode | int:
        """Run lines up to the first that fails; its exit code.

        Raises:
            MeasuredWrong, ReaderGone: As `Desk.check`.
        """
        for number, line in enumerate(lines, 1):
            # Bytes that are no UTF-8 are published as they are, as those of a command line.
            text = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
            code = self.line(text.decode("utf-8", "surrogateescape"))
            self.desk.check()
            if code is None:
                break
            if code:
                self.context.report(f"{name}, line {number}: exit code {code}; the rest is not run")
                return code
        return ExitCode.OK

    def line(self, text: str) -> ExitCode | int | None:
        """Run one line; its exit code, or None when it was the last."""
        try:
            words = words_of(text)
        except UsageError as error:
            self.context.complain(error)
            return ExitCode.USAGE
        if not words:
            return ExitCode.OK
        if words[0] == PROGRAM:
            words = words[1:] or ["help"]
        if words[0] in LEAVING:
            return None
        if words[0] in ("help", "?"):
            words = [word for word in words[1:] if word not in WORDS] + ["--help"]
        with self.desk.silence() if words[0] in _FULL_SCREEN else nullcontext():
            return self._run(words)

    def _run(self, words: list[str]) -> ExitCode | int:
        try:
            return run(words, self.context, app, name="")
        except KeyboardInterrupt:
            # Ctrl-C ends the command and not the console.
            return ExitCode.INTERRUPTED


def connect_desk(context: AppContext, desk: Desk, flags: Flags) -> None:
    """Connect the console to the broker that `flags` name, hosting a hub where that is the broker's way.

    Raises:
        MqctlError: As `Adapter.connect`, or the options make no sense.
    """
    alone = replace(context, desk=None)
    settings = settings_for(alone, flags)
    before = {"url": context.url, "profile": context.profile}
    kept = {name: before.get(name) if value is None else value for name, value in flags.items()}

    def connect(sink: EventSink, stack: ExitStack) -> Connection:
        return stack.enter_context(connected_or_hosted(alone, settings, sink))

    desk.use(settings, kept, connect)
    greeting = desk.connection.greeting
    context.say(f"connected to {greeting.peer} ({greeting.server or 'a broker without a name'})")


def desk_of(context: AppContext) -> Desk:
    """The desk of the console that runs this command."""
    if context.desk is None:
        raise ConnectionLost("this command belongs to mqctl console")
    desk: Desk = context.desk
    return desk
