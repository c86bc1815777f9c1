"""What a command may use of the world outside: streams, environment, working directory. Nothing else reads `sys`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO

from mqctl.errors import MqctlError


@dataclass(frozen=True, slots=True, kw_only=True)
class AppContext:
    """The world as one run of the program sees it; `url` and `profile` are the options before the command."""

    stdin: BinaryIO
    stdout: BinaryIO
    stderr: TextIO
    environ: Mapping[str, str]
    cwd: Path
    url: str | None = None
    profile: str | None = None
    quiet: bool = False
    debug: bool = False

    @property
    def on_terminal(self) -> bool:
        """Whether a person looks at standard output, so that escaping and drawing make sense."""
        return self.stdout.isatty()

    def emit(self, line: str) -> None:
        """Print a line of data on standard output."""
        self.stdout.write(line.encode("utf-8", "surrogateescape") + b"\n")
        self.stdout.flush()

    def say(self, text: str) -> None:
        """Tell the person at the keyboard something that is not data, unless --quiet."""
        if not self.quiet:
            self.report(text)

    def report(self, text: str) -> None:
        """Tell something that must be heard, --quiet or not."""
        print(f"mqctl: {text}", file=self.stderr, flush=True)

    def complain(self, error: MqctlError) -> None:
        """Report an error and its hint."""
        self.report(str(error))
        if error.hint:
            print(f"  hint: {error.hint}", file=self.stderr, flush=True)


def real_context() -> AppContext:
    """The context of this process."""
    return AppContext(
        stdin=sys.stdin.buffer,
        stdout=sys.stdout.buffer,
        stderr=sys.stderr,
        environ=os.environ,
        cwd=Path.cwd(),
    )
