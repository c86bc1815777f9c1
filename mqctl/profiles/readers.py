"""Readers: each turns what somebody wrote into a value, or says what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from math import inf
from typing import Never

from mqctl.durations import parse_duration
from mqctl.errors import ConfigError, UsageError
from mqctl.model import Dialect
from mqctl.profiles.amazonmq import BROKER_ID
from mqctl.profiles.secrets import HOW_TO_REFER, Reference, parse_reference
from mqctl.target import Url, parse_url

Reader = Callable[[object], object]
"""Takes a text or a TOML value; raises ValueError with the rest of a sentence that begins with the key."""

NEAR_ENOUGH = 0.5
"""How alike (0 to 1) a known name must be to be suggested for an unknown one."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: the nearest match, else all there are."""
    import difflib  # noqa: PLC0415 - only a mistake pays for it

    names = [str(name) for name in known if name]
    close = difflib.get_close_matches(word, names, n=1, cutoff=NEAR_ENOUGH)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(names)}"


def text(value: object) -> str:
    """Any text but the empty one."""
    if not isinstance(value, str):
        raise ValueError("must be a text in quotes")  # noqa: TRY004 - readers raise ValueError only
    if not value:
        raise ValueError("must not be empty")
    return value


def only_typed(_value: object) -> Never:
    """What no file may say, because it would be forgotten there."""
    raise ValueError("the broker's certificate is always checked; --insecure turns that off for one command")


def flag(value: object) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise ValueError("must be true or false")  # noqa: TRY004
    return value


def count(value: object) -> int:
    """A whole number from 0 up."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("must be a whole number from 0 up")
    return value


def duration(value: object) -> float:
    """A duration with its unit, in seconds."""
    if not isinstance(value, str):
        raise ValueError('must be a text with a unit, such as "10s"')  # noqa: TRY004
    try:
        return parse_duration(value)
    except UsageError as error:
        raise ValueError(f"{error}; {error.hint}") from None


def timeout(value: object) -> float:
    """A duration longer than nothing, in seconds."""
    seconds = duration(value)
    if not seconds:
        raise ValueError("must be longer than nothing")
    return seconds


def switch(value: object) -> bool:
    """True or false; in a variable or after a flag also as a word."""
    words = {"true": True, "yes": True, "1": True, "on": True, "false": False, "no": False, "0": False, "off": False}
    if isinstance(value, str) and value.lower() in words:
        return words[value.lower()]
    return flag(value)


def level(value: object) -> int:
    """A quality of service: 0, 1 or 2."""
    if isinstance(value, bool) or str(value) not in ("0", "1", "2"):
        raise ValueError("must be 0, 1 or 2")
    return int(str(value))


def lasting(value: object) -> float:
    """A duration, or `always` (without end) or `never` (no time at all), in seconds."""
    words = {"always": inf, "never": 0.0}
    word = value.strip().lower() if isinstance(value, str) else ""
    try:
        return words[word] if word in words else duration(value)
    except ValueError as error:
        raise ValueError(f"{error}; or {' or '.join(words)}") from None


_AT_AMAZON = "the name, id or ARN of a broker at Amazon MQ becomes a profile: mqctl profile add NAME --amazonmq BROKER"


def url(value: object) -> Url:
    """A broker's URL or failover list."""
    said = text(value)
    try:
        return parse_url(said)
    except ConfigError as error:
        hint = _AT_AMAZON if re.match(rf"\s*(arn:|{BROKER_ID})", said) else error.hint
        raise ValueError("; ".join(filter(None, (str(error), hint)))) from None


def open_url(value: object) -> Url:
    """A URL that may stand in a file: one without a password or a query, which may be a token."""
    parsed = url(value)
    if parsed.query is not None:
        raise ValueError("a query may hold a token and does not stand in a file; say the whole url in MQCTL_URL")
    if parsed.password is not None:
        raise ValueError(f"a password does not stand in a url; put [auth] password = … there and {HOW_TO_REFER}")
    return parsed


def dialect(value: object) -> Dialect | None:
    """A broker's dialect; None to ask the broker."""
    name = text(value)
    if name == "auto":
        return None
    try:
        return Dialect(name)
    except ValueError:
        raise ValueError(f"{name!r} is no dialect; {did_you_mean(name, [*Dialect, 'auto'])}") from None


def reference(value: object) -> Reference:
    """A reference to a secret."""
    return parse_reference(text(value))


def labels(value: object) -> tuple[str, ...]:
    """A list of texts."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError('must be a list of texts, such as ["a", "b"]')
    return tuple(value)


def one_of(names: Iterable[str]) -> Reader:
    """A reader of one word of a closed set."""
    known = tuple(names)

    def read(value: object) -> str:
        name = text(value)
        if name not in known:
            raise ValueError(f"{name!r} is not known; {did_you_mean(name, known)}")
        return name

    return read


def as_written(read: Reader) -> Reader:
    """A reader that checks and keeps what was written, for the command to read as it reads its own option."""

    def check(value: object) -> object:
        read(value)
        return value

    return check
