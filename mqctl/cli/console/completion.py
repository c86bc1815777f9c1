"""What Tab offers: commands, their options, topics seen, profiles, subscriptions."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any, Final

import typer
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from mqctl.cli.console.shell import WORDS, ConsoleGroup, Shell, app
from mqctl.profiles.store import Store

_TAKES_TOPICS: Final = frozenset({"publish", "tail", "watch", "subscribe", "bench"})


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
        before = document.text_before_cursor
        try:
            words = shlex.split(before)
        except ValueError:
            # In the middle of a quoted text nothing is offered.
            return
        current = "" if not words or before[-1:].isspace() else words.pop()
        for word in self._offered(words, current):
            if word.startswith(current):
                yield Completion(word, start_position=-len(current))

    def _offered(self, words: list[str], current: str) -> Iterator[str]:
        if not words:
            yield from sorted({*self._group.table, *WORDS})
            return
        command = self._group.aliases.get(words[0], words[0])
        if current.startswith("-"):
            yield from self._options(command)
        elif words[-1] == "--profile" or command == "use":
            yield from self._profiles()
        elif command == "unsubscribe":
            yield from self._shell.desk.names()
        elif command == "help":
            yield from sorted(self._group.table)
        elif command in _TAKES_TOPICS:
            yield from list(self._shell.desk.seen)

    def _options(self, command: str) -> Iterator[str]:
        if command not in self._group.table:
            return
        found: Any = typer.main.get_command(import_module(self._group.module_of(command)).app)
        for parameter in found.params:
            yield from (name for name in (*parameter.opts, *parameter.secondary_opts) if name.startswith("--"))

    def _profiles(self) -> Iterator[str]:
        context = self._shell.context
        yield from sorted({found.name for found in Store(context.environ, context.cwd).all()})
