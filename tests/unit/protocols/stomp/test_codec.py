import pytest

from mqctl.errors import UsageError
from mqctl.protocols.stomp.codec import Frame, FrameParser, encode, header_line, message, message_head, receipt
from mqctl.protocols.stomp.spec import Version

ALL = tuple(Version)
V1_0, V1_1, V1_2 = ALL


def test_a_frame_is_written_as_the_specification_shows_it():
    data = encode("SEND", {"destination": "/queue/a", "content-type": "text/plain"}, b"hello", version=V1_2)
    assert data == b"SEND\ndestination:/queue/a\ncontent-type:text/plain\ncontent-length:5\n\nhello\0"


def test_a_frame_without_headers_and_body():
    assert encode("DISCONNECT", {}, version=V1_2) == b"DISCONNECT\n\n\0"


def test_the_length_may_be_left_out_for_text():
    """JMS brokers take a body with content-length for bytes."""
    assert encode("SEND", {}, b"a", version=V1_2, with_length=False) == b"SEND\n\na\0"
    with pytest.raises(UsageError, match="NUL"):
        encode("SEND", {}, b"a\0b", version=V1_2, with_length=False)


def test_a_length_that_is_given_is_kept():
    assert encode("SEND", {"content-length": "0"}, version=V1_2) == b"SEND\ncontent-length:0\n\n\0"
    assert encode("SEND", {"content-length": "1"}, b"\0", version=V1_2) == b"SEND\ncontent-length:1\n\n\0\0"


@pytest.mark.parametrize(
    ("version", "line"),
    [(V1_1, b"a\\cb:c\\\\d\\ne\rf\\cg\n"), (V1_2, b"a\\cb:c\\\\d\\ne\\rf\\cg\n")],
)
def test_names_and_values_are_escaped(version, line):
    """STOMP 1.1 and 1.2, Value Encoding; the carriage return came with 1.2."""
    assert header_line("a:b", "c\\d\ne\rf:g", version) == line


@pytest.mark.parametrize(("plain", "escaped"), [("\r", "\\r"), ("\n", "\\n"), (":", "\\c"), ("\\", "\\\\")])
def test_each_special_character_is_escaped_where_it_stands_alone(plain, escaped):
    """A header with none is written by a shorter way, which must see each of them."""
    assert header_line("a", f"b{plain}c", V1_2) == f"a:b{escaped}c\n".encode()


def test_1_0_has_no_escapes():
    assert header_line("a", "b:c\\d", V1_0) == b"a:b:c\\d\n"


@pytest.mark.parametrize(
    ("name", "value", "version"),
    [
        ("a", "b\nc", V1_0),
        ("a:b", "c", V1_0),
        ("a\nb", "c", V1_0),
        ("a", "\0", V1_0),
        ("a", "\0", V1_2),
        ("", "a", V1_2),
    ],
)
def test_what_a_version_cannot_carry_is_refused(name, value, version):
    """Never a frame that says something else than what was asked."""
    with pytest.raises(UsageError, match=f"STOMP {version} cannot carry the header"):
        encode("SEND", {"ok": "1", name: value}, version=version)


def test_connect_is_never_escaped_and_never_broken():
    """STOMP 1.2, Value Encoding."""
    assert encode("CONNECT", {"passcode": "a:b\\c"}, version=V1_2) == b"CONNECT\npasscode:a:b\\c\n\n\0"
    for passcode in ("a\nb", "a\rb"):
        with pytest.raises(UsageError, match="carry"):
            encode("CONNECT", {"passcode": passcode}, version=V1_2)


def test_a_receipt():
    assert receipt("a:1", V1_2) == b"RECEIPT\nreceipt-id:a\\c1\n\n\0"


@pytest.mark.parametrize("version", ALL)
@pytest.mark.parametrize("ack", [None, b"17"])
@pytest.mark.parametrize("redelivered", [False, True])
def test_a_message_is_its_shared_head_and_what_its_subscriber_adds(version, ack, redelivered):
    head = message_head("/topic/a", "id-1", (("kind", "x:y"),), 3, version)
    subscription = header_line("subscription", "s:1", version)
    data = message(head, b"a\0b", subscription, ack, redelivered=redelivered)
    expected = {
        "destination": "/topic/a",
        "message-id": "id-1",
        "content-length": "3",
        "kind": "x:y",
        "subscription": "s:1",
        **({"ack": "17"} if ack else {}),
        **({"redelivered": "true"} if redelivered else {}),
    }
    assert FrameParser(version=version).feed(data) == [Frame("MESSAGE", expected, b"a\0b")]


def test_an_old_subscriber_misses_the_headers_that_its_version_cannot_carry():
    headers = (("a", "1"), ("b", "line\nbreak"), ("c:d", "2"))
    assert message_head("/topic/a", "1", headers, 0, V1_0).endswith(b"content-length:0\na:1\n")
    assert message_head("/topic/a", "1", headers, 0, V1_2).endswith(b"\na:1\nb:line\\nbreak\nc\\cd:2\n")


def test_a_destination_that_cannot_be_carried_is_refused():
    with pytest.raises(UsageError, match="destination"):
        message_head("/topic/a\nb", "1", (), 0, V1_0)
