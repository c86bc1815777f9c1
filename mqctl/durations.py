"""Durations as people type them: `500ms`, `10s`, `2m`, `1h30m`."""

from __future__ import annotations

import math
import re

from mqctl.errors import UsageError

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d+)?|\.\d+)(ms|s|m|h)")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")
_NUMBER = re.compile(r"\d+(?:\.\d+)?|\.\d+")


def parse_duration(text: str) -> float:
    """Read a duration and return seconds. A number alone is refused, because nobody knows its unit; only `0` has none.

    Raises:
        UsageError: It is no duration, or has no unit.
    """
    text = text.strip().lower()
    if text == "0":
        return 0.0
    if _NUMBER.fullmatch(text):
        raise UsageError(f"{text!r} has no unit", hint=f"write {text}ms, {text}s, {text}m or {text}h")
    if _WHOLE.fullmatch(text):
        seconds = math.fsum(float(number) * _UNITS_S[unit] for number, unit in _PART.findall(text))
        if math.isfinite(seconds):
            return seconds
    raise UsageError(f"not a duration: {text!r}", hint="a duration looks like 500ms, 10s, 2m or 1h30m")


def format_duration(seconds: float) -> str:
    """Write a duration so that `parse_duration` reads it back: `500ms`, `1.5s`, `2m`, `1h30m`."""
    if seconds < 1:
        return f"{seconds * 1000:.3f}".rstrip("0").rstrip(".") + "ms" if seconds else "0s"
    whole = round(seconds * 1000)
    hours, rest_ms = divmod(whole, 3_600_000)
    minutes, rest_ms = divmod(rest_ms, 60_000)
    parts = [(hours, "h"), (minutes, "m"), (rest_ms / 1000, "s")]
    return "".join(f"{amount:g}{unit}" for amount, unit in parts if amount)
