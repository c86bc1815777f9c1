"""What holds of every stream of server-sent events."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mqctl.protocols.event_stream import Event, Reader

streams = st.lists(
    st.sampled_from(
        [b"data", b"event", b"id", b"retry", b":", b": ", b" ", b"\n", b"\r", b"\r\n", b"1", b"\xef\xbb\xbf"]
    )
).map(b"".join)
lines = st.binary(max_size=8).map(lambda line: line.replace(b"\r", b"").replace(b"\n", b""))


@given(stream=streams, cuts=st.lists(st.integers(0, 6), min_size=1, max_size=5).filter(any))
def test_however_it_is_cut_it_says_the_same(stream: bytes, cuts: list[int]) -> None:
    whole, pieces = Reader(10_000), Reader(10_000)
    expected = whole.feed(stream)
    came: list[Event] = []
    turn = 0
    while stream:
        size = cuts[turn % len(cuts)]
        came += pieces.feed(stream[:size])
        stream, turn = stream[size:], turn + 1
    assert (came, pieces.retry_ms, pieces.last_id) == (expected, whole.retry_ms, whole.last_id)


@given(data=st.lists(st.lists(lines, min_size=1, max_size=4)), end=st.sampled_from([b"\n", b"\r", b"\r\n"]))
def test_what_is_written_is_read(data: list[list[bytes]], end: bytes) -> None:
    stream = b"".join(b"".join(b"data: " + line + end for line in event) + end for event in data)
    assert Reader(10_000).feed(stream) == [Event(b"\n".join(event)) for event in data]
