"""What Tab offers: commands, their options and what these take, topics seen, profiles, subscriptions, files."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

import typer
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from mqctl.cli.console.shell import PROGRAM, WORDS, ConsoleGroup, Shell, app
from mqctl.errors import ConfigError
from mqctl.profiles.store import Store

_WORD: Final = re.compile(r"""(?:[^\s'"\\]|\\.?|'[^']*(?:'|$)|"(?:\\.|[^"\\])*(?:"|$))+""")
_NEEDS_QUOTES: Final = re.compile(r"""[\s'"\\]|^[#|<>]|;$""")
_FILES: Final = frozenset({"--ca", "--cert", "--key", "--crl", "FILE", "PATH"})
_PROFILES: Final = frozenset({"--profile", "NAME"})


class _Typed(NamedTuple):
    """A line up to the cursor: its finished words, and the one under way as it stands there and as it is meant."""

    words: list[str]
    raw: str
    current: str


class Words(Completer):
    """Completes the word under the cursor.

    Args:
        shell: Whose commands, topics and subscriptions are offered.
    """

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        group = typer.main.get_command(app)
        assert isinstance(group, ConsoleGroup)
        self._group = group

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:  # noqa: ARG002 - the library's signature
        """The words that may stand here."""
        typed = _typed(document.text_before_cursor)
        option, sign, begun = typed.current.partition("=")
        if sign and option.startswith("--"):
            typed = _Typed([*typed.words, option], typed.raw, begun)
        else:
            option = ""
        for word in self._offered(typed.words, typed.current):
            if word.startswith(typed.current):
                yield Completion(
                    option + sign * bool(option) + _quoted(word, typed.raw), start_position=-len(typed.raw)
                )

    def _offered(self, words: list[str], current: str) -> Iterator[str]:
        if words[:1] == [PROGRAM]:
            words = words[1:]
        if not words:
            yield from sorted({*self._group.table, *WORDS})
        elif words[0] == "help":
            yield from sorted(self._group.table)
        elif (name := self._group.aliases.get(words[0], words[0])) in self._group.table:
            yield from self._of_command(name, words[1:], current)

    def _of_command(self, name: str, words: list[str], current: str) -> Iterator[str]:
        command: Any = typer.main.get_command(import_module(self._group.module_of(name)).app)
        if (below := getattr(command, "commands", None)) is not None:
            if not words:
                yield from below
                return
            command, words = below.get(words[0]), words[1:]
        if command is None:
            return
        takers = {each: option for option in command.params if not _is_switch(option) for each in option.opts}
        if words and words[-1] in takers:
            yield from self._values(words[-1], takers[words[-1]], current)
        elif current.startswith("-"):
            for option in command.params:
                yield from (each for each in (*option.opts, *option.secondary_opts) if each.startswith("--"))
        elif name == "unsubscribe":
            yield from self._shell.desk.names()
        else:
            given = [word for before, word in pairwise(["", *words]) if word[:1] != "-" and before not in takers]
            arguments = [each for each in command.params if each.param_type_name == "argument"]
            if arguments:
                yield from self._values("", arguments[min(len(given), len(arguments) - 1)], current)

    def _values(self, option: str, taker: Any, current: str) -> Iterator[str]:
        kinds = {option, *(taker.metavar or taker.name.upper()).strip("[].…").split("|")}
        if kinds & _PROFILES:
            # A directory of profiles that is not there is told by the command.
            with suppress(ConfigError):
                context = self._shell.context
                yield from sorted({found.name for found in Store(context.environ, context.cwd).all()})
        if kinds & _FILES:
            yield from _files(self._shell.context.cwd, current)
        if "TOPIC" in kinds:
            yield from list(self._shell.desk.seen)
        # What is to be typed as it stands is written small.
        yield from sorted(kind for kind in kinds - {option} if kind.islower())


def _is_switch(option: Any) -> bool:
    return option.param_type_name == "argument" or bool(option.is_flag)


def _typed(line: str) -> _Typed:
    found = list(_WORD.finditer(line))
    # A blank ends a word, unless it stands in a quotation that is still open.
    raw = found.pop()[0] if found and found[-1].end() == len(line) else ""
    words = [each[0] for each in found]
    return _Typed([_meant(word) for word in words], raw, _meant(raw))


def _meant(raw: str) -> str:
    """A word without its quotes, of which the last may still be open."""
    for end in ("", "'", '"', "\\"):
        with suppress(ValueError):
            return "".join(shlex.split(raw + end))
    return raw


def _quoted(word: str, raw: str) -> str:
    if raw[:1] in ("'", '"') and raw[0] not in word and "\\" not in word:
        return raw[0] + word + raw[0] * (not word.endswith("/"))
    return shlex.quote(word) if _NEEDS_QUOTES.search(word) else word


def _files(cwd: Path, current: str) -> Iterator[str]:
    """What lies in the directory that `current` leads to; directories end in a slash."""
    before = current[: current.rfind("/") + 1]
    with suppress(OSError):
        for path in sorted((cwd / before).iterdir()):
            if current[len(before) :].startswith(".") or not path.name.startswith("."):
                yield f"{before}{path.name}{'/' * path.is_dir()}"
