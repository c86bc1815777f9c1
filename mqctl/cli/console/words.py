"""A line taken apart: words as a shell makes them, comments, and no more of a shell than that."""

from __future__ import annotations

import re
import shlex
from typing import Final

from mqctl.errors import UsageError

_QUOTED: Final = re.compile(r"""\\.|'[^']*'|"(?:\\.|[^"\\])*\"""")
_COMMENT: Final = re.compile(r"(?<!\S)#")
_OF_A_SHELL: Final = re.compile(r"(?<!\S)(?:\|\|?|\d?>>?|<<?)|(?<!\S)&&?(?!\S)|;(?!\S)")
"""Pipes, redirections, what divides commands. Inside a word the same characters are those of addresses and topics."""


def words_of(line: str) -> list[str]:
    """The words of a line; none of an empty one or a comment. `#` begins a comment where a word could begin.

    Raises:
        UsageError: A quotation that is not closed, or what only a shell understands.
    """
    bare = _QUOTED.sub(lambda quoted: "_" * len(quoted[0]), line)
    if comment := _COMMENT.search(bare):
        line, bare = line[: comment.start()], bare[: comment.start()]
    if found := _OF_A_SHELL.search(bare):
        raise UsageError(
            f"the console is no shell: it does not know {found[0]}",
            hint="one command a line; in quotes it is a text like any other",
        )
    try:
        return shlex.split(line)
    except ValueError as error:
        raise UsageError(f"{error}: {line.strip()}") from error
