"""What a command may use of the world outside: streams, environment, working directory. Nothing else reads `sys`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO

from mqctl.cli.streams import write_out
from mqctl.errors import MqctlError

if TYPE_CHECKING:
    from mqctl.cli.console.desk import Desk


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
    desk: Desk | None = None
    """In a console: its connection, and the options that chose it."""

    @property
    def on_terminal(self) -> bool:
        """Whether a person looks at standard output, so that control characters must be escaped."""
        return self.stdout.isatty()

    @property
    def attended(self) -> bool:
        """Whether a person looks at standard error, who sees what is awaited and can end it."""
        return self.stderr.isatty()

    @property
    def can_draw(self) -> bool:
        """Whether standard output is a terminal with a cursor that moves."""
        return self.on_terminal and self.environ.get("TERM", "") not in ("", "dumb", "unknown")

    @property
    def has_unicode(self) -> bool:
        """Whether the user's locale is one of Unicode. In the C locale Python writes UTF-8 all the same."""
        plain_locale = self.environ.get("LC_ALL", "") in ("C", "POSIX")
        return not plain_locale and "utf" in (self.stderr.encoding or "").lower()

    def emit(self, line: str) -> None:
        """Print a line of data on standard output.

        Raises:
            MeasuredWrong: It could not be written.
            ReaderGone: As it says.
        """
        write_out(self.stdout, line.encode("utf-8", "surrogateescape") + b"\n")

    def say(self, text: str) -> None:
        """Tell the person at the keyboard something that is not data, unless --quiet."""
        if not self.quiet:
            self.report(text)

    def report(self, text: str) -> None:
        """Tell something that must be heard, --quiet or not."""
        self._tell(f"mqctl: {text}")

    def complain(self, error: MqctlError) -> None:
        """Report an error and its hint."""
        self.report(str(error))
        if error.hint:
            self._tell(f"  hint: {error.hint}")

    def _tell(self, line: str) -> None:
        if not line.isprintable():
            from mqctl.cli.formats import tame  # a peer may have written a part of it, which hardly ever needs this

            line = tame(line)
        # Nobody may be there to read it, which is no reason to stop.
        with suppress(OSError):
            print(line, file=self.stderr, flush=True)
