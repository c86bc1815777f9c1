"""The pages of help: plain text, not too wide, with examples that are right."""

from __future__ import annotations

import io
import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest
import typer

from mqctl.cli.context import AppContext
from mqctl.cli.program import ALIASES, COMMANDS, run
from mqctl.errors import ExitCode

WITH_EXAMPLES = ("publish", "tail", "watch", "hub", "bench")


def page(*args: str) -> str:
    """What a page of help prints on standard output."""
    context = AppContext(stdin=io.BytesIO(), stdout=io.BytesIO(), stderr=io.StringIO(), environ={}, cwd=Path())
    assert run(args, context) == ExitCode.OK
    assert context.stderr.getvalue() == ""
    return context.stdout.getvalue().decode()


PAGES = [(), *((name,) for name in COMMANDS), *(("profile", name) for name in ("list", "show", "add", "use", "check"))]


@pytest.mark.parametrize("command", PAGES, ids=lambda command: " ".join(command) or "mqctl")
def test_every_page_is_plain_text_of_eighty_columns(command):
    text = page(*command, "--help")
    assert page(*command, "-h") == text
    assert text.startswith(f"Usage: {' '.join(('mqctl', *command))}")
    assert all(len(line) <= 80 for line in text.splitlines())
    assert not re.search(r"[\x1b│╭]|<str>|<int|\[default: \d+\.\d+\]", text)


@pytest.mark.parametrize("command", [(), ("profile",)])
def test_without_a_command_the_help_is_shown(command):
    assert page(*command) == page(*command, "--help")


def test_each_command_is_listed_with_its_whole_line():
    text = " ".join(page("--help").split())
    assert all(f"{name} {line}" in text for name, line in COMMANDS.items())
    assert "..." not in page("profile", "--help").partition("Commands:")[2]


@pytest.mark.parametrize("command", WITH_EXAMPLES)
def test_the_examples_are_right_as_far_as_their_options_go(command):
    text = page(command, "--help")
    examples = re.findall(rf"^  (mqctl {command}.*)$", text, re.MULTILINE)
    assert text.index("Examples:") < text.index("mqctl " + command, text.index("Examples:")) < text.index("--help")
    assert len(examples) >= 2
    app = typer.main.get_command(import_module(f"mqctl.cli.{command}").app)
    for example in examples:
        words = shlex.split(example.partition(" < ")[0])
        app.make_context(command, words[2:])


@pytest.mark.parametrize(("alias", "command"), ALIASES.items())
def test_an_alias_is_the_command(alias, command):
    assert page(alias, "--help") == page(command, "--help").replace(f"Usage: mqctl {command}", f"Usage: mqctl {alias}")
