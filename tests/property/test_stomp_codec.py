"""What holds for every frame and for every stream of bytes."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mqctl.errors import UsageError
from mqctl.protocols.stomp import parser as parser_module
from mqctl.protocols.stomp.codec import Frame, FrameError, FrameParser, encode, header_line, message, message_head
from mqctl.protocols.stomp.spec import ORDINARY, Limits, Version

versions = st.sampled_from(list(Version))
any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.text("ab:\\c\n\r\0 ", max_size=8)
headers = st.dictionaries(any_text, any_text, max_size=6)
commands = st.sampled_from(sorted(ORDINARY))

TOKENS = [
    *(b"SEND\n", b"MESSAGE\n", b"CONNECT\n", b"CONNECTED\n", b"ACK\r\n", b"NOPE\n", b"SEN"),
    *(b"\n", b"\r\n", b"\r", b"\n\n", b"\n\0", b"\0", b":", b"\\", b"\\c", b"\\n", b"\\t", b"a", b"a:b\n", b"a:\\cx\n"),
    *(b"accept-version:1.0\n", b"accept-version:1.1\n", b"accept-version:1.2\n", b"version:1.1\n"),
    *(b"content-length:", b"0", b"1\n", b"3", b"12", b"\xff", "é".encode(), b"SEND\na:b\n\nbody\0", b"SEND\n\n\0"),
]
streams = st.binary(max_size=60) | st.lists(st.sampled_from(TOKENS), max_size=25).map(b"".join)
cuts = st.lists(st.integers(1, 20), min_size=1, max_size=10)
SMALL = Limits(frame_bytes=60, headers=3, header_line_bytes=25)


def expressible(values, version):
    """Whether STOMP of that version can carry the headers."""
    names_and_values = "".join(values) + "".join(values.values())
    if "\0" in names_and_values or "" in values:
        return False
    return version is not Version.V1_0 or not ("\n" in names_and_values or ":" in "".join(values))


def pieces(data, sizes):
    """`data`, cut into pieces of these sizes in turn."""
    at = turn = 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        yield data[at : at + size]
        at, turn = at + size, turn + 1


def outcome(chunks, *, version, limits=None):
    """All that a parser makes of a stream. Of several faults, it depends on the pieces which is noticed first."""
    parser, frames, refused = FrameParser(limits, version=version), [], False
    try:
        for chunk in chunks:
            frames += parser.feed(chunk)
    except FrameError as error:
        frames += error.frames
        refused = True
    return frames, refused, parser.version, parser.heart_beats, parser.unfinished_bytes


@given(command=commands, values=headers, body=st.binary(max_size=40), version=versions, sizes=cuts)
def test_what_is_encoded_is_decoded_or_refused_by_the_encoder(command, values, body, version, sizes):
    """Every version; no header ever turns into another one, into a body or into a second frame."""
    values.pop("content-length", None)
    if not expressible(values, version):
        with pytest.raises(UsageError):
            encode(command, values, body, version=version)
        return
    data = encode(command, values, body, version=version)
    frames, refused, *_ = outcome(pieces(data, sizes), version=version)
    assert not refused
    expected = values | ({"content-length": str(len(body))} if body else {})
    assert frames == [Frame(command, expected, body)]


@given(data=streams, sizes=cuts, version=versions | st.none(), limits=st.sampled_from([Limits(), SMALL]))
@example(data=b"SEND\na:1\nb:2\nc:3\n\n\0", sizes=[1], version=Version.V1_2, limits=SMALL)
def test_how_a_stream_is_cut_does_not_matter(data, sizes, version, limits):
    """Whole, byte by byte and in any pieces: the same frames, then the same refusal or the same wait for more."""
    whole = outcome([data], version=version, limits=limits)
    assert outcome(pieces(data, [1]), version=version, limits=limits) == whole
    assert outcome(pieces(data, sizes), version=version, limits=limits) == whole


@given(data=streams, version=versions | st.none(), limits=st.sampled_from([Limits(), SMALL]))
def test_the_short_way_is_the_long_way(data, version, limits):
    """Plain frames are read by less code than others; it must agree with the code that knows every rule."""
    short = outcome([data], version=version, limits=limits)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parser_module, "_PLAIN_HEAD_BYTES", 0)
        assert outcome([data], version=version, limits=limits) == short


@given(data=streams, sizes=cuts, version=versions | st.none())
def test_nothing_is_held_beyond_the_limit(data, sizes, version):
    parser = FrameParser(SMALL, version=version)
    try:
        for chunk in pieces(data, sizes):
            parser.feed(chunk)
            assert parser.unfinished_bytes <= SMALL.frame_bytes + len(chunk)
    except FrameError:
        assert parser.unfinished_bytes == 0


@given(
    values=st.lists(st.tuples(any_text, any_text), max_size=6),
    body=st.binary(max_size=40),
    subscription=any_text,
    ack=st.none() | st.integers(0, 10**9).map(lambda number: str(number).encode()),
    redelivered=st.booleans(),
    version=versions,
)
def test_a_fanned_out_message_is_what_was_published(values, body, subscription, ack, redelivered, version):
    """All that the version can carry arrives, first headers first; nothing else does."""
    own = {"destination": "/topic/a", "message-id": "m:1", "content-length": str(len(body))}
    head = message_head("/topic/a", "m:1", values, len(body), version)
    if expressible({"subscription": subscription}, version):
        line = header_line("subscription", subscription, version)
    else:
        line, subscription = b"", None
    (frame,) = FrameParser(version=version).feed(message(head, body, line, ack, redelivered=redelivered))
    carried = {name: value for name, value in reversed(values) if expressible({name: value}, version)}
    added = {"subscription": subscription, "ack": ack and ack.decode(), "redelivered": "true" if redelivered else None}
    expected = {name: value for name, value in added.items() if value is not None} | carried | own
    assert (frame.command, frame.headers, frame.body) == ("MESSAGE", expected, body)
