"""Histories: what is written is read, in batches, and what is broken is named by its line."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from mqctl.errors import UsageError
from mqctl.experiments import events, history
from mqctl.experiments.events import Confirmed, Delivered, End, Fault, Header, Planted, Publish, Strange
from mqctl.experiments.history import Reader, Writer, encode

HEADER = Header(version=1, name="orders", protocol="mqtt", mode="qos1", expect=("fifo",), facts={"seed": 7})
EVENTS = [
    Publish("A", 1, "orders", 10, 11),
    Confirmed("A", 1, 19),
    Planted(Fault.SWAP, "c", "A", 1, "A", 2),
    Delivered("c", "A", 1, 20, 10, redelivered=True, attempt=2),
    End(drained=True),
]
DOCS = Path(__file__).parents[3] / "docs/history.md"


def read(data: bytes) -> tuple[Reader, list[history.Entry]]:
    reader = Reader(io.BytesIO(data), "h.jsonl")
    return reader, [event for batch in reader.batches() for event in batch.events]


def test_what_is_written_is_read():
    file = io.BytesIO()
    writer = Writer(file, HEADER)
    writer.write(*EVENTS[:2])
    writer.write(*EVENTS[2:])
    assert file.getvalue() == encode(HEADER, EVENTS)
    reader, found = read(file.getvalue())
    assert (reader.header, found, reader.lines, reader.torn) == (HEADER, EVENTS, 6, False)


class Pipe(io.BytesIO):
    """Hands out a few bytes at a time."""

    few = 1

    def read(self, size=-1):
        return super().read(min(size, self.few))


@pytest.mark.parametrize("few", [1, 7, 50, 99, 1000])
def test_chunks_end_anywhere(few):
    pipe = Pipe(encode(HEADER, EVENTS))
    pipe.few = few
    batches = list(Reader(pipe).batches())
    assert [event for batch in batches for event in batch.events] == EVENTS
    line = 2
    for batch in batches:
        assert batch.first_line == line
        line += len(batch.events)


def test_a_line_says_no_more_than_it_must():
    assert encode(Header(version=1), [Delivered("c", "A", 1, 20)]).splitlines() == [
        b'{"event":"history","version":1}',
        b'{"event":"delivered","consumer":"c","producer":"A","n":1,"received_ns":20}',
    ]


def test_a_line_cut_short_by_a_crash_is_told():
    data = encode(HEADER, EVENTS)
    reader, found = read(data[:-5])
    assert (found, reader.torn) == (EVENTS[:-1], True)
    reader, found = read(data[:-1])
    assert (found, reader.torn) == (EVENTS, False)


def test_unknown_kinds_are_counted_and_unknown_fields_ignored():
    data = encode(HEADER, []) + b'{"event":"comet","tail":1}\n{"event":"end","drained":true,"mood":"fine"}\n'
    reader, found = read(data)
    assert found == [Strange("comet"), End(drained=True)]
    assert reader.strange == {"comet": 1}


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (b"", "h.jsonl, line 1 is empty"),
        (b"price,volume\n", "h.jsonl, line 1 is no header of a history: JSON is malformed"),
        (b'{"event":"end"}\n', "h.jsonl, line 1 is no header of a history: Invalid value 'end'"),
        (
            b'{"event":"history"}\n',
            "h.jsonl, line 1 is no header of a history: Object missing required field `version`",
        ),
        (b'{"event":"history","version":2}\n', "h.jsonl, line 1 is a history of version 2"),
        (encode(HEADER, EVENTS[:1]) + b"oops\n", "h.jsonl, line 3 is no event: JSON is malformed"),
        (
            encode(HEADER, EVENTS[:1]) + b"\n" + encode(HEADER, [])[:0] + b'{"event":"end"}\n',
            "h.jsonl, line 3 is empty",
        ),
        (encode(HEADER, []) * 2, "h.jsonl, line 2 is no event: Invalid value 'history'"),
        (encode(HEADER, []) + b'{"event":"publish","producer":"A","n":"1"}\n', "line 2 is no event: Expected `int`"),
        (
            encode(HEADER, []) + b'{"event":"publish","producer":"A","n":-1}\n',
            "line 2 is no event: Expected `int` >= 0",
        ),
        (encode(HEADER, []) + b'{"event":"publish","producer":"A"}\n', "line 2 is no event: Object missing required"),
        (encode(HEADER, []) + b'["end"]', "line 2 is no event: Expected `object`"),
    ],
)
def test_what_is_no_history_is_named_by_its_line(lines, sentence):
    with pytest.raises(UsageError, match=re.escape(sentence)) as refused:
        read(lines)
    assert "docs/history.md" in refused.value.hint


def test_a_file_without_lines_is_not_read_to_its_end(monkeypatch):
    monkeypatch.setattr(history, "CHUNK_BYTES", 100)
    file = io.BytesIO(bytes(1000))
    with pytest.raises(UsageError, match="line 1 is no header"):
        Reader(file)
    assert file.tell() == 100


def test_the_schema_tells_every_kind_and_every_field():
    page = DOCS.read_text()
    for kind in (Header, *history.kinds()):
        assert f"`{kind.__struct_config__.tag}`" in page or f'"{kind.__struct_config__.tag}"' in page
        for field in set(kind.__struct_fields__):
            assert f"`{field}`" in page, f"{kind.__name__}.{field}"
    assert all(f"`{fault}`" in page for fault in Fault)


def test_the_example_of_the_schema_is_a_history():
    example = DOCS.read_text().split("```json\n")[1].split("```")[0]
    _, found = read(example.encode())
    assert found[-1] == events.End(drained=True)
