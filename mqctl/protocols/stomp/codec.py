"""Frames to bytes, and, from `parser`, bytes to frames."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from mqctl.errors import UsageError
from mqctl.protocols.stomp.frame import Frame, FrameError
from mqctl.protocols.stomp.parser import FrameParser
from mqctl.protocols.stomp.spec import ESCAPES, OPENING, Command, Header, Version

__all__ = ["Frame", "FrameError", "FrameParser", "encode", "header_line", "message", "message_head"]

_SPECIAL: Final = re.compile(r"[\\\n\r:\0]")
_TRANSLATION: Final = {version: str.maketrans(dict(table)) for version, table in ESCAPES.items()}


def encode(
    command: str, headers: Mapping[str, str], body: bytes = b"", *, version: Version, with_length: bool = True
) -> bytes:
    """One frame as bytes.

    Args:
        command: One of `Command`.
        headers: Unescaped names and values, sent in their order.
        body: Sent verbatim.
        version: Decides the escapes; for CONNECT and CONNECTED there are none.
        with_length: Add `content-length` where there is a body and the header is missing. Without it, JMS brokers take
            the body for text.

    Raises:
        UsageError: A header that this version cannot carry, or a NUL in a body sent without its length.
    """
    lines = [command]
    if command in OPENING:
        lines += [_opening_line(name, value) for name, value in headers.items()]
    else:
        lines += [_line(name, value, version) for name, value in headers.items()]
    if Header.CONTENT_LENGTH not in headers and body:
        if with_length:
            lines.append(f"{Header.CONTENT_LENGTH}:{len(body)}")
        elif b"\0" in body:
            raise UsageError("a body with NUL bytes cannot be sent as text", hint="send it as bytes")
    lines.append("\n")
    return "\n".join(lines).encode() + body + b"\0"


def header_line(name: str, value: str, version: Version) -> bytes:
    """One header with its line end, escaped; the pieces that `message` joins.

    Raises:
        UsageError: This version cannot carry it.
    """
    return f"{_line(name, value, version)}\n".encode()


def message_head(
    destination: str, message_id: str, headers: Iterable[tuple[str, str]], body_size: int, version: Version
) -> bytes:
    """The part of a MESSAGE that all its subscribers share; `message` completes it.

    Headers that the version cannot carry are left out: STOMP 1.0 has no escapes, and a subscriber's old version must
    not decide what a publisher may send.
    """
    lines = [
        Command.MESSAGE,
        _line(Header.DESTINATION, destination, version),
        _line(Header.MESSAGE_ID, message_id, version),
        f"{Header.CONTENT_LENGTH}:{body_size}",
    ]
    for name, value in headers:
        try:
            lines.append(_line(name, value, version))
        except UsageError:
            continue
    lines.append("")
    return "\n".join(lines).encode()


def message(
    head: bytes, body: bytes, subscription: bytes, ack: bytes | None = None, *, redelivered: bool = False
) -> bytes:
    """A whole MESSAGE for one subscriber.

    Args:
        head: From `message_head`.
        body: Of the size that `head` names.
        subscription: The subscriber's `header_line("subscription", …)`, or empty where STOMP 1.0 gave no id.
        ack: The value of the `ack` header of STOMP 1.2, already without special characters.
        redelivered: Whether it went out before.
    """
    if ack is None and not redelivered:
        return b"".join((head, subscription, b"\n", body, b"\0"))
    mark = b"redelivered:true\n" if redelivered else b""
    if ack is None:
        return b"".join((head, subscription, mark, b"\n", body, b"\0"))
    return b"".join((head, subscription, b"ack:", ack, b"\n", mark, b"\n", body, b"\0"))


def _opening_line(name: str, value: str) -> str:
    """CONNECT and CONNECTED are not escaped, and a carriage return may be part of their line ends."""
    if "\r" in name + value:
        raise UsageError(f"CONNECT cannot carry the header {name[:32]!r}")
    return _line(name, value, Version.V1_0)


def _line(name: str, value: str, version: Version) -> str:
    line = f"{name}:{value}"
    if len(_SPECIAL.findall(line)) == 1:
        return line
    return _escaped(name, value, version)


def _escaped(name: str, value: str, version: Version) -> str:
    """Escape both parts.

    Raises:
        UsageError: What the version does not escape would end the line, the name or the frame.
    """
    if version is Version.V1_0:
        # The first colon divides, so that those of a value need no escape.
        bad = ":" in name or "\n" in name + value
    else:
        table = _TRANSLATION[version]
        name, value = name.translate(table), value.translate(table)
        bad = False
    if bad or "\0" in name + value:
        raise UsageError(f"STOMP {version} cannot carry the header {name[:32]!r}")
    return f"{name}:{value}"
