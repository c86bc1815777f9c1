"""WebSocket's frames from the client's side, byte by byte as RFC 6455 has them."""

from __future__ import annotations

import pytest

from mqctl.protocols.websocket import CloseCode, Opcode, Part, Receiver, encode
from mqctl.protocols.websocket_client import FRAME_BYTES, Control, Reader, close, farewell, frame, message

MASK = b"\x37\xfa\x21\x3d"


def sent(payload: bytes, *, text: bool = True) -> list[Part]:
    """What a server makes of a message of ours."""
    return Receiver(10_000_000).receive(message(payload, lambda: MASK, text=text))


def piece(opcode: int, payload: bytes, *, final: bool = False) -> bytes:
    """A short frame of a server."""
    return bytes([opcode | 0x80 * final, len(payload)]) + payload


def test_the_examples_of_the_standard() -> None:
    """RFC 6455, 5.7."""
    assert frame(Opcode.TEXT, b"Hello", MASK) == bytes.fromhex("818537fa213d7f9f4d5158")
    assert Reader().feed(bytes.fromhex("810548656c6c6f")).payload == b"Hello"
    assert Reader().feed(bytes.fromhex("010348656c80026c6f")).payload == b"Hello"


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 70_001])
def test_every_length_is_read(size: int) -> None:
    payload = bytes(n % 251 for n in range(size))
    assert Reader().feed(encode(Opcode.BINARY, payload) + piece(Opcode.TEXT, b"more", final=True)) == (
        payload + b"more",
        [],
        "",
    )


@pytest.mark.parametrize("size", [0, 1, 125, 126, FRAME_BYTES, FRAME_BYTES + 1, 3 * FRAME_BYTES, 200_001])
def test_every_length_is_sent_in_frames_that_artemis_takes(size: int) -> None:
    payload = bytes(n % 251 for n in range(size))
    parts = sent(payload)
    assert b"".join(part.payload for part in parts) == payload
    assert {len(part.payload) <= 65_535 for part in parts} <= {True}
    assert len(parts) == -(-size // FRAME_BYTES)


@pytest.mark.parametrize(
    ("payload", "text", "opcode"),
    [
        (b"plain", True, Opcode.TEXT),
        ("한글".encode(), True, Opcode.TEXT),
        (b"\xff", True, Opcode.BINARY),
        (b"plain", False, Opcode.BINARY),
    ],
)
def test_text_goes_as_text_only_if_it_is_and_may(payload: bytes, text: bool, opcode: Opcode) -> None:
    assert sent(payload, text=text) == [Part(opcode, payload)]


def test_each_frame_has_a_mask_of_its_own() -> None:
    masks = iter((b"\1\2\3\4", b"\5\6\7\x08", b"\0\0\0\0"))
    whole = message(b"\0" * (2 * FRAME_BYTES + 1), lambda: next(masks), text=True)
    assert (whole[4:8], whole[8 + FRAME_BYTES + 4 :][:4]) == (b"\1\2\3\4", b"\5\6\7\x08")
    assert next(masks, None) is None


def test_control_frames_come_between_the_pieces_of_a_message() -> None:
    received = Reader().feed(
        piece(Opcode.TEXT, b"a")
        + piece(Opcode.PING, b"there?", final=True)
        + piece(Opcode.CONTINUATION, b"b")
        + piece(Opcode.PONG, b"", final=True)
        + piece(Opcode.CONTINUATION, b"c", final=True)
        + piece(Opcode.BINARY, b"d", final=True)
    )
    assert received.payload == b"abcd"
    assert received.controls == [Control(Opcode.PING, b"there?"), Control(Opcode.PONG, b"")]


@pytest.mark.parametrize("step", [1, 3, 7, 1_000_000])
def test_where_a_message_ends_is_told_where_that_is_wanted(step: int) -> None:
    wire = (
        piece(Opcode.TEXT, b"in ")
        + piece(Opcode.PING, b"", final=True)
        + piece(Opcode.CONTINUATION, b"", final=False)
        + piece(Opcode.CONTINUATION, b"pieces", final=True)
        + piece(Opcode.TEXT, b"", final=True)
        + piece(Opcode.TEXT, b"ended by ")
        + piece(Opcode.CONTINUATION, b"", final=True)
        + encode(Opcode.TEXT, bytes(70_000))
        + piece(Opcode.TEXT, b"last", final=True)
    )
    reader = Reader(end=b"|")
    came = b"".join(reader.feed(wire[at : at + step]).payload for at in range(0, len(wire), step))
    assert came.split(b"|") == [b"in pieces", b"", b"ended by ", bytes(70_000), b"last", b""]


def test_of_a_message_that_is_coming_nothing_is_kept() -> None:
    reader = Reader()
    stream = encode(Opcode.BINARY, b"x" * 300)
    assert reader.feed(stream[:100]).payload == b"x" * 96
    assert reader.feed(stream[100:200]).payload == b"x" * 100
    assert reader.feed(stream[200:]).payload == b"x" * 104


def test_after_a_close_frame_nothing_counts() -> None:
    """RFC 6455, 5.5.1."""
    reader = Reader()
    received = reader.feed(b"\x81\1a" + encode(Opcode.CLOSE, b"\x03\xe8") + b"\x81\1b")
    assert received == (b"a", [Control(Opcode.CLOSE, b"\x03\xe8")], "")
    assert reader.feed(b"\x81\1c") == (b"", [], "")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (b"\xc1\1x", "reserved bit"),
        (b"\x91\1x", "reserved bit"),
        (b"\x81\x81\0\0\0\0x", "mask"),
        (b"\x83\0", "no such kind of frame: 3"),
        (b"\x8f\0", "no such kind of frame: 15"),
        (b"\x09\0", "control frame in pieces"),
        (b"\x89\x7e\0\x80", "longer than 125"),
        (b"\x82\x7f\x80\0\0\0\0\0\0\1x", "more than 63 bits"),
        (b"\x80\1x", "never began"),
        (b"\x01\1x\x81\1y", "before the last one ended"),
    ],
)
def test_what_breaks_the_rules_ends_it_and_what_came_before_counts(wrong: bytes, words: str) -> None:
    reader = Reader()
    received = reader.feed(b"\x82\3one" + wrong)
    assert received.payload.startswith(b"one")
    assert words in received.fault
    again = reader.feed(b"\x82\3two")
    assert (again.payload, words in again.fault) == (b"", True)


def test_a_close_frame_of_ours() -> None:
    assert Receiver(10).receive(close(CloseCode.NORMAL, MASK)) == [Part(Opcode.CLOSE, b"\x03\xe8")]


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"", "WebSocket closed without a reason"),
        (b"\x03", "WebSocket closed without a reason"),
        (b"\x03\xf1", "WebSocket closed with 1009 (message too big)"),
        (b"\x03\xf1too long", "WebSocket closed with 1009 (message too big): too long"),
        (b"\x0f\xa0mine\xff", "WebSocket closed with 4000: mine\\xff"),
        (b"\x03\xe9so\r\nmqctl: all is well\n", "WebSocket closed with 1001 (going away): so mqctl: all is well"),
    ],
)
def test_why_a_server_closed_is_told_in_words(payload: bytes, words: str) -> None:
    assert farewell(payload) == words
