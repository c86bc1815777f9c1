"""The live screen: the only place that owns a terminal. It draws what the views say, and leaves the terminal clean."""

from __future__ import annotations

import os
import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.segment import Segment

from mqctl.cli.board import Board
from mqctl.cli.receiving import Receiver
from mqctl.views.base import Line
from mqctl.views.layout import Status

IDLE_FRAME_S = 0.25
"""How often a still picture is drawn anew, since its rates and ages change."""

KEYS = "q quit · c clear"


@dataclass(slots=True)
class Picture:
    """Lines of segments as something that Rich prints."""

    lines: Sequence[Line]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The lines, without a newline after the last: the screen has exactly their height."""
        for index, line in enumerate(self.lines):
            if index:
                yield Segment.line()
            yield from line


@dataclass(slots=True)
class Screen:
    """Draws a board, at most `fps` times a second, while a receiver feeds its views."""

    board: Board
    fps: int
    _drawn_at: float = field(default=0.0, init=False)
    _drawn: tuple[int, tuple[int, int]] = field(default=(-1, (0, 0)), init=False)

    def run(self, receiver: Receiver) -> None:
        """Show the panes until the receiver ends or somebody presses `q`.

        Raises:
            MqctlError: As `Receiver.step`.
        """
        console = Console()
        receiver.complain = self.warn
        self.board.status = replace(self.board.status, hint=KEYS)
        with Live(console=console, screen=True, auto_refresh=False) as live, _keys() as pressed:
            while receiver.step(self._patience_s()):
                for key in pressed():
                    if key in "qQ":
                        return
                    if key in "cC":
                        self._clear()
                self._draw_if_due(live, console, receiver.received)

    def warn(self, text: str) -> None:
        """Put a complaint where it does not disturb the picture."""
        self.board.status = Status(text, wrong=True, hint=KEYS)

    def _patience_s(self) -> float:
        return max(0.0, self._drawn_at + 1 / self.fps - time.monotonic())

    def _clear(self) -> None:
        for pane in self.board.panes:
            pane.view.clear()
        self._drawn = (-1, (0, 0))

    def _draw_if_due(self, live: Live, console: Console, received: int) -> None:
        now, now_ns = time.monotonic(), time.monotonic_ns()
        size = console.size
        if now < self._drawn_at + 1 / self.fps:
            return
        seen = (received, (size.width, size.height))
        still = seen == self._drawn and not any(pane.view.moving(now_ns) for pane in self.board.panes)
        if still and now < self._drawn_at + IDLE_FRAME_S:
            return
        live.update(Picture(self.board.draw(size.width, size.height, now_ns)), refresh=True)
        self._drawn_at, self._drawn = time.monotonic(), seen


@contextmanager
def _keys() -> Iterator[Callable[[], str]]:
    """The keys pressed since last asked, without waiting and without echo; none where there is no keyboard."""
    if not sys.stdin.isatty():
        yield lambda: ""
        return
    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)

    def pressed() -> str:
        if select.select([keyboard], [], [], 0)[0]:
            return os.read(keyboard, 64).decode(errors="replace")
        return ""

    try:
        tty.setcbreak(keyboard)
        yield pressed
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)
