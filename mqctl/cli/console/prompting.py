"""The prompt: a line editor with history and completion, and messages above it."""

from __future__ import annotations

import re
import signal
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Final

from prompt_toolkit import PromptSession
from prompt_toolkit.history import FileHistory, History, InMemoryHistory

from mqctl.cli.console.above import Above
from mqctl.cli.console.completion import Words
from mqctl.cli.console.shell import Shell
from mqctl.cli.context import AppContext
from mqctl.cli.formats import tame
from mqctl.errors import ConnectionLost, ExitCode

PRIVATE: Final = 0o600

_HAS_PASSWORD = re.compile(
    # A login or a query in an address, a login before a host, an address with its host forgotten, and what is no
    # reference to a secret.
    r"://.*@|://\S*\?|\buse\s+\S*:\S*@|://[^/\s,\[]*:(?!\d{1,5}(?:\D|$))"
    r"|--\S*pass\w*[=\s]+(?!env:|file:|command:|aws-secret:|prompt)"
)


class Prompting:
    """A person at a terminal.

    Args:
        context: The world of the console.
        remember: Whether what is typed is kept for the next time.
    """

    def __init__(self, context: AppContext, *, remember: bool) -> None:
        self._context = context
        self._remember = remember
        self._above = Above(context.stdout)

    def write(self, data: bytes) -> None:
        """Print messages above the prompt."""
        self._above.write(data)

    def tell(self, text: str) -> None:
        """Print a notice above the prompt."""
        self.write(f"mqctl: {tame(text)}\n".encode("utf-8", "backslashreplace"))

    def run(self, shell: Shell) -> None:
        """Read and run lines until the end.

        Raises:
            SystemExit: SIGTERM came.
        """
        # Else it would be one more Ctrl-C, which ends no console.
        signal.signal(signal.SIGTERM, _leave)
        session: PromptSession[str] = PromptSession(
            history=_history() if self._remember else InMemoryHistory(),
            completer=Words(shell),
            complete_while_typing=False,
        )
        going_on = True
        while going_on:
            # Ctrl-C throws away the line, or ends the command, wherever in this it comes.
            with suppress(KeyboardInterrupt):
                going_on = self._one_line(session, shell)

    def _one_line(self, session: PromptSession[str], shell: Shell) -> bool:
        try:
            line = self._edited(session, shell) if self._context.can_draw else self._plain(shell)
        except EOFError:
            return False
        return shell.line(line) is not None

    def _edited(self, session: PromptSession[str], shell: Shell) -> str:
        with self._above.typing() as begin:
            return session.prompt(lambda: _prompt(shell), pre_run=begin)

    def _plain(self, shell: Shell) -> str:
        """Where the cursor does not move, the line is edited by the terminal."""
        self.write(_prompt(shell).encode())
        line = self._context.stdin.readline()
        if not line:
            raise EOFError
        return line.decode("utf-8", "surrogateescape")


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(ExitCode.INTERRUPTED)


def _prompt(shell: Shell) -> str:
    try:
        peer = shell.desk.connection.greeting.peer
    except ConnectionLost:
        return "mqctl (not connected)> "
    return f"mqctl {peer}{' (reconnecting)' if shell.desk.outages.missing else ''}> "


class _Discreet(FileHistory):
    """Keeps no line that has a password in it, and no file that others can read."""

    def store_string(self, string: str) -> None:
        """Write a line down, unless it is a secret."""
        if not _HAS_PASSWORD.search(string):
            super().store_string(string)


def _history() -> History:
    from platformdirs import user_state_path

    path = Path(user_state_path("mqctl")) / "console-history"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=PRIVATE)
        path.chmod(PRIVATE)
    except OSError:
        # A console without a memory is better than none.
        return InMemoryHistory()
    return _Discreet(str(path))
