"""The JSON that the rect, chart and position topics carry, written exactly and read tolerantly.

Written: `{"producerId":…,"data":…,"date":…}` on `rect` and `chart`, `{"x":…,"y":…,"producerId":…,"time":…}` for
positions. Read: those, and bare numbers and arrays. What cannot be read is a `Sample` that says why, never an error.
Only the standard library is used: `publish` must start at once.
"""

from __future__ import annotations

import json
import math
import random
import re
import string
from collections.abc import Callable, Mapping
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from typing import NamedTuple

from mqctl.errors import UsageError

ENVELOPED = frozenset({"rect", "chart"})
"""The topics that carry the envelope unless told otherwise."""

FOLDED = frozenset({"chart"})
"""The topics on which several values typed together are one message, an array: a bar for each."""

PRODUCER_ID_LENGTH = 6
POSITION_ID_LENGTH = 12

NUMBER_MAX = 1e300
"""Larger numbers are not drawn: the difference of two of them might be no number any more."""

TEXT_LENGTH_MAX = 200
"""So many characters of a message are kept for people to see."""

_ID_ALPHABET = string.ascii_lowercase + string.digits
_NUMBER = re.compile(r"[+-]?(?:\d+(?P<fraction>\.\d*)?|(?P<bare>\.\d+))(?P<exponent>[eE][+-]?\d+)?", re.ASCII)


class Position(NamedTuple):
    """Where a producer is, in the units of its field (500×500)."""

    x: float
    y: float


Value = float | tuple[float, ...] | Position
"""What a view can draw. No number in it is beyond `NUMBER_MAX`."""


class Sample(NamedTuple):
    """A message as a view sees it. A tuple, not a dataclass: one is made for every message.

    `value` is None exactly when `problem` says why. `text` is what was sent, for people: the envelope's `data` or the
    whole payload, cut to `TEXT_LENGTH_MAX` characters, not escaped.
    """

    value: Value | None
    producer_id: str | None
    sent_at: datetime | None
    problem: str | None
    text: str


Selector = Callable[[object], object]
"""Takes one value out of a JSON document; raises LookupError with a sentence where it is not there."""


def new_producer_id(rng: random.Random, length: int = PRODUCER_ID_LENGTH) -> str:
    """Make a short random id: 6 characters for a client, `POSITION_ID_LENGTH` for the producer of positions."""
    return "".join(rng.choices(_ID_ALPHABET, k=length))


def wrap(data: object, producer_id: str, at: datetime) -> bytes:
    """Put JSON-able `data` in the envelope of `rect` and `chart`; `at` is the aware time of the send.

    Raises:
        UsageError: `data` is not JSON: it holds NaN, an infinity, or something that is no JSON value.
    """
    return encode({"producerId": producer_id, "data": data, "date": _iso_ms(at)})


def wrap_position(position: Mapping[str, object], producer_id: str, at: datetime) -> bytes:
    """Add who and when to a position `{"x":…,"y":…}`.

    Raises:
        UsageError: A coordinate is not JSON.
    """
    return encode({**position, "producerId": producer_id, "time": _iso_ms(at)})


def encode(value: object) -> bytes:
    """Write `value` as compact UTF-8 JSON.

    Raises:
        UsageError: It is not JSON.
    """
    try:
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"cannot be written as JSON: {error}") from None
    # A lone surrogate has no UTF-8; the replacement happens to be JSON's own escape for it (RFC 8259, section 7).
    return text.encode(errors="backslashreplace")


def parse_number(text: str) -> int | float:
    """Read a number as typed on a command line; whole numbers stay whole.

    Raises:
        UsageError: It is no number, or beyond `NUMBER_MAX`.
    """
    shape = _NUMBER.fullmatch(text.strip())
    if shape is None:
        raise UsageError(f"not a number: {text!r}")
    whole = not (shape["fraction"] or shape["bare"] or shape["exponent"])
    try:
        number = int(text) if whole else float(text)
    except ValueError:  # more digits than Python is willing to convert
        number = math.inf
    if abs(number) > NUMBER_MAX:
        raise UsageError(f"too large a number: {text[:20]!r}…")
    return number


def field(path: str) -> Selector:
    """Make a selector for a dotted path through objects and arrays: `reading.values.0`.

    Raises:
        UsageError: The path is empty or has an empty part.
    """
    steps = path.split(".")
    if not all(steps):
        raise UsageError(f"not a field: {path!r}", hint="a field looks like reading.value or values.0")

    def select(document: object) -> object:
        for step in steps:
            match document:
                case dict() if step in document:
                    document = document[step]
                case list() if step.isdecimal() and int(step) < len(document):
                    document = document[int(step)]
                case _:
                    raise LookupError(f"no field {path}")
        return document

    return select


def decode(payload: bytes, select: Selector | None = None) -> Sample:
    """Read a message of any kind. With `select`, the value is taken from that place of the JSON document."""
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return _bad("not UTF-8", payload[:TEXT_LENGTH_MAX].decode(errors="backslashreplace"))
    try:
        document = json.loads(text)
    except ValueError:
        return _bad("text, not JSON" if text.strip() else "an empty message", text)
    except RecursionError:
        return _bad("JSON nested too deep", text)
    if not isinstance(document, dict):
        return _read(document, None, None, text, select)
    producer_id = document.get("producerId")
    sent_at = _when(document.get("date", document.get("time")))
    if select is None and "data" in document:
        document = document["data"]
        text = _brief(document)
    return _read(document, producer_id if isinstance(producer_id, str) else None, sent_at, text, select)


def _read(
    data: object, producer_id: str | None, sent_at: datetime | None, text: str, select: Selector | None
) -> Sample:
    problem = None
    value: Value | None = None
    try:
        if select is not None:
            data = select(data)
            text = _brief(data)
        value = _value(data)
    except LookupError as error:
        problem = str(error.args[0])
    return Sample(value, producer_id, sent_at, problem, _cut(text))


def _value(data: object) -> Value:
    """Raises LookupError with the problem: the one way out for `select` and for us."""
    match data:
        case bool() | str() | None:
            raise LookupError(f"{_kind(data)}, not a number")
        case int() | float():
            return _number(data, "the number")
        case list():
            return tuple([_number(item, f"element {at}") for at, item in enumerate(data, 1)])
        case {"x": x, "y": y}:
            return Position(_number(x, "x"), _number(y, "y"))
        case _:
            raise LookupError("an object without data or x and y")


def _number(item: object, name: str) -> float:
    if isinstance(item, int | float) and not isinstance(item, bool):
        if abs(item) <= NUMBER_MAX:  # false for NaN too
            return item
        raise LookupError(f"{name} is {'NaN' if isinstance(item, float) and math.isnan(item) else 'too large'}")
    raise LookupError(f"{name} is {_kind(item)}, not a number")


_KINDS = {bool: "true or false", str: "text", type(None): "null", list: "an array", dict: "an object"}


def _kind(item: object) -> str:
    return _KINDS[type(item)]


def _bad(problem: str, text: str) -> Sample:
    return Sample(None, None, None, problem, _cut(text))


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_LENGTH_MAX else text[: TEXT_LENGTH_MAX - 1] + "…"


def _brief(data: object) -> str:
    return data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)


def _iso_ms(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _when(text: object) -> datetime | None:
    """A date that cannot be read is left out: the value counts, not its label."""
    if not isinstance(text, str):
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    # The first and the last day of the calendar cannot be told in every zone; the first is many programs' "never".
    return (at if at.tzinfo else at.replace(tzinfo=UTC)) if MINYEAR < at.year < MAXYEAR else None
