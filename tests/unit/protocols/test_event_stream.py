"""A stream of server-sent events, line by line as WHATWG's HTML has them."""

from __future__ import annotations

import pytest

from mqctl.protocols.event_stream import Event, EventStreamError, Reader


def read(stream: bytes) -> list[Event]:
    """All events of a stream."""
    return Reader(1_000).feed(stream)


def test_the_examples_of_the_standard() -> None:
    """WHATWG HTML, 9.2.6; the event at the end of the second has begun only."""
    assert read(b"data: YHOO\ndata: +2\ndata: 10\n\n") == [Event(b"YHOO\n+2\n10")]
    assert read(b"data\n\ndata\ndata\n\ndata:") == [Event(b""), Event(b"\n")]
    assert read(b"data:test\n\ndata: test\n\n") == [Event(b"test")] * 2


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_three_ways_to_end_a_line(end: bytes) -> None:
    assert read(end.join([b"event: add", b"data: 1", b"", b"data: 2", b"", b""])) == [Event(b"1", b"add"), Event(b"2")]


def test_a_line_end_in_two_pieces_is_one() -> None:
    reader = Reader(1_000)
    assert reader.feed(b"data: 1\r") == []
    assert reader.feed(b"") == []
    assert reader.feed(b"\ndata: 2\r\n\r") == [Event(b"1\n2")]
    assert reader.feed(b"\n") == []
    assert reader.feed(b"data: 3\r\r") == [Event(b"3")]


def test_what_is_no_data_is_no_event() -> None:
    assert read(b":\n: data: 1\n\nevent: x\n\nfoo: bar\nDATA: 1\n data: 1\n\n") == []


def test_a_kind_is_of_one_event() -> None:
    assert read(b"event: x\n\ndata: 1\n\n") == [Event(b"1")]


def test_one_blank_after_the_colon_is_none_of_the_value() -> None:
    assert read(b"data:  1:2 \n\n") == [Event(b" 1:2 ")]


def test_a_mark_at_the_beginning_only() -> None:
    assert read(b"\xef\xbb\xbfdata: 1\n\n\xef\xbb\xbfdata: 2\n\n") == [Event(b"1")]


def test_when_to_ask_again_and_from_where() -> None:
    reader = Reader(1_000)
    assert (reader.retry_ms, reader.last_id) == (None, b"")
    reader.feed(b"retry: 50\nid: a\n\n")
    assert (reader.retry_ms, reader.last_id) == (50, b"a")
    reader.feed(b"retry: 5s\nretry\nid: b\0\n\n")
    assert (reader.retry_ms, reader.last_id) == (50, b"a")
    reader.feed(b"id\n\n")
    assert reader.last_id == b""


@pytest.mark.parametrize("stream", [b"data: 12345", b"data: 12345\ndata: 6789\n", b":2345678901", b"data\n" * 11])
def test_no_event_without_an_end(stream: bytes) -> None:
    with pytest.raises(EventStreamError, match="more than 10 bytes"):
        Reader(10).feed(stream)


def test_what_is_said_between_events_counts_no_more() -> None:
    reader = Reader(10)
    for _ in range(10):
        assert reader.feed(b": alive\n") == []
    assert reader.feed(b"data: 1\n\ndata: 2\n\n" * 10) == [Event(b"1"), Event(b"2")] * 10
