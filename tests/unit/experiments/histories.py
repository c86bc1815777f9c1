"""Small histories written down shortly: `sent("A1 A2 B1")`, `got("c", "A1 B1 A2")`."""

from __future__ import annotations

import io
from collections.abc import Iterable

from mqctl.experiments.answers import Answer, Property
from mqctl.experiments.check import Examination, Report, check
from mqctl.experiments.events import Confirmed, Delivered, End, Event, Fault, Header, Planted, Publish, Subscribed
from mqctl.experiments.history import Reader, encode

HEADER = Header(version=1)
END = End(drained=True)


def names(text: str) -> list[tuple[str, int]]:
    return [(word[0], int(word[1:])) for word in text.split()]


def attempted(text: str) -> list[Event]:
    return [Publish(*name) for name in names(text)]


def sent(text: str) -> list[Event]:
    return [event for name in names(text) for event in (Publish(*name), Confirmed(*name))]


def got(consumer: str, text: str, **fields: object) -> list[Event]:
    return [Delivered(consumer, *name, **fields) for name in names(text)]


def here(*consumers: str, **fields: object) -> list[Event]:
    return [Subscribed(consumer, **fields) for consumer in consumers]


def planted(fault: Fault, consumer: str, text: str, **fields: int) -> Planted:
    """A swap names two messages."""
    first, *second = names(text)
    return Planted(fault, consumer, *first, *(second[0] if second else ("", 0)), **fields)


def flat(parts: Iterable[Event | Iterable[Event]]) -> list[Event]:
    return [event for part in parts for event in (part if isinstance(part, list) else [part])]


def read(*parts: Event | list[Event], header: Header = HEADER) -> Reader:
    return Reader(io.BytesIO(encode(header, flat(parts))))


def answers(*parts: Event | list[Event], header: Header = HEADER) -> dict[Property, Answer]:
    reader = read(*parts, header=header)
    examination = Examination(reader.header)
    for batch in reader.batches():
        examination.take_in(batch)
    return {answer.about: answer for answer in examination.answers()}


def judged(*parts: Event | list[Event], expect: str = "", header: Header = HEADER, **options: bool) -> Report:
    return check(read(*parts, header=header), expect=expect.split(), **options)
