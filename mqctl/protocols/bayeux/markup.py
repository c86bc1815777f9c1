"""Text without markup, as CometD's no-markup filter leaves it: a page may show it as it is."""

from __future__ import annotations

import re
from typing import Final

_BRACKETS: Final = re.compile(rb"\\(?:u003([cCeE])|.)|[<>]", re.DOTALL)
"""Brackets, written out or as escapes; and every other escape, so that none begins within another."""


def without_markup(data: bytes) -> bytes:
    """JSON with `&lt;` and `&gt;` in place of the brackets in its strings, which are nowhere else."""
    return _BRACKETS.sub(_entity, data)


def _entity(found: re.Match[bytes]) -> bytes:
    if found[0] == b"<" or found[1] in (b"c", b"C"):
        return b"&lt;"
    if found[0] == b">" or found[1] in (b"e", b"E"):
        return b"&gt;"
    return found[0]
