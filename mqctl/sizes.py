"""Sizes as people type them: `512`, `64KiB`, `16MiB`."""

from __future__ import annotations

import re

from mqctl.errors import UsageError

_UNITS = {"": 1, "B": 1, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
_WHOLE = re.compile(r"(\d{1,15})(B|KIB|MIB|GIB)?")
_NAMES = ("B", "KiB", "MiB")


def parse_size(text: str) -> int:
    """Read a size and return bytes; a number alone is bytes.

    Raises:
        UsageError: It is no size, or nothing.
    """
    found = _WHOLE.fullmatch(text.strip().upper())
    size = int(found[1]) * _UNITS[found[2] or ""] if found else 0
    if not size:
        raise UsageError(f"not a size: {text!r}", hint="a size looks like 512, 64KiB or 16MiB")
    return size


def format_size(count: int) -> str:
    """Write a number of bytes in the largest unit that leaves it at least 1."""
    value = float(count)
    for unit in _NAMES:
        if value < 1024:
            return f"{value:.4g} {unit}"
        value /= 1024
    return f"{value:.4g} GiB"
