r"""How `tail` writes a message: text, JSON, raw bytes, or a format of verbs. Each is a function from record to bytes.

A format is literal text with verbs: `%t` topic, `%p` payload, `%x` payload in hex, `%b` in base64, `%l` its length in
bytes, `%h` headers, `%h{name}` one header, `%q` QoS or ack mode, `%m` message id, `%r` redelivered, retained or `-`,
`%n` running number, `%U` seconds since the epoch, `%I` ISO 8601 time, `%j` JSON, `%%`; and `\n \t \r \0 \\ \xNN`.
`%p{hex}` and `%p{base64}` are `%x` and `%b`; `%U{strftime[%H:%M:%S]}` is local time in strftime's terms.
"""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple

from mqctl.errors import UsageError
from mqctl.model import AckMode, Delivery


class Record(NamedTuple):
    """A delivery as it is printed: `n` counts from 1, `received_ns` is since the epoch."""

    delivery: Delivery
    n: int
    received_ns: int
    ack_mode: AckMode


Formatter = Callable[[Record], bytes]


def raw(record: Record) -> bytes:
    """The payload and nothing else, not even a newline."""
    return record.delivery.payload


def ended_by_nul(record: Record) -> bytes:
    """The payload and a NUL, for `xargs -0`."""
    return record.delivery.payload + b"\0"


def text(*, with_topic: bool, escaped: bool) -> Formatter:
    """A line for each message: its payload, after its topic where there are several. `escaped` is for terminals."""
    shown: Callable[[bytes], bytes] = _escaped if escaped else bytes

    def one(record: Record) -> bytes:
        return shown(record.delivery.payload) + b"\n"

    def several(record: Record) -> bytes:
        return shown(record.delivery.topic.encode()) + b" " + shown(record.delivery.payload) + b"\n"

    return several if with_topic else one


_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def escape(payload: bytes) -> str:
    """Text that cannot steer a terminal: control and invisible characters, and bytes that are no UTF-8, in hex."""
    return tame(payload.decode("utf-8", "backslashreplace"))


def tame(text: str) -> str:
    """The same of what is text already."""
    return _STEERING.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def _escaped(payload: bytes) -> bytes:
    return escape(payload).encode()


def json_lines(*, escaped: bool = False) -> Formatter:
    """One JSON object a line; `publish --jsonl` reads it back to the same bytes. `escaped` is for terminals."""
    import msgspec

    encode = msgspec.json.Encoder().encode

    def line(record: Record) -> bytes:
        return encode(_as_json(record)) + b"\n"

    def tame_line(record: Record) -> bytes:
        # JSON itself escapes what is below a space, and no more; outside of strings there is nothing to escape.
        return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", line(record).decode()).encode()

    return tame_line if escaped else line


def _as_json(record: Record) -> dict[str, Any]:
    delivery = record.delivery
    try:
        payload = {"payload": delivery.payload.decode()}
    except UnicodeDecodeError:
        payload = {"payload_b64": base64.b64encode(delivery.payload).decode()}
    return {
        "topic": delivery.topic,
        **payload,
        "headers": delivery.headers,
        "id": delivery.id,
        "received_at": _iso(record.received_ns),
        "n": record.n,
        "redelivered": delivery.redelivered,
        "retained": delivery.retained,
        "qos": delivery.qos,
    }


@cache
def _iso_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat()[:19]


def _iso(at_ns: int) -> str:
    second, rest_ns = divmod(at_ns, 1_000_000_000)
    return f"{_iso_second(second)}.{rest_ns // 1000:06d}Z"


def _flags(record: Record) -> str:
    flags = (("redelivered", record.delivery.redelivered), ("retained", record.delivery.retained))
    return ",".join(name for name, is_set in flags if is_set) or "-"


def _headers(record: Record) -> str:
    return " ".join(f"{name}={value}" for name, value in record.delivery.headers.items())


def _hex(record: Record) -> bytes:
    return record.delivery.payload.hex().encode()


def _base64(record: Record) -> bytes:
    return base64.b64encode(record.delivery.payload)


def _json_alone(line: Formatter) -> Formatter:
    return lambda record: line(record)[:-1]


def _words(read: Callable[[Record], object]) -> Formatter:
    return lambda record: str(read(record)).encode()


_VERBS: dict[str, Formatter] = {
    "t": _words(lambda record: record.delivery.topic),
    "p": raw,
    "x": _hex,
    "b": _base64,
    "l": _words(lambda record: len(record.delivery.payload)),
    "h": _words(_headers),
    "q": _words(lambda r: r.ack_mode if r.delivery.qos is None else r.delivery.qos),
    "m": _words(lambda record: record.delivery.id or ""),
    "r": _words(_flags),
    "n": _words(lambda record: record.n),
    "U": _words(lambda r: f"{r.received_ns // 1_000_000_000}.{r.received_ns % 1_000_000_000:09d}"),
    "I": _words(lambda record: _iso(record.received_ns)),
    "%": lambda _: b"%",
}


def _header(name: str) -> Formatter:
    return _words(lambda record: record.delivery.headers.get(name, ""))


def _strftime(pattern: str) -> Formatter:
    return _words(lambda record: time.strftime(pattern, time.localtime(record.received_ns // 1_000_000_000)))


_MODIFIED: tuple[tuple[re.Pattern[str], Callable[[str], Formatter]], ...] = (
    (re.compile(r"h\{([^}]+)\}"), _header),
    (re.compile(r"p\{(hex)\}"), lambda _: _hex),
    (re.compile(r"p\{(base64)\}"), lambda _: _base64),
    (re.compile(r"U\{strftime\[([^\]]*)\]\}"), _strftime),
)
_ESCAPES = {"n": b"\n", "t": b"\t", "r": b"\r", "0": b"\0", "\\": b"\\"}
_TOKEN = re.compile(
    r"%(?P<modified>[a-zA-Z]\{(?:strftime\[[^\]]*\]|[^}]*)\})|%(?P<verb>.)|\\x(?P<hex>[0-9a-fA-F]{2})|\\(?P<escape>.)"
    r"|(?P<literal>[^%\\]+)|(?P<stray>.)",
    re.DOTALL,
)


def compile_format(pattern: str, *, escaped: bool = False) -> Formatter:
    """Make a formatter of a format; see the module for the verbs.

    Args:
        pattern: The format.
        escaped: For terminals: what comes from the message cannot steer them; what the format itself says may.

    Raises:
        UsageError: An unknown verb, modifier or escape, named.
    """
    parts = [_part(token, escaped=escaped) for token in _TOKEN.finditer(pattern)]
    return lambda record: b"".join([part(record) for part in parts])


def _part(token: re.Match[str], *, escaped: bool) -> Formatter:
    kind, text = token.lastgroup, token[token.lastgroup or 0]
    if kind == "literal":
        return _constant(text.encode("utf-8", "surrogateescape"))
    if kind == "hex":
        return _constant(bytes.fromhex(text))
    if kind == "escape" and text in _ESCAPES:
        return _constant(_ESCAPES[text])
    if kind == "verb" and text == "j":
        return _json_alone(json_lines(escaped=escaped))
    made = _of_message(kind, text)
    if made is None:
        raise UsageError(f"--format has no {token[0]}", hint=f"verbs: {_VERBS_HINT}")
    return _tamed(made) if escaped else made


_VERBS_HINT = "%t %p %x %b %l %h %h{name} %q %m %r %n %U %I %j %%"


def _of_message(kind: str | None, text: str) -> Formatter | None:
    if kind == "verb":
        return _VERBS.get(text)
    found = ((shape.fullmatch(text), make) for shape, make in _MODIFIED if kind == "modified")
    return next((make(match[1]) for match, make in found if match), None)


def _tamed(formatter: Formatter) -> Formatter:
    return lambda record: _escaped(formatter(record))


def _constant(value: bytes) -> Formatter:
    return lambda _: value
