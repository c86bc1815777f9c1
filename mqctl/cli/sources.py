"""Where `publish` takes its messages from: values, lines, JSON lines, a file, a generator. All are lazy iterators."""

from __future__ import annotations

import binascii
import itertools
import json
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self

from mqctl import application, topics
from mqctl.errors import UsageError
from mqctl.model import Outgoing, Topic


class BadInput(NamedTuple):
    """A line of the input that is no message, and why."""

    line: int
    reason: str


Source = Iterator[Outgoing | BadInput]


class Encoder(NamedTuple):
    """Makes payloads: `enveloped` ones carry who sent them and `now()`, the time of the send.

    Positions carry both without an envelope, and know their producer by an id of another length.
    """

    enveloped: bool
    producer_id: str
    position_id: str
    now: Callable[[], datetime]

    @classmethod
    def for_run(cls, *, enveloped: bool, rng: random.Random) -> Self:
        """An encoder with new ids and the real time."""
        return cls(
            enveloped=enveloped,
            producer_id=application.new_producer_id(rng),
            position_id=application.new_producer_id(rng, application.POSITION_ID_LENGTH),
            now=lambda: datetime.now(UTC),
        )

    def text(self, text: str) -> bytes:
        """What was typed: as it stands, or in the envelope as the number that it must then be.

        Raises:
            UsageError: It is no number, where the envelope needs one.
        """
        if not self.enveloped:
            return text.encode("utf-8", "surrogateescape")
        return self.data(_number(text))

    def data(self, value: object) -> bytes:
        """A JSON value: alone, or as the envelope's data."""
        if self.enveloped:
            return application.wrap(value, self.producer_id, self.now())
        return application.encode(value)

    def generated(self, value: object) -> bytes:
        """A generator's value; a position carries its own who and when."""
        if isinstance(value, Mapping):
            return application.wrap_position(value, self.position_id, self.now())
        return self.data(value)


def _number(text: str, bare: str = "--bare") -> int | float:
    try:
        return application.parse_number(text)
    except UsageError as error:
        raise UsageError(str(error), hint=f"--json-data sends any JSON as data, {bare} any text as it is") from error


def from_values(values: Sequence[str], template: Outgoing, encoder: Encoder, *, fold: bool) -> Source:
    """One message for each value, or one for all (`fold`): the array that a bar chart takes. Repeats without end.

    Raises:
        UsageError: A value is no number, where the envelope needs one; raised before anything is sent.
    """
    if fold:
        data = [_number(value, "--each --bare") for value in values]
        return (replace(template, payload=encoder.data(data)) for _ in itertools.count())
    for value in values:
        encoder.text(value)
    return (replace(template, payload=encoder.text(value)) for value in itertools.cycle(values))


def from_json(text: str, template: Outgoing, encoder: Encoder) -> Source:
    """The JSON of `--json-data`, again and again.

    Raises:
        UsageError: It is not JSON.
    """
    try:
        data = _json(text)
    except ValueError as error:
        raise UsageError(f"--json-data is {error}") from error
    return (replace(template, payload=encoder.data(data)) for _ in itertools.count())


def _json(text: str | bytes) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("JSON nested too deep") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} at character {error.pos + 1}") from None


def _no_constant(name: str) -> object:
    raise ValueError(f"not JSON: it has no {name}")


def from_file(payload: bytes, template: Outgoing) -> Source:
    """The file as one message, again and again, byte for byte."""
    return itertools.repeat(replace(template, payload=payload))


class Lines:
    """A source that reads a message from each line.

    Args:
        stream: The lines, each but perhaps the last ended by a newline.
        read: Makes a message of a line without its newline; None of one that is none. Raises UsageError or ValueError.
    """

    def __init__(self, stream: Iterable[bytes], read: Callable[[bytes], Outgoing | None]) -> None:
        self.number = 0
        """The line that the last message came from, counted from 1."""
        self._stream = iter(stream)
        self._read = read

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Outgoing | BadInput:
        while True:
            line = next(self._stream)
            self.number += 1
            try:
                message = self._read(line.removesuffix(b"\n"))
            except (UsageError, ValueError) as error:
                return BadInput(self.number, "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error))
            if message is not None:
                return message


def from_lines(stream: Iterable[bytes], template: Outgoing, encoder: Encoder) -> Lines:
    """A message for each line. An empty line is an empty message; the last line needs no newline."""

    def read(line: bytes) -> Outgoing:
        return replace(template, payload=encoder.text(line.decode()) if encoder.enveloped else line)

    return Lines(stream, read)


def from_generator(values: Iterator[object], template: Outgoing, encoder: Encoder) -> Source:
    """A message for each value of a generator."""
    return (replace(template, payload=encoder.generated(value)) for value in values)


def from_jsonl(stream: Iterable[bytes], template: Outgoing, topic: Topic | None) -> Lines:
    """A message for each line in the form that `tail --json` prints; `topic` overrides the line's own."""

    def read(line: bytes) -> Outgoing | None:
        return _from_record(_json(line), template, topic) if line.strip() else None

    return Lines(stream, read)


def _from_record(record: Any, template: Outgoing, topic: Topic | None) -> Outgoing:
    if not isinstance(record, dict):
        raise UsageError("not a JSON object")
    return replace(
        template,
        topic=topic or topics.parse(_member(record, "topic", str)),
        payload=_payload(record),
        headers={**template.headers, **_headers(record)},
    )


def _member(record: Mapping[str, Any], name: str, kind: type[Any]) -> Any:
    if name not in record:
        raise UsageError(f"no member {name!r}")
    if not isinstance(record[name], kind):
        raise UsageError(f"{name!r} is no {'text' if kind is str else 'object'}")
    return record[name]


def _payload(record: Mapping[str, Any]) -> bytes:
    try:
        if "payload_b64" not in record:
            return bytes(_member(record, "payload", str).encode())
        return binascii.a2b_base64(_member(record, "payload_b64", str), strict_mode=True)
    except UnicodeEncodeError as error:
        raise UsageError("'payload' has half a surrogate pair, which is no character") from error
    except binascii.Error as error:
        raise UsageError(f"'payload_b64' is no base64: {error}") from error


def _headers(record: Mapping[str, Any]) -> dict[str, str]:
    headers = _member(record, "headers", dict) if "headers" in record else {}
    if not all(isinstance(value, str) for value in headers.values()):
        raise UsageError("'headers' has a value that is no text")
    return headers
