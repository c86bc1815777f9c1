"""What commands leave besides their output: files that the user named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mqctl.cli.context import AppContext
from mqctl.errors import UsageError


def write_file(context: AppContext, option: str, path: Path, data: bytes) -> None:
    """Write a whole file.

    Raises:
        UsageError: It cannot be written; the message names the option.
    """
    try:
        (context.cwd / path).write_bytes(data)
    except OSError as error:
        raise UsageError(f"{option} cannot be written to {path}: {error.strerror}") from error


def refuse_unwritable(context: AppContext, **paths: Path | None) -> None:
    """Before anything is run for their sake: files that have no folder to be in.

    Args:
        context: The world.
        paths: Where to write, by the name of the option.

    Raises:
        UsageError: Such a file.
    """
    for option, path in paths.items():
        if path is not None and not (context.cwd / path).parent.is_dir():
            raise UsageError(f"--{option} cannot be written to {path}: its folder is not there")


def annotate(context: AppContext, lines: Iterable[str], *, asked: bool = False) -> None:
    """Print annotations where GitHub Actions reads them, or where they were asked for.

    It reads them from both streams; standard output is data.
    """
    if asked or context.environ.get("GITHUB_ACTIONS") == "true":
        for line in lines:
            print(line, file=context.stderr, flush=True)


@contextmanager
def rereadable(source: BinaryIO) -> Iterator[BinaryIO]:
    """The same bytes from a source that can be read again: a pipe is copied to a file without a name first."""
    import shutil
    import tempfile

    if source.seekable():
        yield source
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(source, copy)
        copy.seek(0)
        yield copy
