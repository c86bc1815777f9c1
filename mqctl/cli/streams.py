"""The standard streams: writing to them, and finding them closed, full or left by their reader."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, TextIO

from mqctl.errors import ExitCode, MeasuredWrong


class ReaderGone(Exception):
    """Whoever read our output has had enough of it (`| head`). Not an OSError, in which the library would meddle."""


def write_out(out: BinaryIO, data: bytes) -> None:
    """Write to standard output and flush.

    Raises:
        MeasuredWrong: The disk is full, or something else is wrong with where standard output leads.
        ReaderGone: As it says.
    """
    try:
        out.write(data)
        out.flush()
    except BrokenPipeError:
        raise ReaderGone from None
    except OSError as error:
        reasons = {errno.ENOSPC: "no space left on the device", None: "it is closed"}
        raise MeasuredWrong(f"cannot write to standard output: {reasons.get(error.errno, error.strerror)}") from error


def standard_streams() -> tuple[BinaryIO, BinaryIO, TextIO]:
    """Those of this process. Where the shell closed one (`>&-`), Python has none; then one that leads nowhere."""
    return (
        sys.stdin.buffer if sys.stdin else Path(os.devnull).open("rb"),
        # Not open for writing, so that whoever has data to write learns that it is lost.
        sys.stdout.buffer if sys.stdout else Path(os.devnull).open("rb"),
        sys.stderr or Path(os.devnull).open("w", encoding="utf-8"),
    )


def close(out: BinaryIO, code: int, report: Callable[[str], None]) -> int:
    """Write out what the library's own printing (`--help`) left behind; the exit code that comes of it."""
    try:
        out.flush()
    except OSError as error:
        if code == ExitCode.OK and not isinstance(error, BrokenPipeError):
            report(f"cannot write to standard output: {error.strerror}")
            code = ExitCode.WRONG
        with suppress(OSError):
            # Python would flush again at its exit, and complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
    return code
