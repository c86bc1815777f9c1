"""What holds of every stream of WebSocket frames, however it is cut."""

from __future__ import annotations

import websocket as peer
from hypothesis import given
from hypothesis import strategies as st

from mqctl.protocols.websocket import Opcode, Receiver, WebSocketError, encode

data_frames = st.tuples(st.sampled_from([Opcode.BINARY, Opcode.PING, Opcode.PONG]), st.binary(max_size=100))
cuts = st.lists(st.integers(1, 20), min_size=1, max_size=10)


def pieces(data: bytes, sizes: list[int]) -> list[bytes]:
    """`data`, cut into pieces of these sizes in turn."""
    chunks, turn = [], 0
    while data:
        size = sizes[turn % len(sizes)]
        chunks.append(data[:size])
        data, turn = data[size:], turn + 1
    return chunks


def outcome(chunks: list[bytes]) -> tuple[bytes, list[tuple[Opcode, bytes]], str | None]:
    """Payload, control frames, and what was refused."""
    receiver, parts, refused = Receiver(200), [], None
    try:
        for chunk in chunks:
            parts += receiver.receive(chunk)
    except WebSocketError as error:
        parts += error.parts
        refused = str(error)
    control = [(opcode, payload) for opcode, payload in parts if opcode >= Opcode.CLOSE]
    return b"".join(payload for opcode, payload in parts if opcode < Opcode.CLOSE), control, refused


@given(frames=st.lists(data_frames, max_size=8), sizes=cuts)
def test_what_a_client_library_sends_is_what_is_read(frames: list[tuple[Opcode, bytes]], sizes: list[int]) -> None:
    """websocket-client masks by chance, and the cuts do not matter."""
    stream = b"".join(peer.ABNF.create_frame(payload, opcode).format() for opcode, payload in frames)
    data = b"".join(payload for opcode, payload in frames if opcode is Opcode.BINARY)
    control = [(opcode, payload) for opcode, payload in frames if opcode is not Opcode.BINARY]
    assert outcome(pieces(stream, sizes)) == (data, control, None)


@given(stream=st.binary(max_size=200), sizes=cuts)
def test_any_bytes_give_the_same_however_they_are_cut(stream: bytes, sizes: list[int]) -> None:
    """And nothing but the documented error is raised."""
    assert outcome([stream]) == outcome(pieces(stream, sizes))


@given(payload=st.binary(max_size=300))
def test_what_we_send_is_what_a_client_library_reads(payload: bytes) -> None:
    buffer = encode(Opcode.BINARY, payload)

    def recv(count: int) -> bytes:
        nonlocal buffer
        data, buffer = buffer[:count], buffer[count:]
        return data

    frame = peer._abnf.frame_buffer(recv, skip_utf8_validation=True).recv_frame()
    assert (frame.fin, frame.opcode, frame.data, buffer) == (1, Opcode.BINARY, payload, b"")
