"""WebSocket's frames, byte by byte as RFC 6455 has them."""

from __future__ import annotations

import pytest

from mqctl.protocols import websocket
from mqctl.protocols.websocket import CloseCode, MessageReceiver, Opcode, Part, Receiver, WebSocketError

MASK = b"\x37\xfa\x21\x3d"


def masked(opcode: int, payload: bytes, *, fin: bool = True, mask: bytes = MASK, first: int = 0) -> bytes:
    """A client's frame, the naive way."""
    size = len(payload)
    short, middle = size < 126, size < 65_536
    length = bytes([0x80 | size]) if short else b"\xfe" + size.to_bytes(2) if middle else b"\xff" + size.to_bytes(8)
    body = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
    return bytes([first | 0x80 * fin | opcode]) + length + mask + body


def text(payload: bytes) -> Part:
    return Part(Opcode.TEXT, payload)


def refused(*chunks: bytes, limit: int = 1000) -> WebSocketError:
    receiver = Receiver(limit)
    with pytest.raises(WebSocketError) as caught:
        for chunk in chunks:
            receiver.receive(chunk)
    return caught.value


def test_the_example_of_the_standard() -> None:
    """RFC 6455, 5.7: a masked "Hello", and a server's unmasked one."""
    frame = bytes.fromhex("818537fa213d7f9f4d5158")
    assert Receiver(5).receive(frame) == [text(b"Hello")]
    assert masked(1, b"Hello") == frame
    assert websocket.encode(Opcode.TEXT, b"Hello") == bytes.fromhex("810548656c6c6f")


@pytest.mark.parametrize("size", [0, 1, 3, 4, 125, 126, 127, 65_535, 65_536, 70_001])
def test_every_length(size: int) -> None:
    """Both ways, each in as few bytes as can be."""
    payload = bytes(n % 128 for n in range(size))
    parts = Receiver(100_000).receive(masked(2, payload))
    assert b"".join(part.payload for part in parts) == payload
    frame = websocket.encode(Opcode.BINARY, payload)
    head = {True: 2, size > 125: 4, size > 65_535: 10}[True]
    assert (len(frame), frame[head:], frame[1] & 0x80) == (head + size, payload, 0)
    assert int.from_bytes(frame[2:head] if head > 2 else frame[1:2]) == size


def test_pieces_are_handed_out_as_they_come() -> None:
    """Nothing is kept of a message but what is left of its head."""
    receiver = Receiver(100)
    stream = masked(1, b"abc", fin=False) + masked(0, b"defgh")
    got = [receiver.receive(stream[at : at + 1]) for at in range(len(stream))]
    assert [part.payload for parts in got for part in parts] == [b"a", b"b", b"c", b"d", b"e", b"f", b"g", b"h"]
    assert {part.opcode for parts in got for part in parts} == {Opcode.TEXT}


def test_control_frames_come_whole_and_between_the_pieces_of_a_message() -> None:
    """RFC 6455, 5.4."""
    receiver = Receiver(100)
    stream = masked(2, b"ab", fin=False) + masked(9, b"ping") + masked(0, b"c") + masked(8, b"\x03\xe8")
    assert receiver.receive(stream[:12]) == [Part(Opcode.BINARY, b"ab")]
    assert receiver.receive(stream[12:]) == [
        Part(Opcode.PING, b"ping"),
        Part(Opcode.BINARY, b"c"),
        Part(Opcode.CLOSE, b"\x03\xe8"),
    ]


def test_empty_messages_are_no_parts_and_end() -> None:
    receiver = Receiver(100)
    assert receiver.receive(masked(1, b"") + masked(1, b"", fin=False) + masked(0, b"") + masked(2, b"x")) == [
        Part(Opcode.BINARY, b"x")
    ]


@pytest.mark.parametrize(
    ("stream", "says"),
    [
        (masked(1, b"x", first=0x40), "reserved bit"),
        (masked(1, b"x", first=0x10), "reserved bit"),
        (b"\x81\x01x", "without a mask"),
        (masked(3, b"x"), "no such kind of frame: 3"),
        (masked(11, b"x"), "no such kind of frame: 11"),
        (masked(9, b"x", fin=False), "a control frame in pieces"),
        (masked(8, b"x" * 126), "longer than 125 bytes"),
        (masked(0, b"x"), "a message is continued that never began"),
        (masked(1, b"x", fin=False) + masked(1, b"y"), "a message began before the last one ended"),
        (b"\x81\xfe\x00\x7d" + MASK, "as short as it can be"),
        (b"\x81\xff" + (65_535).to_bytes(8) + MASK, "as short as it can be"),
        (b"\x81\xff" + b"\xff" * 8 + MASK, "as short as it can be"),
    ],
)
def test_what_no_client_may_send(stream: bytes, says: str) -> None:
    """Each is a protocol error, in words; what came before it is not lost."""
    error = refused(masked(2, b"before") + stream)
    assert error.code is CloseCode.PROTOCOL_ERROR
    assert says in str(error)
    assert error.parts[0] == Part(Opcode.BINARY, b"before")


@pytest.mark.parametrize(
    "chunks",
    [
        [masked(2, b"x" * 11)],
        [masked(2, b"x" * 6, fin=False), masked(0, b"x" * 5)],
        [b"\x82\xff" + (2**62).to_bytes(8) + MASK],
    ],
)
def test_a_message_beyond_the_limit(chunks: list[bytes]) -> None:
    """It is refused by what its head says, and by the sum of its frames; the next one begins at nothing."""
    error = refused(*chunks, limit=10)
    assert error.code is CloseCode.TOO_BIG
    assert str(error) == "WebSocket message larger than 10 bytes (limit: frame)"
    assert len(Receiver(10).receive(masked(2, b"x" * 10) * 3)) == 3


@pytest.mark.parametrize(
    "chunks",
    [
        [masked(1, b"\xff")],
        [masked(1, "é".encode()[:1])],
        [masked(1, "é".encode()[:1], fin=False), masked(0, b"")],
        [masked(1, "é".encode()[:1], fin=False), masked(0, b"a")],
        [masked(1, b"\xed\xa0\x80")],
    ],
)
def test_text_is_utf_8(chunks: list[bytes]) -> None:
    """RFC 6455, 8.1, though bytes could carry it."""
    assert refused(*chunks).code is CloseCode.INVALID_TEXT


def test_a_character_may_be_cut_in_two() -> None:
    receiver = Receiver(100)
    first, last = receiver.receive(masked(1, "aé".encode()[:2], fin=False) + masked(0, "é".encode()[1:] + b"b"))
    assert (first.payload + last.payload).decode() == "aéb"
    assert Receiver(100).receive(masked(2, b"\xff")) == [Part(Opcode.BINARY, b"\xff")]


def test_a_message_is_text_where_it_can_be() -> None:
    """Old clients read nothing else, and browsers end a connection over text that is none."""
    assert [websocket.message(body)[0] & 0x0F for body in (b"a\0", "한".encode(), b"\xff")] == [1, 1, 2]


def test_close() -> None:
    """The reason is cut to what a control frame holds, and not inside a character."""
    assert websocket.close(CloseCode.NORMAL) == b"\x88\x02\x03\xe8"
    frame = websocket.close(CloseCode.POLICY, "é" * 100)
    assert (frame[1], frame[4:].decode()) == (124, "é" * 61)


@pytest.mark.parametrize(
    ("code", "valid"),
    [(999, False), (1000, True), (1004, False), (1005, False), (1006, False), (1014, True), (1015, False),
     (2999, False), (3000, True), (4999, True), (5000, False)],
)  # fmt: skip
def test_close_codes(code: int, valid: bool) -> None:
    """RFC 6455, 7.4."""
    assert websocket.is_close_code(code) is valid


def test_the_accepting_key() -> None:
    """RFC 6455, 1.3; a key that is no base64, or of another length, has none."""
    assert websocket.accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    for bad in ("", "abc", "dGhlIHNhbXBsZSBub25jZQ", "é", "dGhlIHNhbXBsZSBub25jZ\n==", "dGhl"):
        assert websocket.accept_key(bad) is None


class TestWholeMessages:
    """`MessageReceiver`, which keeps the pieces until a message is whole."""

    def test_however_it_is_cut(self) -> None:
        stream = b"".join(
            (
                masked(1, b"one"),
                masked(1, b"tw", fin=False) + masked(9, b"ping") + masked(0, b"o"),
                masked(1, b""),
                masked(2, b"x", fin=False) + masked(0, b""),
            )
        )
        wanted = [text(b"one"), Part(Opcode.PING, b"ping"), text(b"two"), text(b""), Part(Opcode.BINARY, b"x")]
        for step in (1, 2, 7, len(stream)):
            receiver = MessageReceiver(100)
            chunks = [stream[at : at + step] for at in range(0, len(stream), step)]
            assert [part for chunk in chunks for part in receiver.receive(chunk)] == wanted

    def test_what_came_before_a_fault(self) -> None:
        receiver = MessageReceiver(3)
        with pytest.raises(WebSocketError) as caught:
            receiver.receive(masked(1, b"one") + masked(1, b"four"))
        assert caught.value.parts == [text(b"one")]
        assert caught.value.code is CloseCode.TOO_BIG

    def test_who_is_known_may_send_more(self) -> None:
        receiver = MessageReceiver(3)
        receiver.allow(4)
        assert receiver.receive(masked(1, b"four")) == [text(b"four")]
