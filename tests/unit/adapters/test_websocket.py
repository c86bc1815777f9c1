"""A stream over WebSocket: what it says, what it answers by itself, and how it ends."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from mqctl.adapters.stream import RulesError
from mqctl.protocols.websocket import CloseCode, Opcode, encode
from tests.unit.adapters.fake_web import PATIENCE_S, web_pair


def close_frame(code: int, reason: str = "") -> bytes:
    return encode(Opcode.CLOSE, code.to_bytes(2) + reason.encode())


class TestHandshake:
    def test_it_says_where_to_and_what_is_spoken(self):
        """And no Origin: that names a web page, and a server that checks it would refuse one it does not know."""
        with web_pair() as (_, peer):
            lines = peer.request.decode().split("\r\n")
        assert lines[0] == "GET /ws HTTP/1.1"
        assert "Sec-WebSocket-Protocol: v12.stomp, v11.stomp" in lines
        assert not [line for line in lines if line.startswith("Origin")]

    def test_what_comes_right_behind_it_is_not_lost(self):
        with web_pair(early=encode(Opcode.TEXT, b"early") + b"\x81") as (stream, peer):
            assert stream.read() == b"early"
            peer.sock.sendall(b"\x04late")
            assert stream.read() == b"late"

    @pytest.mark.parametrize("chosen", ["v12.stomp", "v11.stomp"])
    def test_a_server_may_choose_what_was_offered_or_nothing(self, chosen):
        with web_pair(headers=f"Sec-WebSocket-Protocol: {chosen}\r\n"), web_pair():
            pass

    def test_the_http_server_is_known_by_its_name(self):
        with web_pair(headers="Server: Cowboy\r\n") as (stream, _):
            assert stream.web_server == "Cowboy"
        with web_pair() as (stream, _):
            assert stream.web_server == ""


class TestWriting:
    def test_each_write_is_a_message_text_where_it_can_be(self):
        with web_pair() as (stream, peer):
            stream.write("값".encode())
            stream.write(b"\xff")
            stream.poke(b"\n")
            assert [peer.next() for _ in range(3)] == [
                (Opcode.TEXT, "값".encode()),
                (Opcode.BINARY, b"\xff"),
                (Opcode.TEXT, b"\n"),
            ]

    def test_all_is_binary_where_that_is_asked_for(self):
        with web_pair(text=False) as (stream, peer):
            stream.write(b"text")
            assert peer.next() == (Opcode.BINARY, b"text")

    def test_messages_of_many_writers_stay_whole(self):
        payloads = [bytes([65 + number]) * 150_000 for number in range(8)]
        with web_pair() as (stream, peer):
            threads = [threading.Thread(target=stream.write, args=(payload,)) for payload in payloads]
            for thread in threads:
                thread.start()
            assert sorted(peer.next()[1] for _ in payloads) == payloads
            for thread in threads:
                thread.join()

    def test_a_write_that_does_not_end_in_time_breaks_the_connection(self):
        with web_pair() as (stream, peer):
            with pytest.raises(TimeoutError):
                stream.write(b"x" * 50_000_000, time.monotonic() + 0.1)
            with pytest.raises(OSError, match=r"[Bb]roken pipe"):
                stream.write(b"more")
            assert peer.sock.recv(10)


class TestReading:
    def test_many_messages_come_at_once(self):
        with web_pair(early=b"".join(encode(Opcode.BINARY, bytes([n])) for n in range(200))) as (stream, _):
            assert stream.read() == bytes(range(200))

    def test_a_ping_is_answered_and_is_no_data(self):
        with web_pair(early=encode(Opcode.PING, b"there?") + encode(Opcode.TEXT, b"data")) as (stream, peer):
            assert stream.read() == b"data"
            assert peer.next() == (Opcode.PONG, b"there?")

    def test_a_ping_during_a_write_is_answered_after_it(self):
        """The reader does not wait for a writer; of several pings the last one counts (RFC 6455, 5.5.3)."""
        with web_pair(early=encode(Opcode.TEXT, b"1")) as (stream, peer):
            stream.read()
            writer = threading.Thread(target=stream.write, args=(b"x" * 20_000_000,))
            writer.start()
            first = peer.sock.recv(1, socket.MSG_PEEK)
            for number in range(3):
                peer.sock.sendall(encode(Opcode.PING, bytes([48 + number])) + encode(Opcode.TEXT, b"2"))
                assert stream.read() == b"2"
            assert first
            assert peer.next()[1] == b"x" * 20_000_000
            writer.join()
            assert stream.poke(b"beat")
            assert [peer.next(), peer.next()] == [(Opcode.PONG, b"2"), (Opcode.TEXT, b"beat")]

    def test_pings_alone_do_not_keep_a_read_from_its_timeout(self):
        with web_pair() as (stream, peer):
            stop = threading.Event()

            def ping() -> None:
                while not stop.wait(0.02):
                    peer.sock.sendall(encode(Opcode.PING, b""))

            thread = threading.Thread(target=ping)
            thread.start()
            stream.read_timeout(0.3)
            before = time.monotonic()
            with pytest.raises(TimeoutError):
                stream.read()
            assert time.monotonic() - before < PATIENCE_S
            stop.set()
            thread.join()


class TestEnd:
    def test_a_server_that_closes_says_why_and_is_answered(self):
        with web_pair(early=encode(Opcode.TEXT, b"last") + close_frame(1009, "65536")) as (stream, peer):
            assert stream.read() == b"last"
            assert stream.read() == b""
            assert stream.read() == b""
            assert stream.parting == "WebSocket closed with 1009 (message too big): 65536"
            assert peer.next() == (Opcode.CLOSE, CloseCode.NORMAL.to_bytes(2))
            stream.abort()
            assert peer.sock.recv(10) == b"", "goodbye is said once"

    def test_a_server_that_only_hangs_up_has_no_parting_words(self):
        with web_pair() as (stream, peer):
            peer.sock.close()
            assert stream.read() == b""
            assert stream.parting == ""

    def test_a_broken_rule_is_told_after_what_came_before_it(self):
        with web_pair(early=encode(Opcode.TEXT, b"good") + b"\x83\0") as (stream, peer):
            assert stream.read() == b"good"
            with pytest.raises(RulesError, match="no such kind of frame: 3"):
                stream.read()
            assert peer.next() == (Opcode.CLOSE, CloseCode.PROTOCOL_ERROR.to_bytes(2))

    def test_an_abort_says_goodbye_once_and_ends_a_read(self):
        with web_pair() as (stream, peer):
            read: list[bytes] = []
            reader = threading.Thread(target=lambda: read.append(stream.read()))
            reader.start()
            stream.abort()
            stream.abort()
            reader.join(PATIENCE_S)
            assert read == [b""]
            assert peer.next() == (Opcode.CLOSE, CloseCode.NORMAL.to_bytes(2))
            assert peer.sock.recv(10) == b""


@pytest.mark.parametrize("cut", range(1, 12))
def test_frames_may_be_cut_anywhere(cut):
    stream_bytes = encode(Opcode.TEXT, b"one") + encode(Opcode.PING, b"p") + encode(Opcode.TEXT, b"two")
    with web_pair() as (stream, peer):
        got = b""
        for at in range(0, len(stream_bytes), cut):
            peer.sock.sendall(stream_bytes[at : at + cut])
        while len(got) < 6:
            got += stream.read()
        assert got == b"onetwo"
