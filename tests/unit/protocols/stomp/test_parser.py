"""The rules of STOMP's frames, each read whole and byte by byte."""

import pytest

from mqctl.errors import ProtocolError
from mqctl.protocols.stomp.frame import Frame, FrameError
from mqctl.protocols.stomp.parser import FrameParser
from mqctl.protocols.stomp.spec import Limits, Version

ALL = tuple(Version)
V1_0, V1_1, V1_2 = ALL
SMALL = Limits(frame_bytes=100, headers=3, header_line_bytes=40)


def drip(parser, data):
    """What the parser makes of `data` that comes byte by byte."""
    return [frame for byte in data for frame in parser.feed(bytes([byte]))]


def read(data, *, version=V1_2, limits=None):
    """The frames of `data`, which must be the same whole and byte by byte."""
    whole = FrameParser(limits, version=version)
    frames = whole.feed(data)
    piecewise = FrameParser(limits, version=version)
    assert drip(piecewise, data) == frames
    assert (whole.unfinished_bytes, whole.heart_beats) == (piecewise.unfinished_bytes, piecewise.heart_beats)
    assert whole.version is piecewise.version
    return frames


def refusal(data, *, version=V1_2, limits=None):
    """The sentence with which `data` is refused, whole and byte by byte."""
    with pytest.raises(FrameError) as whole:
        FrameParser(limits, version=version).feed(data)
    piecewise = FrameParser(limits, version=version)
    with pytest.raises(FrameError) as at_last:
        drip(piecewise, data)
    assert at_last.value.limit == whole.value.limit
    return str(whole.value)


def only_headers(data, **how):
    (frame,) = read(data, **how)
    return frame.headers


@pytest.mark.parametrize("version", ALL)
def test_a_frame_is_a_command_headers_and_a_body(version):
    data = b"SEND\ndestination:/queue/a\nreceipt:1\n\nhello\0"
    assert read(data, version=version) == [Frame("SEND", {"destination": "/queue/a", "receipt": "1"}, b"hello")]


def test_a_frame_may_have_neither_headers_nor_body():
    assert read(b"DISCONNECT\n\n\0") == [Frame("DISCONNECT", {}, b"")]


def test_frames_follow_each_other_at_once():
    assert [frame.body for frame in read(b"SEND\na:b\n\n1\0SEND\na:b\n\n2\0")] == [b"1", b"2"]


def test_content_length_lets_a_body_hold_nul():
    assert read(b"SEND\ncontent-length:5\n\na\0b\0c\0")[0].body == b"a\0b\0c"


def test_content_length_may_have_leading_zeros():
    assert read(b"SEND\ncontent-length:" + b"0" * 20 + b"1\n\na\0")[0].body == b"a"


def test_without_content_length_the_first_nul_ends_the_body():
    """The rest of a body with NUL is then read as the next frame, and is none."""
    assert "unknown command 'b'" in refusal(b"SEND\n\na\0b\0")


@pytest.mark.parametrize("tail", [b"abc\0", b"abcdef\0"])
def test_content_length_must_fit_the_body(tail):
    assert "content-length" in refusal(b"SEND\ncontent-length:5\n\n" + tail + b"\n\n\n\n")


@pytest.mark.parametrize("length", ["", "-1", "+1", " 1", "1_0", "0x1", "one", "\u0661", "\u00b2"])
def test_content_length_is_a_plain_number(length):
    """A lenient reader of numbers would disagree with other programs about where a frame ends."""
    assert "content-length" in refusal(f"SEND\ncontent-length:{length}\n\na\0".encode())


def test_line_ends_between_frames_are_heart_beats():
    parser = FrameParser(version=V1_2)
    assert parser.feed(b"\n\r\n\n") == []
    assert parser.heart_beats == 3
    assert not parser.unfinished_bytes
    assert len(read(b"\n\nSEND\n\n\0\n\r\nSEND\n\n\0\n")) == 2


def test_lines_may_end_with_cr_lf_in_1_2():
    """STOMP 1.2, Augmented BNF: EOL = [CR] LF."""
    data = b"SEND\r\ndestination:/queue/a\r\n\r\na\n\nb\0\r\n"
    assert read(data) == [Frame("SEND", {"destination": "/queue/a"}, b"a\n\nb")]


def test_lf_and_cr_lf_may_be_mixed_in_1_2():
    assert only_headers(b"SEND\r\na:1\nb:2\r\n\n\0") == {"a": "1", "b": "2"}


@pytest.mark.parametrize("version", [V1_0, V1_1])
def test_a_carriage_return_is_data_before_1_2(version):
    assert only_headers(b"SEND\na:1\r\nb:2\n\n\0", version=version) == {"a": "1\r", "b": "2"}
    assert "no blank line" in refusal(b"SEND\na:1\r\n\r\n\0", version=version)
    assert "stands alone" in refusal(b"\r\n", version=version)
    assert "unknown command" in refusal(b"SEND\r\na:1\n\n\0", version=version)


def test_a_carriage_return_stands_before_a_line_feed_in_1_2():
    assert "inside a header" in refusal(b"SEND\na:1\r2\n\n\0")
    assert "stands alone" in refusal(b"\n\rSEND\n\n\0")


@pytest.mark.parametrize(("version", "value"), [(V1_0, r"a\\b\cc\nd"), (V1_1, "a\\b:c\nd"), (V1_2, "a\\b:c\nd")])
def test_escapes_are_undone_from_1_1_on(version, value):
    """STOMP 1.1 and 1.2, Value Encoding."""
    assert only_headers(b"SEND\nx:" + rb"a\\b\cc\nd" + b"\n\n\0", version=version) == {"x": value}


def test_escaped_colons_alone_take_the_short_way():
    assert only_headers(rb"MESSAGE" b"\nmessage-id:ID\\cbroker\\c1\na:b\n\n\0") == {
        "message-id": "ID:broker:1",
        "a": "b",
    }


def test_names_are_escaped_too():
    assert only_headers(b"SEND\na\\cb:c\n\n\0") == {"a:b": "c"}


def test_an_escaped_carriage_return_came_with_1_2():
    assert only_headers(b"SEND\nx:\\r\n\n\0") == {"x": "\r"}
    assert r"undefined escape '\\r'" in refusal(b"SEND\nx:\\r\n\n\0", version=V1_1)


@pytest.mark.parametrize("text", [b"\\t", b"a\\", b"\\x", b"\\\\\\"])
def test_an_undefined_escape_is_fatal(text):
    """STOMP 1.2, Value Encoding."""
    assert "undefined escape" in refusal(b"SEND\nx:" + text + b"\n\n\0")


def test_connect_and_connected_are_not_escaped():
    """STOMP 1.2, Value Encoding: to remain compatible with 1.0."""
    assert only_headers(b"CONNECT\npasscode:a\\cb\\t\n\n\0", version=None)["passcode"] == "a\\cb\\t"
    assert only_headers(b"CONNECTED\nsession:a\\cb:c\n\n\0", version=None)["session"] == "a\\cb:c"


def test_an_error_before_connected_is_taken_as_it_is():
    """The version is not known yet, and an error must be readable."""
    assert only_headers(b"ERROR\nmessage:C:\\temp\n\n\0", version=None) == {"message": "C:\\temp"}


@pytest.mark.parametrize("version", ALL)
def test_the_first_of_repeated_headers_counts(version):
    """STOMP 1.2, Repeated Header Entries."""
    assert only_headers(b"MESSAGE\nfoo:World\nfoo:Hello\n\n\0", version=version) == {"foo": "World"}


def test_the_first_of_repeated_headers_counts_when_they_are_escaped():
    assert only_headers(b"MESSAGE\n\\c:1\n\\c:2\n\n\0") == {":": "1"}


def test_values_keep_their_blanks():
    """STOMP 1.2, Repeated Header Entries: clients and servers never trim."""
    assert only_headers(b"SEND\na: b \n\n\0") == {"a": " b "}


def test_raw_colons_in_a_value_are_let_pass():
    assert only_headers(b"SEND\na:b:c\nd:\n\n\0") == {"a": "b:c", "d": ""}


@pytest.mark.parametrize("line", [b"no colon", b":no name", b""])
def test_a_header_has_a_name_and_a_colon(line):
    if line:
        assert "header without a" in refusal(b"SEND\na:b\n" + line + b"\nc:d\n\n\0")
    else:
        assert read(b"SEND\na:b\n\nc:d\n\n\0")[0].body == b"c:d\n\n"


def test_headers_are_utf_8():
    """STOMP 1.2, STOMP Frames."""
    assert only_headers("SEND\nname:대한\n\n\0".encode()) == {"name": "대한"}
    assert "UTF-8" in refusal(b"SEND\na:\xff\n\n\0")


def test_nul_cannot_stand_in_a_header():
    assert "SEND has no blank line" in refusal(b"SEND\na:b\0c\n\n\0")
    assert "SEND has no blank line" in refusal(b"SEND\0")


@pytest.mark.parametrize(
    "data",
    [b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\x02\x00", b"send\n", b"UNSUBSCRIBED", b"NOPE\n\n\0", b"\0", b"SEND \n"],
)
def test_what_is_no_command_is_refused_at_once(data):
    """A browser or a TLS client on this port is told so, without waiting for the end of a frame."""
    assert "unknown command" in refusal(data)


@pytest.mark.parametrize(
    ("data", "version"),
    [
        (b"CONNECT\naccept-version:1.0,1.1\n\n\0", V1_1),
        (b"STOMP\naccept-version:1.2\n\n\0", V1_2),
        (b"CONNECT\n\n\0", V1_0),
        (b"CONNECT\naccept-version:9\n\n\0", None),
        (b"CONNECTED\nversion:1.1\n\n\0", V1_1),
        (b"CONNECTED\n\n\0", V1_0),
    ],
)
def test_the_version_follows_the_opening_frame(data, version):
    parser = FrameParser()
    parser.feed(data)
    assert parser.version is version


def test_frames_behind_connect_are_read_in_the_version_it_settles():
    frames = read(b"CONNECT\naccept-version:1.1\n\n\0SEND\na:\\c\n\n\0", version=None)
    assert frames[1].headers == {"a": ":"}


def test_connected_with_an_unknown_version_is_refused():
    assert "unknown version '9'" in refusal(b"CONNECTED\nversion:9\n\n\0", version=None)


@pytest.mark.parametrize(
    ("data", "limit"),
    [
        (b"SEND\n\n" + b"x" * 95 + b"\0", "frame"),
        (b"SEND\n\n" + b"x" * 95, "frame"),
        (b"SEND\ncontent-length:90\n\n", "frame"),
        (b"SEND\ncontent-length:90\n\n" + b"\0" * 91, "frame"),
        (b"SEND\ncontent-length:" + b"9" * 19 + b"\n\n\0", "frame"),
        (b"SEND\na:" + b"x" * 33 + b"\nb:" + b"x" * 33 + b"\nc:" + b"x" * 33, "frame"),
        (b"SEND\na:1\nb:2\nc:3\nd:4\n\n\0", "headers"),
        (b"SEND\na:1\nb:2\nc:3\nd:4\n", "headers"),
        (b"SEND\na:" + b"x" * 39 + b"\n\n\0", "header-line"),
        (b"SEND\na:" + b"x" * 39, "header-line"),
    ],
)
def test_every_limit_is_named(data, limit):
    """Whether the frame comes whole or not, and before more than the limit was held."""
    assert f"(limit: {limit})" in refusal(data, limits=SMALL)


@pytest.mark.parametrize(
    "data",
    [
        b"SEND\n\n" + b"x" * 94 + b"\0",
        b"SEND\ncontent-length:75\n\n" + b"x" * 75 + b"\0",
        b"SEND\na:1\nb:2\nc:3\n\n\0",
        b"SEND\r\na:1\r\nb:2\r\nc:3\r\n\r\n\0",
        b"SEND\na:" + b"x" * 38 + b"\n\n\0",
        b"SEND\na:" + b"x" * 25 + b"\nb:" + b"x" * 25 + b"\nc:" + b"x" * 20 + b"\n\n\0" + b"SEND\na:1\n\n\0",
    ],
)
def test_what_just_fits_a_limit_passes(data):
    assert read(data, limits=SMALL)


def test_the_limit_of_a_frame_is_told_in_bytes():
    parser = FrameParser()
    with pytest.raises(FrameError, match=r"frame larger than 16777216 bytes \(limit: frame\)"):
        parser.feed(b"SEND\ncontent-length:16777217\n\n")


def test_a_body_of_5_mib_arrives_in_pieces():
    body = bytes(range(256)) * 4 * 1024 * 5
    data = b"SEND\ncontent-length:%d\n\n%b\0" % (len(body), body)
    parser = FrameParser(version=V1_2)
    frames = [frame for at in range(0, len(data), 65536) for frame in parser.feed(data[at : at + 65536])]
    assert [frame.body for frame in frames] == [body]


def test_what_is_unfinished_is_known():
    parser = FrameParser(version=V1_2)
    for piece, size in ((b"SEND\nco", 7), (b"ntent-length:2\n\n", 23), (b"ab", 25), (b"\0", 0)):
        parser.feed(piece)
        assert parser.unfinished_bytes == size


def test_frames_before_the_bad_one_are_not_lost():
    parser = FrameParser(version=V1_2)
    with pytest.raises(FrameError) as error:
        parser.feed(b"SEND\n\n1\0SEND\n\n2\0FOO\n\n\0")
    assert [frame.body for frame in error.value.frames] == [b"1", b"2"]


def test_a_failed_parser_stays_failed_and_holds_nothing():
    parser = FrameParser(version=V1_2)
    for data in (b"SEND\n\n1\0SEND\nbad\n\n\0", b"SEND\n\n2\0"):
        with pytest.raises(ProtocolError, match="without a colon") as error:
            parser.feed(data)
    assert error.value.frames == []
    assert parser.unfinished_bytes == 0
