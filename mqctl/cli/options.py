"""Options that several commands share, each written once: its flag, its help, its parser."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mqctl.cli.help import DURATION
from mqctl.durations import parse_duration
from mqctl.errors import UsageError


def duration(text: str | float) -> float:
    """Parse a duration option; what it raises, Typer reports with the option's name.

    Raises:
        typer.BadParameter: No duration.
    """
    if isinstance(text, float):
        return text
    try:
        return parse_duration(text)
    except UsageError as error:
        raise typer.BadParameter("; ".join(filter(None, (str(error), error.hint)))) from error


def duration_option(flag: str, help_text: str) -> Any:
    """An option that takes a duration with its unit, and gives seconds."""
    return typer.Option(flag, parser=duration, metavar=DURATION, help=help_text)


NativeOption = Annotated[
    bool | None,
    typer.Option("--native", help="Pass the topic through as the broker's own name, whatever it looks like."),
]
CountOption = Annotated[int | None, typer.Option("-n", "--count", min=1, help="Stop after this many messages.")]
TimeoutOption = Annotated[float | None, duration_option("--timeout", "End the whole run after this; exit code 124.")]
IdleOption = Annotated[float | None, duration_option("--idle", "End when no message came for this long.")]
AckOption = Annotated[
    str | None,
    typer.Option(
        "--ack",
        metavar="auto|client|individual",
        help="When a message is done: at once, or when it was written out, with all before it (client) or alone.",
    ),
]
PrefetchOption = Annotated[
    int | None, typer.Option("--prefetch", min=1, help="Messages the broker may send ahead of our acknowledgements.")
]
QosOption = Annotated[
    int | None, typer.Option("-q", "--qos", min=0, max=2, help="Quality of service (MQTT): 0 at most once, 1, 2.")
]
SharedOption = Annotated[
    str | None, typer.Option("--shared", metavar="GROUP", help="The members of the group share the messages (MQTT).")
]
RetainedOption = Annotated[
    str | None,
    typer.Option(
        "--retained", metavar="all|skip|only", help="The message that the broker kept for newcomers: too, not, only."
    ),
]
SelectorOption = Annotated[str | None, typer.Option("--selector", help="SQL-92 filter, where the broker has it.")]
DurableOption = Annotated[
    str | None,
    typer.Option("--durable", metavar="NAME", help="The broker keeps messages for this name while nobody is here."),
]


def one_of(kind: Any, text: str, option: str) -> Any:
    """The member of an enumeration that an option names.

    Raises:
        UsageError: It has no such member.
    """
    members = {member.name.lower().replace("_", "-"): member for member in kind}
    if text.lower() not in members:
        raise UsageError(f"{option} takes {', '.join(members)}, not {text!r}")
    return members[text.lower()]
