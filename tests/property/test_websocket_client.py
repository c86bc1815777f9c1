"""What holds of every stream of WebSocket frames that a server sends, and of all that we send."""

from __future__ import annotations

import websocket as peer
from hypothesis import example, given
from hypothesis import strategies as st

from mqctl.protocols.websocket import Opcode, encode
from mqctl.protocols.websocket_client import Control, Reader, Received, message

payloads = st.one_of(st.binary(max_size=20), st.integers(120, 400).map(lambda size: b"p" * size))
whole = st.tuples(st.sampled_from([Opcode.TEXT, Opcode.BINARY, Opcode.PING, Opcode.PONG]), payloads)
cuts = st.lists(st.integers(1, 20), min_size=1, max_size=10)
masks = st.binary(min_size=4, max_size=4)


def frames(opcode: Opcode, payload: bytes, pieces: int) -> bytes:
    """A server's frames: a control frame whole and short, a message in so many pieces, with an empty one between."""
    if opcode >= Opcode.CLOSE:
        return encode(opcode, payload[:125])
    if pieces == 1:
        return encode(opcode, payload)
    middle = bytes([Opcode.CONTINUATION, 0]) * (pieces - 2)
    first = bytearray(encode(opcode, payload))
    first[0] &= 0x7F
    return bytes(first) + middle + encode(Opcode.CONTINUATION, b"end")


def read(stream: bytes, sizes: list[int]) -> Received:
    """All that a reader makes of a stream that is cut into pieces of these sizes in turn."""
    reader, payload, controls, turn = Reader(), b"", list[Control](), 0
    received = Received(b"", [])
    while stream:
        size = sizes[turn % len(sizes)]
        received = reader.feed(stream[:size])
        payload, controls = payload + received.payload, controls + received.controls
        stream, turn = stream[size:], turn + 1
    return Received(payload, controls, received.fault)


@given(sent=st.lists(st.tuples(whole, st.integers(1, 3)), max_size=8), sizes=cuts)
def test_what_a_server_sends_is_what_is_read_however_it_is_cut(
    sent: list[tuple[tuple[Opcode, bytes], int]], sizes: list[int]
) -> None:
    stream = b"".join(frames(opcode, payload, pieces) for (opcode, payload), pieces in sent)
    messages = [
        payload + (b"end" if pieces > 1 else b"") for (opcode, payload), pieces in sent if opcode < Opcode.CLOSE
    ]
    controls = [Control(opcode, payload[:125]) for (opcode, payload), _ in sent if opcode >= Opcode.CLOSE]
    assert read(stream, sizes) == (b"".join(messages), controls, "")


@given(stream=st.binary(max_size=200), sizes=cuts)
@example(stream=b"\x82\x7f" + b"\xff" * 8 + b"x", sizes=[3])
def test_any_bytes_give_the_same_however_they_are_cut(stream: bytes, sizes: list[int]) -> None:
    """And nothing is raised."""
    assert read(stream, sizes) == read(stream, [len(stream) or 1])


@given(
    sent=st.lists(whole, min_size=1, max_size=5),
    spoiled=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=4),
    sizes=cuts,
)
def test_good_frames_with_a_few_bytes_spoiled_do_no_harm(
    sent: list[tuple[Opcode, bytes]], spoiled: list[tuple[int, int]], sizes: list[int]
) -> None:
    stream = bytearray(b"".join(frames(opcode, payload, 1) for opcode, payload in sent))
    for at, byte in spoiled:
        stream[at % len(stream)] = byte
    received = read(bytes(stream), sizes)
    assert received == read(bytes(stream), [len(stream)])
    assert len(received.payload) <= len(stream)


@given(payload=payloads, mask=masks, text=st.booleans())
def test_what_we_send_is_what_a_library_reads(payload: bytes, mask: bytes, text: bool) -> None:
    buffer = message(payload, lambda: mask, text=text)

    def recv(count: int) -> bytes:
        nonlocal buffer
        data, buffer = buffer[:count], buffer[count:]
        return data

    read_by_peer = peer.frame_buffer(recv, skip_utf8_validation=False).recv_frame()
    assert (read_by_peer.fin, read_by_peer.data, buffer) == (1, payload, b"")
