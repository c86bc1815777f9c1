"""Halves of characters: JavaScript's strings may hold them and its JSON carries them, but no UTF-8 does."""

from __future__ import annotations

import re
from typing import Final

_ESCAPES: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
"""Every escape, so that none begins within another; the group is half a character without the other (RFC 8259, 8.2)."""

_REPLACEMENT: Final = rb"\ufffd"


def mended(body: bytes) -> bytes:
    """JSON with U+FFFD in place of each half; the same object where there is none."""
    if b"\\u" not in body:
        return body
    found = _ESCAPES.sub(lambda escape: _REPLACEMENT if escape[1] else escape[0], body)
    return body if found == body else found
