"""Bytes to frames: strict, within limits, and never looking twice at what was searched."""

from __future__ import annotations

import re
from itertools import repeat
from typing import Final, NoReturn

from mqctl.protocols.stomp.frame import Frame, FrameError
from mqctl.protocols.stomp.spec import (
    ESCAPES,
    NUMBER_DIGITS,
    OPENING,
    ORDINARY,
    Command,
    Header,
    Limits,
    Version,
    negotiate,
)

_EOLS: Final = {False: re.compile(rb"\n*"), True: re.compile(rb"(?:\r?\n)*")}
_BLANK_LINE: Final = {False: re.compile(rb"\n\n"), True: re.compile(rb"\n\r?\n")}
_COMMAND_SO_FAR: Final = re.compile(rb"[A-Z]{1,11}\r?(?:\n|\Z)")
_ESCAPE: Final = re.compile(r"\\.?", re.DOTALL)
_UNESCAPES: Final = {
    version: {escaped: plain for plain, escaped in table.items()} for version, table in ESCAPES.items()
}
_PLAIN_HEAD_BYTES: Final = 4096
_A: Final = ord("A")
_COLONS: Final = repeat(":")
_ONES: Final = repeat(1)
_UNTIL_NUL: Final = -1


class FrameParser:
    """Turns what a connection receives, however it is cut, into frames.

    Both sides use it. It follows the version by itself: after CONNECT the one that `negotiate` picks, after CONNECTED
    the one it names; before either, lines may end as in 1.2 and nothing is unescaped.

    Args:
        limits: What is refused.
        version: The version that both sides already settled, if any.
    """

    def __init__(self, limits: Limits | None = None, *, version: Version | None = None) -> None:
        self.version = version
        self.heart_beats = 0
        """Line ends received between frames."""
        self._limits = limits or Limits()
        self._failure: FrameError | None = None
        # A frame whose head is not complete: its bytes, and how far its lines were looked at.
        self._head = bytearray()
        self._line_start = self._scanned = self._lines = 0
        # A frame whose body is not complete: its bytes, and how many are missing, the NUL included.
        self._frame: Frame | None = None
        self._body = bytearray()
        self._missing = self._head_size = 0

    @property
    def unfinished_bytes(self) -> int:
        """How much has come of a frame that has begun and not ended."""
        return len(self._head) if self._frame is None else self._head_size + len(self._body)

    def feed(self, data: bytes) -> list[Frame]:
        """Take what was received and return the frames that it completes.

        Raises:
            FrameError: The bytes break the protocol or a limit; `frames` of the error holds the frames before that.
                Every later call raises it again.
        """
        if self._failure is not None:
            self._failure.frames = []
            raise self._failure
        frames: list[Frame] = []
        try:
            self._read(self._resume(data, frames), frames)
        except FrameError as error:
            error.frames = frames
            self._failure = error
            self._head, self._body, self._frame = bytearray(), bytearray(), None
            raise
        return frames

    def _read(self, buffer: bytes, frames: list[Frame]) -> None:
        """Decode a buffer. What is whole, short and plain is read here, all else by `_next`, which knows every rule."""
        start, size, find, limits = 0, len(buffer), buffer.find, self._limits
        window = min(_PLAIN_HEAD_BYTES, limits.header_line_bytes)
        while start < size:
            head_end = find(b"\n\n", start, start + window) if buffer[start] >= _A else -1
            frame = _plain_head(buffer[start:head_end], self.version) if head_end > 0 else None
            if frame is not None and len(frame.headers) <= limits.headers:
                end = _plain_end(frame.headers.get("content-length"), buffer, head_end + 2)
                if 0 < end < size and not buffer[end] and end - start <= limits.frame_bytes:
                    frame.body = buffer[head_end + 2 : end]
                    frames.append(frame)
                    start = end + 1
                    continue
            start = self._next(buffer, start, frames)

    def _next(self, buffer: bytes, start: int, frames: list[Frame]) -> int:
        """Decode the frame, or skip the line ends, at `start`; return where the next begins."""
        if buffer[start] in b"\r\n":
            return self._skip_eols(buffer, start)
        nul = buffer.find(b"\0", start)
        if nul < 0:
            self._set_aside(buffer[start:], frames)
            return len(buffer)
        head_end = buffer.find(b"\n\n", start, nul)
        body_start = head_end + 2
        head = buffer[start:head_end]
        if head_end < 0 or b"\r" in head:
            head_end, body_start = self._blank_line(buffer, start, nul)
            head = buffer[start:head_end]
        frame = self._decode_head(head)
        body_end = nul
        if Header.CONTENT_LENGTH in frame.headers:
            body_end = body_start + self._content_length(frame.headers)
        if body_end - start > self._limits.frame_bytes:
            self._refuse_size()
        if body_end >= len(buffer):
            self._begin_body(frame, body_start - start, buffer[body_start:], frames)
            return len(buffer)
        if buffer[body_end]:
            raise _wrong_length(frame)
        frame.body = buffer[body_start:body_end]
        frames.append(frame)
        return body_end + 1

    @property
    def _crlf(self) -> bool:
        """Whether a carriage return may precede a line feed: in 1.2 and, as nothing is settled, in CONNECT."""
        return self.version is None or self.version is Version.V1_2

    def _skip_eols(self, buffer: bytes, start: int) -> int:
        match = _EOLS[self._crlf].match(buffer, start)
        assert match is not None
        end = match.end()
        self.heart_beats += buffer.count(b"\n", start, end)
        if end == len(buffer) or buffer[end] != ord("\r"):
            return end
        if self._crlf and end == len(buffer) - 1:
            self._head = bytearray(b"\r")
            return len(buffer)
        raise FrameError("a carriage return stands alone between frames")

    def _blank_line(self, buffer: bytes, start: int, nul: int) -> tuple[int, int]:
        match = _BLANK_LINE[self._crlf].search(buffer, start, nul)
        if match is None:
            self._refuse_head(buffer[start : start + 16])
        return match.span()

    def _resume(self, data: bytes, frames: list[Frame]) -> bytes:
        """Give `data` to the unfinished frame, if there is one, and return what is left."""
        if self._frame is not None:
            return self._take_body(self._frame, data, frames)
        if not self._head:
            return data
        if self._head == b"\r":
            self._head = bytearray()
            return b"\r" + data
        self._head += data
        return self._take_head(frames)

    def _set_aside(self, data: bytes, frames: list[Frame]) -> None:
        self._head = bytearray(data)
        self._line_start = self._scanned = self._lines = 0
        self._take_head(frames)

    def _take_head(self, frames: list[Frame]) -> bytes:
        head = self._head
        if not self._lines and not _COMMAND_SO_FAR.match(head):
            self._refuse_head(head)
        nul = head.find(b"\0", self._scanned)
        stop = len(head) if nul < 0 else nul
        while (line_end := head.find(b"\n", self._scanned, stop)) >= 0:
            if self._is_blank(line_end):
                return self._end_head(line_end + 1, frames)
            self._check_line(line_end - self._line_start)
            self._lines += 1
            if self._lines - 1 > self._limits.headers:  # the first line is the command
                self._refuse_count()
            self._line_start = self._scanned = line_end + 1
        if nul >= 0:
            self._refuse_head(head)
        self._scanned = stop
        self._check_line(stop - self._line_start)
        if stop > self._limits.frame_bytes:
            self._refuse_size()
        return b""

    def _is_blank(self, line_end: int) -> bool:
        length = line_end - self._line_start
        return not length or (length == 1 and self._crlf and self._head[self._line_start] == ord("\r"))

    def _end_head(self, body_start: int, frames: list[Frame]) -> bytes:
        held, self._head = bytes(self._head), bytearray()
        frame = self._decode_head(held[: self._line_start - 1])
        return self._begin_body(frame, body_start, held[body_start:], frames)

    def _begin_body(self, frame: Frame, head_size: int, data: bytes, frames: list[Frame]) -> bytes:
        self._frame, self._body, self._head_size, self._missing = frame, bytearray(), head_size, _UNTIL_NUL
        if Header.CONTENT_LENGTH in frame.headers:
            self._missing = self._content_length(frame.headers) + 1
            if head_size + self._missing - 1 > self._limits.frame_bytes:
                self._refuse_size()
        return self._take_body(frame, data, frames)

    def _take_body(self, frame: Frame, data: bytes, frames: list[Frame]) -> bytes:
        end = self._missing
        if end == _UNTIL_NUL:
            nul = data.find(b"\0")
            end = len(data) + 1 if nul < 0 else nul + 1
            if self._head_size + len(self._body) + end - 1 > self._limits.frame_bytes:
                self._refuse_size()
        elif end > len(data):
            self._missing -= len(data)
        self._body += data[:end]
        if end > len(data):
            return b""
        if self._body[-1]:
            raise _wrong_length(frame)
        frame.body = bytes(memoryview(self._body)[:-1])
        frames.append(frame)
        self._frame, self._body = None, bytearray()
        return data[end:]

    def _decode_head(self, head: bytes) -> Frame:
        if len(head) > self._limits.header_line_bytes:
            self._check_line(max(map(len, head.split(b"\n"))))
        try:
            text = head.decode()
        except UnicodeDecodeError:
            raise FrameError("the headers are not UTF-8") from None
        lines = text.split("\n")
        command = lines.pop(0)
        if len(lines) > self._limits.headers:
            self._refuse_count()
        if self._crlf:
            command, *lines = (_without_cr(line) for line in (command, *lines))
        if command not in OPENING and command not in ORDINARY:
            raise FrameError(f"unknown command {command[:16]!r}")
        pairs = [_split(line) for line in lines]
        # 1.0 has no escapes; CONNECT and CONNECTED are never escaped (STOMP 1.2, Value Encoding).
        if command in ORDINARY and self.version not in (None, Version.V1_0):
            pairs = [(_unescape(name, self.version), _unescape(value, self.version)) for name, value in pairs]
        headers = _first_wins(pairs)
        if command in OPENING:
            self.version = _settled(command, headers)
        return Frame(command, headers)

    def _content_length(self, headers: dict[str, str]) -> int:
        text = headers[Header.CONTENT_LENGTH]
        if not (text.isascii() and text.isdigit()):
            raise FrameError(f"content-length is not a number: {text[:32]!r}")
        if len(text.lstrip("0")) > NUMBER_DIGITS:
            self._refuse_size()
        return int(text[-NUMBER_DIGITS:])

    def _check_line(self, length: int) -> None:
        limit = self._limits.header_line_bytes
        if length > limit:
            raise FrameError(f"header line longer than {limit} bytes", limit="header-line")

    def _refuse_count(self) -> NoReturn:
        raise FrameError(f"more than {self._limits.headers} headers in a frame", limit="headers")

    def _refuse_size(self) -> NoReturn:
        raise FrameError(f"frame larger than {self._limits.frame_bytes} bytes", limit="frame")

    def _refuse_head(self, head: bytes | bytearray) -> NoReturn:
        """Say what is wrong with a head that has no blank line or does not begin with a command."""
        first = re.split(rb"[\r\n\0]", head[:16], maxsplit=1)[0].decode("ascii", "backslashreplace")
        if first not in OPENING and first not in ORDINARY:
            raise FrameError(f"unknown command {first!r}")
        raise FrameError(f"{first} has no blank line between its headers and its body")


def _plain_head(head: bytes, version: Version | None) -> Frame | None:
    """The hot path of `FrameParser`: a head without anything unusual, or None."""
    try:
        text = str(head, "utf-8")
        lines = text.split("\n")
        command = lines.pop(0)
        headers = dict(map(str.split, lines, _COLONS, _ONES))
    except ValueError:
        return None
    if command not in ORDINARY or len(headers) != len(lines) or "\r" in text or "\0" in text or "" in headers:
        return None
    if "\\" in text and version is not None and version is not Version.V1_0 and not _unescape_simply(headers):
        return None
    return Frame(command, headers)


def _plain_end(length: str | None, buffer: bytes, start: int) -> int:
    """Where the body that begins at `start` ends, or a number that is no place in the buffer."""
    if length is None:
        return buffer.find(b"\0", start)
    return start + int(length) if length.isdecimal() and length.isascii() and len(length) <= NUMBER_DIGITS else -1


def _unescape_simply(headers: dict[str, str]) -> bool:
    """Undo the commonest escapes, of colons in values; say whether those were all."""
    for name, value in headers.items():
        if "\\" in value:
            headers[name] = value.replace("\\c", ":")
        if "\\" in name or "\\" in headers[name]:
            return False
    return True


def _wrong_length(frame: Frame) -> FrameError:
    length = frame.headers[Header.CONTENT_LENGTH]
    return FrameError(f"the body of {frame.command} does not end after the {length} bytes that content-length says")


def _split(line: str) -> tuple[str, str]:
    """The first colon divides. Later ones should be escaped, but brokers and clients that do not are common."""
    name, colon, value = line.partition(":")
    if not colon or not name:
        raise FrameError(f"header without a {'name' if colon else 'colon'}: {line[:32]!r}")
    return name, value


def _first_wins(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Repeated headers: "only the first header entry" counts (STOMP 1.2, Repeated Header Entries)."""
    headers: dict[str, str] = {}
    for name, value in pairs:
        headers.setdefault(name, value)
    return headers


def _without_cr(line: str) -> str:
    line = line.removesuffix("\r")
    if "\r" in line:
        raise FrameError(f"carriage return inside a header: {line[:32]!r}")
    return line


def _unescape(text: str, version: Version | None) -> str:
    """Undo the escapes; "undefined escape sequences MUST be treated as a fatal protocol error" (STOMP 1.2)."""
    if "\\" not in text or version is None:
        return text
    table = _UNESCAPES[version]
    try:
        return _ESCAPE.sub(lambda match: table[match[0]], text)
    except KeyError as error:
        raise FrameError(f"undefined escape {error.args[0]!r} in a header of STOMP {version}") from None


def _settled(command: str, headers: dict[str, str]) -> Version | None:
    """The version that holds from the opening frame on."""
    if command != Command.CONNECTED:
        return negotiate(headers.get(Header.ACCEPT_VERSION))
    named = headers.get(Header.VERSION, Version.V1_0)
    try:
        return Version(named)
    except ValueError:
        raise FrameError(f"CONNECTED names an unknown version {named[:16]!r}") from None
