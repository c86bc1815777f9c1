"""Groups of options: a command takes a dataclass, or `Flags`, and its user sees one option for each member."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import MISSING, fields, is_dataclass, replace
from typing import Annotated, Any, NewType, get_type_hints

import typer

from mqctl.profiles.schema import SETTINGS

Flags = NewType("Flags", Mapping[str, Any])
"""The options that choose a broker as typed, by setting name, and `profile`; None where absent."""


def with_groups(command: Callable[..., None]) -> Callable[..., None]:
    """Let Typer see the members of each group in place of the parameter that takes the group.

    A member of a dataclass is annotated as a parameter would be, `Annotated[type, typer.Option(…)]`. The options that
    may stand before the command may stand after it too. The command's first parameter is `ctx`.
    """
    own: list[inspect.Parameter] = []
    groups: dict[str, tuple[Callable[..., Any], list[inspect.Parameter]]] = {}
    for parameter in inspect.signature(command, eval_str=True).parameters.values():
        if parameter.annotation is Flags:
            groups[parameter.name] = (dict, _of_settings())
        elif is_dataclass(parameter.annotation):
            groups[parameter.name] = (parameter.annotation, _of_dataclass(parameter.annotation))  # type: ignore[assignment]
        else:
            own.append(parameter)

    @functools.wraps(command)
    def expanded(**values: Any) -> None:
        ctx = values["ctx"]
        quiet, debug = values.pop("quiet"), values.pop("debug")
        ctx.obj = replace(ctx.obj, quiet=quiet or ctx.obj.quiet, debug=debug or ctx.obj.debug)
        for name, (make, members) in groups.items():
            values[name] = make(**{member.name: values.pop(member.name) for member in members})
        command(**values)

    everything = [*own, *(member for _, members in groups.values() for member in members), *_ANYWHERE]
    expanded.__signature__ = inspect.Signature(everything)  # type: ignore[attr-defined]
    expanded.__annotations__ = {parameter.name: parameter.annotation for parameter in everything}
    return expanded


def _of_dataclass(group: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        _parameter(
            member.name,
            _in_panel(hints[member.name], getattr(group, "TITLE", None)),
            member.default,
        )
        for member in fields(group)
    ]


def _in_panel(annotation: Any, title: str | None) -> Any:
    """The option under its group's title; a copy, because groups of several commands share options."""
    kind, option = annotation.__origin__, copy(annotation.__metadata__[0])
    if isinstance(option, typer.models.OptionInfo):
        option.rich_help_panel = option.rich_help_panel or title
    return Annotated[kind, option]


def _of_settings() -> list[inspect.Parameter]:
    flags = [
        _broker_option("profile", "--profile", "Profile to use: a name or a file.", str),
        *(_broker_option(s.name, s.flag, s.help, bool if s.negated or "/" in s.flag else str) for s in SETTINGS),
    ]
    return [_parameter(name, annotation) for name, annotation in flags]


def _broker_option(name: str, flag: str, help_text: str, kind: type) -> tuple[str, Any]:
    return name, Annotated[kind | None, typer.Option(flag, help=help_text, rich_help_panel="Broker")]


QuietOption = Annotated[bool, typer.Option("--quiet", help="Only errors and the last line on standard error.")]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]


def _parameter(name: str, annotation: Any, default: Any = None) -> inspect.Parameter:
    """`default` is None, a value, or MISSING where the user must give one."""
    default = inspect.Parameter.empty if default is MISSING else default
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


_ANYWHERE = [_parameter("quiet", QuietOption, default=False), _parameter("debug", DebugOption, default=False)]
