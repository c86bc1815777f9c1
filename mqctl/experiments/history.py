"""Histories as JSON lines: written an event at a time, read in batches, never whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, NoReturn, Protocol, TypeAlias, get_args

import msgspec

from mqctl.errors import UsageError
from mqctl.experiments.events import VERSION, Event, Header, Strange

CHUNK_BYTES = 1 << 17
"""So much is read and decoded at once: its events fit into the cache of a processor."""

_HINT = "docs/history.md is the schema"

Entry: TypeAlias = Event | Strange

_encoder = msgspec.json.Encoder()
_events: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
_header = msgspec.json.Decoder(Header)


class Batch(NamedTuple):
    """Some lines of a history, in order; event i is line `first_line + i`, and lines count from 1."""

    first_line: int
    events: Sequence[Entry]


class Source(Protocol):
    """Where a history is read from."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end."""


class Sink(Protocol):
    """Where a history is written to. Unbuffered, so that what was written outlives a crash of the process."""

    def write(self, data: bytes, /) -> object:
        """Append it, all of it."""


class Writer:
    """Appends to a history; the header is written at once.

    Args:
        sink: A new file.
        header: What is run.
    """

    def __init__(self, sink: Sink, header: Header) -> None:
        self._sink = sink
        self._sink.write(_encoder.encode(header) + b"\n")

    def write(self, *events: Event) -> None:
        """Append events, in one write."""
        self._sink.write(_encoder.encode_lines(events))


class Reader:
    """Reads a history once. Memory does not grow with it.

    Attributes:
        header: Its first line.
        lines: How many were read so far.
        torn: Whether the last line was cut short.
        strange: How many lines there were of each kind that is not known here.

    Args:
        source: A file, open for reading bytes.
        name: Of the file, for errors.

    Raises:
        UsageError: The first line is no header of a history, or of one that is newer than this program.
    """

    def __init__(self, source: Source, name: str = "the history") -> None:
        self._source, self._name = source, name
        self._rest = b""
        self.lines = 0
        self.torn = False
        self.strange: Counter[str] = Counter()
        self.header = self._read_header()

    def batches(self) -> Iterator[Batch]:
        """Everything behind the header.

        Raises:
            UsageError: A line that is no event, with its number.
        """
        for lines in self._whole_lines():
            yield self._batch(lines)
        if self._rest and (last := self._last(self._rest)):
            yield last

    def _whole_lines(self) -> Iterator[bytes]:
        """What is left of the first chunk, then what follows; what has no newline yet stays in `_rest`."""
        chunk = b""
        while True:
            read = self._rest + chunk
            end = read.rfind(b"\n") + 1
            self._rest = read[end:]
            if end:
                yield read[:end]
            if not (chunk := self._source.read(CHUNK_BYTES)):
                return

    def _read_header(self) -> Header:
        while b"\n" not in self._rest and len(self._rest) < CHUNK_BYTES:
            if not (chunk := self._source.read(CHUNK_BYTES)):
                break
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\n")
        self.lines = 1
        try:
            header = _header.decode(line)
        except msgspec.MsgspecError as error:
            self._refuse(f"no header of a history: {_reason(error)}" if line.strip() else "empty")
        if header.version != VERSION:
            self._refuse(f"a history of version {header.version}, and this program reads version {VERSION}")
        return header

    def _batch(self, lines: bytes) -> Batch:
        first = self.lines + 1
        count = lines.count(b"\n")
        try:
            events: Sequence[Entry] = _events.decode_lines(lines)
        except msgspec.MsgspecError:
            events = []
        # Where a line is strange, empty or wrong, each is looked at alone: that is slower, and tells which.
        if len(events) != count:
            events = [self._entry(line, first + i) for i, line in enumerate(lines[:-1].split(b"\n"))]
        self.lines += count
        return Batch(first, events)

    def _entry(self, line: bytes, number: int) -> Entry:
        try:
            return _events.decode(line)
        except msgspec.MsgspecError as error:
            if kind := _kind(line):
                self.strange[kind] += 1
                return Strange(kind)
            self.lines = number
            self._refuse(f"no event: {_reason(error)}" if line.strip() else "empty")

    def _last(self, line: bytes) -> Batch | None:
        """A last line without a newline: whole all the same, or cut short by a crash."""
        try:
            msgspec.json.decode(line)
        except msgspec.MsgspecError:
            self.torn = True
            return None
        return self._batch(line + b"\n")

    def _refuse(self, what: str) -> NoReturn:
        raise UsageError(f"{self._name}, line {self.lines} is {what}", hint=_HINT)


def kinds() -> tuple[type[Event], ...]:
    """The events there are."""
    return get_args(Event)


_KINDS = frozenset(kind.__struct_config__.tag for kind in kinds())


class _Tag(msgspec.Struct):
    event: str


_tag = msgspec.json.Decoder(_Tag)


def _kind(line: bytes) -> str | None:
    """The kind of a line that has one, and one that is not known here."""
    try:
        kind = _tag.decode(line).event
    except msgspec.MsgspecError:
        return None
    return None if kind in _KINDS or kind == "history" else kind


def _reason(error: msgspec.MsgspecError) -> str:
    return str(error).replace(" - at `$`", "")


def encode(header: Header, events: Iterable[Event]) -> bytes:
    """A whole history."""
    return _encoder.encode(header) + b"\n" + _encoder.encode_lines(list(events))
