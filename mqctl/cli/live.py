"""The live screen: draws what the views say, as often as it is worth it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Protocol

from rich.console import Console, ConsoleDimensions

from mqctl.cli.board import Board
from mqctl.cli.stage import Stage
from mqctl.views.layout import Status

IDLE_FRAME_S = 0.25
"""How often a still picture is drawn anew, since its rates and ages change."""

KEYBOARD_S = 0.05
"""How long a key may wait to be seen while nothing moves."""

KEYS = ("q quit", "c clear")


class Feed(Protocol):
    """What gives the views something to draw, as a `Receiver` does."""

    @property
    def received(self) -> int:
        """Grows when there is something new to draw."""
        ...

    def step(self, patience_s: float) -> bool:
        """Wait for something, at most `patience_s`, and let the views see it; whether to go on."""
        ...


@dataclass(slots=True)
class Screen:
    """Draws a board, at most `fps` times a second, while something feeds its views."""

    board: Board
    fps: int
    _drawn_at: float = field(default=0.0, init=False)
    _drawn: tuple[int, ConsoleDimensions] = field(default=(-1, ConsoleDimensions(0, 0)), init=False)

    def run(self, feed: Feed) -> None:
        """Show the panes until the feed ends or somebody presses `q`.

        Raises:
            MqctlError: As `feed.step`.
        """
        console = Console()
        self.board.status = replace(self.board.status, hint=self._hint)
        with Stage(console) as stage:
            going_on = True
            while going_on:
                # Messages gather meanwhile: one wake-up for a frame, not one for each of them.
                time.sleep(max(0.0, self._drawn_at + 1 / self.fps - time.monotonic()))
                going_on = feed.step(0.0 if self._moving() else KEYBOARD_S) and self._obey(stage.pressed())
                self._draw(console, feed.received)

    def warn(self, text: str) -> None:
        """Put a complaint where it does not disturb the picture."""
        self.tell(text, wrong=True)

    def tell(self, text: str, *, wrong: bool = False) -> None:
        """Put a sentence there."""
        self.board.status = Status(text, wrong=wrong, hint=self._hint)

    @property
    def _hint(self) -> str:
        return self.board.look.separator.join(KEYS)

    def _obey(self, keys: str) -> bool:
        """Do what the keys say; whether to go on."""
        if "c" in keys.lower():
            for pane in self.board.panes:
                pane.view.clear()
        return "q" not in keys.lower()

    def _moving(self) -> bool:
        now_ns = time.monotonic_ns()
        return any(pane.view.moving(now_ns) for pane in self.board.panes)

    def _draw(self, console: Console, received: int) -> None:
        seen = (received, console.size)
        if seen == self._drawn and not self._moving() and time.monotonic() < self._drawn_at + IDLE_FRAME_S:
            return
        width, height = console.size
        console.update_screen_lines(self.board.draw(width, height, time.monotonic_ns()))
        self._drawn_at, self._drawn = time.monotonic(), seen
