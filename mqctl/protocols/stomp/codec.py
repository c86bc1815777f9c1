"""Frames to bytes, and, from `parser`, bytes to frames."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from mqctl.errors import UsageError
from mqctl.protocols.stomp.frame import Frame, FrameError
from mqctl.protocols.stomp.parser import FrameParser
from mqctl.protocols.stomp.spec import ESCAPES, OPENING, Command, Header, Version

__all__ = ["Frame", "FrameError", "FrameParser", "encode", "header_line", "message", "message_head", "receipt"]

_RARE: Final = ("\\", "\r", "\0", "\n:")
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
    head = _opening_lines(headers) if command in OPENING else _lines(headers.items(), version)
    if body and Header.CONTENT_LENGTH not in headers:
        if with_length:
            head += f"\n{Header.CONTENT_LENGTH}:{len(body)}"
        elif b"\0" in body:
            raise UsageError("a body with NUL bytes cannot be sent as text", hint="send it as bytes")
    return b"".join((f"{command}{head}\n\n".encode(), body, b"\0"))


def receipt(receipt_id: str, version: Version) -> bytes:
    """A RECEIPT frame.

    Raises:
        UsageError: This version cannot carry the id.
    """
    return f"{Command.RECEIPT}{_lines(((Header.RECEIPT_ID, receipt_id),), version)}\n\n\0".encode()


def header_line(name: str, value: str, version: Version) -> bytes:
    """One header with its line end, escaped; the pieces that `message` joins.

    Raises:
        UsageError: This version cannot carry it.
    """
    return f"{_lines(((name, value),), version)[1:]}\n".encode()


def message_head(
    destination: str, message_id: str, headers: Collection[tuple[str, str]], body_size: int, version: Version
) -> bytes:
    """The part of a MESSAGE that all its subscribers share; `message` completes it.

    Headers that the version cannot carry are left out: STOMP 1.0 has no escapes, and a subscriber's old version must
    not decide what a publisher may send.

    Raises:
        UsageError: The destination or the message id has control characters that the version cannot carry.
    """
    own = ((Header.DESTINATION, destination), (Header.MESSAGE_ID, message_id))
    theirs = _lines(headers, version, lossy=True) if headers else ""
    return f"{Command.MESSAGE}{_lines(own, version)}\n{Header.CONTENT_LENGTH}:{body_size}{theirs}\n".encode()


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


def _opening_lines(headers: Mapping[str, str]) -> str:
    """CONNECT and CONNECTED are not escaped, and a carriage return may be part of their line ends."""
    lines = _lines(headers.items(), Version.V1_0)
    if "\r" in lines:
        raise UsageError("a header of CONNECT cannot carry a carriage return")
    return lines


def _lines(headers: Collection[tuple[str, str]], version: Version, *, lossy: bool = False) -> str:
    """Headers as text, escaped, each after a line end.

    What the version cannot carry is left out if `lossy`, and else raises UsageError.
    """
    lines = "".join([f"\n{name}:{value}" for name, value in headers])
    if lines.count(":") == lines.count("\n") == len(headers) and not any(map(lines.__contains__, _RARE)):
        return lines
    escaped = [_escaped(name, value, version) for name, value in headers]
    if None in escaped and not lossy:
        name = next(name for (name, _), line in zip(headers, escaped, strict=True) if line is None)
        raise UsageError(f"STOMP {version} cannot carry the header {name[:32]!r}")
    return "".join(filter(None, escaped))


def _escaped(name: str, value: str, version: Version) -> str | None:
    """One header; None where it would still end its name, its line or the frame, or has no name."""
    # The first colon divides, so that those of a value need no escape in 1.0, which has none.
    if version is not Version.V1_0:
        table = _TRANSLATION[version]
        name, value = name.translate(table), value.translate(table)
    elif ":" in name or "\n" in name + value:
        return None
    return None if "\0" in name + value or not name else f"\n{name}:{value}"
