"""Whether bytes are text, which decides how several protocols carry them."""

from __future__ import annotations


def is_text(payload: bytes) -> bool:
    """Whether it is UTF-8."""
    if payload.isascii():
        return True
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True
