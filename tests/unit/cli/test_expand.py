"""Groups of options."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import pytest
import typer

from mqctl.cli.context import AppContext
from mqctl.cli.expand import Flags, with_groups
from mqctl.cli.help import Command, command_app
from mqctl.cli.options import duration_option
from mqctl.profiles.schema import SETTINGS

SHARED = typer.Option("--shared", help="In two groups.")


@dataclass(frozen=True, slots=True, kw_only=True)
class One:
    """A group with a title."""

    TITLE: ClassVar = "First"

    name: Annotated[str, typer.Argument(metavar="NAME", help="Who.")]
    shared: Annotated[bool, SHARED] = False
    wait: Annotated[float, duration_option("--wait", "How long.")] = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Two:
    """A group without one."""

    level: Annotated[int | None, typer.Option("--level", min=1, help="How high.")] = None


def called(*args: str) -> dict:
    """What a command is called with."""
    seen: dict = {}
    app = command_app()

    @app.command(cls=Command)
    @with_groups
    def command(
        ctx: typer.Context, one: One, flags: Flags, two: Two, *, own: Annotated[str, typer.Option("--own")] = "mine"
    ) -> None:
        r"""Do it.

        Examples:
            do it  now
            do it '\n'
        """
        seen.update(ctx=ctx, one=one, flags=flags, two=two, own=own)

    context = AppContext(
        stdin=io.BytesIO(), stdout=io.BytesIO(), stderr=io.StringIO(), environ={}, cwd=Path(), quiet="-q" in args
    )
    typer.main.get_command(app).main(
        [arg for arg in args if arg != "-q"], prog_name="do", standalone_mode=False, obj=context
    )
    seen["out"] = context.stdout.getvalue().decode()
    return seen


def test_a_command_gets_its_groups_as_values():
    seen = called("ann", "--shared", "--level", "3", "--own", "x", "--wait", "2m", "--url", "stomp://a", "--insecure")
    assert seen["one"] == One(name="ann", shared=True, wait=120.0)
    assert seen["two"] == Two(level=3)
    assert seen["own"] == "x"
    assert {name: value for name, value in seen["flags"].items() if value is not None} == {
        "url": "stomp://a",
        "verify": True,
    }


def test_what_is_not_typed_is_the_groups_default():
    seen = called("ann")
    assert (seen["one"], seen["two"], seen["own"]) == (One(name="ann"), Two(), "mine")
    assert set(seen["flags"]) == {"profile", *(setting.name for setting in SETTINGS)}
    assert set(seen["flags"].values()) == {None}


def test_a_member_without_default_must_be_given():
    with pytest.raises(typer.TyperException) as caught:
        called()
    assert caught.value.format_message() == "Missing argument 'NAME'."


@pytest.mark.parametrize(("typed", "quiet"), [((), False), (("--quiet",), True), (("-q",), True)])
def test_quiet_counts_before_and_after_the_command(typed, quiet):
    assert called("ann", *typed)["ctx"].obj.quiet is quiet


def test_help_has_examples_as_written_groups_and_plain_words():
    text = called("--help")["out"]
    assert text.startswith("Usage: do [OPTIONS] NAME\n")
    assert "  Do it.\n\nExamples:\n  do it  now\n  do it '\\n'\n\nArguments:\n  NAME  Who." in text
    assert "First:\n  --shared         In two groups.\n  --wait DURATION  How long.  [default: 1m30s]\n" in text
    assert "Broker:\n  --profile TEXT" in text
    assert "--level N" in text
    assert SHARED.rich_help_panel is None
