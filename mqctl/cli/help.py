"""Help in plain text: what a command does, examples, then its options group by group."""

from __future__ import annotations

import inspect
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from mqctl.cli.context import AppContext
from mqctl.durations import format_duration

EXAMPLES = "Examples:\n"
"""What divides a command's docstring into its description and the lines that show how it is used."""

OWN_GROUP = "Options"
WIDEST_OPTION = 34
DURATION = "DURATION"
"""How an option that takes a duration is marked in the help."""


def command_app(**settings: Any) -> typer.Typer:
    """An application of one `Command`, or of several."""
    return typer.Typer(
        cls=Group, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None, **settings
    )


class _Shown:
    """Help is data on standard output like any other, and is lost like any other where that is full."""

    def get_help_option(self, ctx: Any) -> Any:
        """The library's option, which prints in our way."""
        option = super().get_help_option(ctx)  # type: ignore[misc]  # of the class that this is mixed into
        if option is not None:
            option.callback = _show
        return option


def _show(ctx: Any, _option: Any, is_given: bool) -> None:
    if is_given and not ctx.resilient_parsing:
        ctx.find_object(AppContext).emit(ctx.get_help())
        ctx.exit()


class Group(_Shown, TyperGroup):
    """A command of commands. Without one of them it shows its help."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As the library does it, which would take the help for an error."""
        if not args and self.no_args_is_help:
            _show(ctx, None, True)
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - the library's signature
        """Each command with the whole first line of its help."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, (each.help or "").partition("\n")[0]) for name, each in self.commands.items()])


class Command(_Shown, TyperCommand):
    """Prints the examples as they are written, and the options by `rich_help_panel`."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """What must be given stands without braces, as in every other manual."""
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]

    def format_help_text(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - the library's signature
        """The description, wrapped, and the examples, as they are."""
        description, _, examples = inspect.cleandoc(self.help or "").partition(EXAMPLES)
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(description.strip())
        if examples:
            with formatter.section(EXAMPLES.rstrip(":\n")):
                for line in inspect.cleandoc(examples).splitlines():
                    formatter.write(f"{'':{formatter.current_indent}}{line}\n")

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments first, then each group in the order of its first option."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in sorted(self.get_params(ctx), key=lambda each: each.param_type_name):
            if record := parameter.get_help_record(ctx):
                groups.setdefault(_group(parameter), []).append(_plain(parameter, *record))
        for title, records in groups.items():
            with formatter.section(title):
                formatter.write_dl(records, col_max=WIDEST_OPTION)


_TYPES = {" <str>": " TEXT", " <int>": " N", " <int range>": " N", " <float>": " N"}


def _plain(parameter: Any, name: str, text: str) -> tuple[str, str]:
    """An option and what it does, in words for people instead of the library's for types."""
    for kind, word in _TYPES.items():
        name = name.removesuffix(kind) + word if name.endswith(kind) else name
    text = text.removesuffix("  [x>=1]")
    if parameter.metavar == DURATION and parameter.default:
        text = text.replace(f"[default: {parameter.default}]", f"[default: {format_duration(parameter.default)}]")
    return name, text


def _group(parameter: Any) -> str:
    return parameter.rich_help_panel or ("Arguments" if parameter.param_type_name == "argument" else OWN_GROUP)
