"""Printing above the line that is being typed: all of it, in its order, and no faster than the terminal takes it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO, Final

from prompt_toolkit.application import get_app

_REST_S: Final = 0.05
"""Between two prints above a prompt, each of which draws it anew; what comes meanwhile is printed as one."""


class Above:
    """Prints from any thread, whether or not a line is being typed.

    The library's `patch_stdout` hands what is printed from thread to thread: at each Enter some of it was lost, and
    some came out of order. Its `run_in_terminal` lets the terminal echo what is typed into the midst of it.

    Args:
        out: The terminal.
    """

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._waiting: list[bytes] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed = threading.Condition()

    def write(self, data: bytes) -> None:
        """Print; returns when it is on the terminal, so that a slow one is felt by who prints."""
        with self._changed:
            self._waiting.append(data)
            if self._loop is None:
                self._print()
                return
            # A loop that has just ended leaves it to the end of the prompt.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._print_above)
            self._changed.wait_for(lambda: not self._waiting)
            self._changed.wait_for(lambda: self._loop is None, _REST_S)

    @contextmanager
    def typing(self) -> Iterator[Callable[[], None]]:
        """Inside, a line is typed; what is yielded is to be called in the loop of the line's editor before it draws."""
        try:
            yield self._begin
        finally:
            with self._changed:
                self._loop = None
                self._print()

    def _begin(self) -> None:
        with self._changed:
            self._loop = asyncio.get_running_loop()

    def _print_above(self) -> None:
        editor = get_app()
        # What finds the line typed is printed at the end of `typing`.
        if editor.is_running and not editor.is_done:
            editor.renderer.erase()
            self._print()
            editor.invalidate()

    def _print(self) -> None:
        with self._changed:
            data = b"".join(self._waiting)
            self._waiting.clear()
            if self._loop is not None and data and not data.endswith(b"\n"):
                # Else the prompt would be drawn behind it, and take it along when it is drawn anew.
                data += b"\n"
            # Nobody may be there to read it, which is no reason to stop.
            with suppress(OSError):
                self._out.write(data)
                self._out.flush()
            self._changed.notify_all()
