"""A terminal with a command in it: what the command draws is what a person would see."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping
from typing import Any

import pyte

from tests.cli.commands import MQCTL, PATIENCE_S

ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"
"""The alternate screen."""


class Terminal:
    """Runs a command on a pseudo-terminal of that size, its controlling one; or a script of bash."""

    def __init__(self, args: tuple[str, ...] | str, env: Mapping[str, str], width: int = 80, height: int = 24) -> None:
        self._ours, theirs = pty.openpty()
        self.raw = b""
        self.screen = pyte.Screen(width, height)
        self._stream = pyte.ByteStream(self.screen)
        self.resize(width, height)
        self.before = termios.tcgetattr(theirs)
        self._theirs = theirs
        self.process = subprocess.Popen(
            ["bash", "-mc", args] if isinstance(args, str) else [MQCTL, *args],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={"TERM": "xterm-256color", **env},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - one system call, no lock
        )

    def resize(self, width: int, height: int) -> None:
        """What happens when a person pulls at the window."""
        self.screen.resize(height, width)
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._ours, keys)

    @property
    def lines(self) -> list[str]:
        """What is on the screen."""
        return self.screen.display

    @property
    def text(self) -> str:
        """The same as one text."""
        return "\n".join(self.lines)

    @property
    def settings(self) -> list[Any]:
        """How the terminal treats its input: echo, lines, signals."""
        return termios.tcgetattr(self._theirs)

    def until(self, holds: Callable[[Terminal], object]) -> Terminal:
        """Read until something holds of the screen."""
        deadline = time.monotonic() + PATIENCE_S
        while not holds(self):
            assert self._read(deadline - time.monotonic()), f"not within {PATIENCE_S:g} s:\n{self.text}"
        return self

    def shows(self, *texts: str) -> Terminal:
        """Read until texts are on the screen."""
        return self.until(lambda _: all(text in self.text for text in texts))

    def end(self, signal: int | None = None) -> int:
        """Read until the process has ended; its exit code."""
        if signal is not None:
            self.process.send_signal(signal)
        deadline = time.monotonic() + PATIENCE_S
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.text
            self._read(0.05)
        while self._read(0):
            pass
        return self.process.returncode

    def _read(self, timeout_s: float) -> bool:
        if not select.select([self._ours], [], [], max(0.0, timeout_s))[0]:
            return False
        data = os.read(self._ours, 1 << 16)
        self.raw += data
        self._stream.feed(data)
        return True

    def close(self) -> None:
        """Let nothing of it be left."""
        self.process.kill()
        self.process.wait(PATIENCE_S)
        os.close(self._ours)
        os.close(self._theirs)
