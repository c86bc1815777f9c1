"""The terminal while something is drawn on it: a screen of its own, no cursor, no echo; given back whatever happens."""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import tty
from types import FrameType, TracebackType
from typing import Any, Self

from rich.console import Console

_READ_BYTES = 64


class Stage:
    """A context manager: inside, the terminal is ours, but for the time that Ctrl-Z stops the program."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._keyboard = sys.stdin.fileno() if sys.stdin and sys.stdin.isatty() else None
        self._settings: list[Any] = []
        self._on_stop: Any = signal.SIG_DFL

    def pressed(self) -> str:
        """The keys pressed since last asked, without waiting; none where there is no keyboard."""
        if self._keyboard is None or not select.select([self._keyboard], [], [], 0)[0]:
            return ""
        return os.read(self._keyboard, _READ_BYTES).decode(errors="replace")

    def __enter__(self) -> Self:
        self._take()
        self._on_stop = signal.signal(signal.SIGTSTP, self._stop)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGTSTP, self._on_stop)
        self._give_back()

    def _take(self) -> None:
        if self._keyboard is not None:
            self._settings = termios.tcgetattr(self._keyboard)
            tty.setcbreak(self._keyboard)
        self._console.set_alt_screen(True)
        self._console.show_cursor(False)

    def _give_back(self) -> None:
        self._console.set_alt_screen(False)
        self._console.show_cursor(True)
        if self._keyboard is not None:
            termios.tcsetattr(self._keyboard, termios.TCSADRAIN, self._settings)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self._give_back()
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
        # Somebody typed `fg`.
        signal.signal(number, self._stop)
        self._take()
